"""
The director's methods for those who aren't in its event loop: made from it, one line each, with its types and documents.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from feeds.director import Director

__all__ = ["AioMethods", "Methods"]

P = ParamSpec("P")
R = TypeVar("R")

Method = Callable[Concatenate[Director, P], Coroutine[Any, Any, R]]
Question = Callable[Concatenate[Director, P], R]


class _Blocking(Protocol):
    director: Director

    def run(self, coroutine: Coroutine[Any, Any, R], /) -> R: ...


class _Bridging(Protocol):
    director: Director

    def submit(self, coroutine: Coroutine[Any, Any, R], /) -> asyncio.Future[R]: ...


class _Waiting(Generic[P, R]):
    """A method of the director that returns when it is done."""

    def __init__(self, method: Method[P, R]) -> None:
        self._method, self.__doc__ = method, method.__doc__

    @overload
    def __get__(self, feed: None, owner: object) -> Self: ...
    @overload
    def __get__(self, feed: _Blocking, owner: object) -> Callable[P, R]: ...
    def __get__(self, feed: _Blocking | None, owner: object) -> Self | Callable[P, R]:
        if feed is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return feed.run(self._method(feed.director, *args, **kwargs))

        call.__doc__ = self.__doc__
        return call


class _Awaited(Generic[P, R]):
    """A method of the director whose end can be awaited in another event loop."""

    def __init__(self, method: Method[P, R]) -> None:
        self._method, self.__doc__ = method, method.__doc__

    @overload
    def __get__(self, feed: None, owner: object) -> Self: ...
    @overload
    def __get__(self, feed: _Bridging, owner: object) -> Callable[P, asyncio.Future[R]]: ...
    def __get__(
        self, feed: _Bridging | None, owner: object
    ) -> Self | Callable[P, asyncio.Future[R]]:
        if feed is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> asyncio.Future[R]:
            return feed.submit(self._method(feed.director, *args, **kwargs))

        call.__doc__ = self.__doc__
        return call


class _Asked(Generic[P, R]):
    """A question to the director, which is answered at once, in any thread."""

    def __init__(self, method: Question[P, R]) -> None:
        self._method, self.__doc__ = method, method.__doc__

    @overload
    def __get__(self, feed: None, owner: object) -> Self: ...
    @overload
    def __get__(self, feed: _Blocking, owner: object) -> Callable[P, R]: ...
    def __get__(self, feed: _Blocking | None, owner: object) -> Self | Callable[P, R]:
        if feed is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return self._method(feed.director, *args, **kwargs)

        call.__doc__ = self.__doc__
        return call


class Methods:
    """What waits in the thread that calls."""

    trade = _Waiting(Director.trade)
    quote = _Waiting(Director.quote)
    status = _Waiting(Director.status)
    play = _Waiting(Director.play)
    load = _Waiting(Director.load)
    scenario = _Waiting(Director.scenario)
    advance = _Waiting(Director.advance)
    step = _Waiting(Director.step)
    run_until = _Waiting(Director.run_until)
    reset = _Waiting(Director.reset)
    sync = _Waiting(Director.sync)
    wait_for_client = _Waiting(Director.wait_for_client)
    wait_for_subscription = _Waiting(Director.wait_for_subscription)
    wait_for_close = _Waiting(Director.wait_for_close)
    assert_subscribed = _Asked(Director.assert_subscribed)
    assert_no_unknown_messages = _Asked(Director.assert_no_unknown_messages)


class AioMethods:
    """What is awaited in another event loop of asyncio."""

    trade = _Awaited(Director.trade)
    quote = _Awaited(Director.quote)
    status = _Awaited(Director.status)
    play = _Awaited(Director.play)
    load = _Awaited(Director.load)
    scenario = _Awaited(Director.scenario)
    advance = _Awaited(Director.advance)
    step = _Awaited(Director.step)
    run_until = _Awaited(Director.run_until)
    reset = _Awaited(Director.reset)
    sync = _Awaited(Director.sync)
    wait_for_client = _Awaited(Director.wait_for_client)
    wait_for_subscription = _Awaited(Director.wait_for_subscription)
    wait_for_close = _Awaited(Director.wait_for_close)
