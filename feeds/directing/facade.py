"""
The director's methods for callers outside of its event loop, generated from it with their types and docstrings.
"""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from feeds.directing.director import Director
from feeds.errors import plainly

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

    async def bridge(self, coroutine: Coroutine[Any, Any, R], /) -> R: ...


def _waiting(method: Method[P, R]) -> Callable[Concatenate[_Blocking, P], R]:
    """Make a method that returns when the director's is done."""

    @wraps(method)
    def call(feed: _Blocking, /, *args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True
        return feed.run(method(feed.director, *args, **kwargs))

    return call


def _awaited(method: Method[P, R]) -> Callable[Concatenate[_Bridging, P], Coroutine[Any, Any, R]]:
    """Make a method that is awaited in another event loop."""

    @wraps(method)
    async def call(feed: _Bridging, /, *args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True
        return await feed.bridge(method(feed.director, *args, **kwargs))

    return call


def _asked(question: Question[P, R]) -> Callable[Concatenate[_Blocking, P], R]:
    """Make a question, which is answered at once, in any thread."""

    @wraps(question)
    def call(feed: _Blocking, /, *args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True
        return plainly(lambda: question(feed.director, *args, **kwargs))

    return call


class Methods:
    """What waits in the thread that calls."""

    trade = _waiting(Director.trade)
    quote = _waiting(Director.quote)
    status = _waiting(Director.status)
    play = _waiting(Director.play)
    load = _waiting(Director.load)
    scenario = _waiting(Director.scenario)
    advance = _waiting(Director.advance)
    step = _waiting(Director.step)
    run_until = _waiting(Director.run_until)
    reset = _waiting(Director.reset)
    sync = _waiting(Director.sync)
    wait_for_client = _waiting(Director.wait_for_client)
    wait_for_subscription = _waiting(Director.wait_for_subscription)
    wait_for_close = _waiting(Director.wait_for_close)
    assert_subscribed = _asked(Director.assert_subscribed)
    assert_no_unknown_messages = _asked(Director.assert_no_unknown_messages)


class AioMethods:
    """What is awaited in another event loop, of asyncio or trio."""

    trade = _awaited(Director.trade)
    quote = _awaited(Director.quote)
    status = _awaited(Director.status)
    play = _awaited(Director.play)
    load = _awaited(Director.load)
    scenario = _awaited(Director.scenario)
    advance = _awaited(Director.advance)
    step = _awaited(Director.step)
    run_until = _awaited(Director.run_until)
    reset = _awaited(Director.reset)
    sync = _awaited(Director.sync)
    wait_for_client = _awaited(Director.wait_for_client)
    wait_for_subscription = _awaited(Director.wait_for_subscription)
    wait_for_close = _awaited(Director.wait_for_close)
