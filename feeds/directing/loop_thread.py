"""An event loop in a thread of its own, for callers that have none, or another one."""

import asyncio
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from feeds.errors import CommandError, FeedError

__all__ = ["LoopThread", "in_a_coroutine"]

R = TypeVar("R")

_PATIENCE_S = 30.0


class LoopThread:
    """
    Runs coroutines in an event loop in a daemon thread.

    Args:
        name: the thread's.
    """

    def __init__(self, name: str) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._ready.wait()

    def submit(self, coroutine: Coroutine[Any, Any, R]) -> "Future[R]":
        """
        Run a coroutine in the thread.

        Raises:
            CommandError: the thread has ended, or it is the one that asks.
        """
        loop = self._loop
        if loop is None or loop.is_closed():
            coroutine.close()
            raise CommandError("the feed has stopped")
        return asyncio.run_coroutine_threadsafe(coroutine, loop)

    def call(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Run a coroutine in the thread, and wait for what it gives; as :meth:`submit`."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise CommandError(
                "the feed's own thread can't wait for itself: use the asynchronous feed"
            )
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # whoever interrupts the test doesn't leave it behind
            raise

    async def bridge(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Run a coroutine in the thread, and await what it gives in another event loop, of asyncio or trio."""
        __tracebackhide__ = True
        future = self.submit(_plainly(coroutine))
        if (trio := _trio()) is None:
            return await asyncio.wrap_future(future)
        try:
            found: R = await trio.to_thread.run_sync(future.result, abandon_on_cancel=True)
        except BaseException:
            future.cancel()
            raise
        return found

    def end(self) -> None:
        """
        End the loop, and the thread.

        Raises:
            CommandError: something in it doesn't end; the message says what.
        """
        if self._loop is None or self._loop.is_closed():
            return
        loop = self._loop
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(_PATIENCE_S)
        if self._thread.is_alive():
            tasks = ", ".join(sorted(task.get_name() for task in asyncio.all_tasks(loop)))
            raise CommandError(
                f"the feed didn't stop within {_PATIENCE_S:g} s; still running: {tasks}"
            )

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._loop.call_soon(self._ready.set)
            self._loop.run_forever()


def in_a_coroutine() -> bool:
    """Tell whether an event loop of asyncio waits for us; that of Playwright's synchronous API runs, but doesn't wait."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


async def _plainly(coroutine: Coroutine[Any, Any, R]) -> R:
    """As :func:`feeds.errors.plainly`, of what is awaited."""
    __tracebackhide__ = True
    try:
        return await coroutine
    except (FeedError, AssertionError) as error:
        raise error.with_traceback(None) from None


def _trio() -> Any:
    """Give trio where it runs the coroutine that asks. It isn't imported: whoever runs it has."""
    trio = sys.modules.get("trio")
    if trio is not None:
        with suppress(RuntimeError):
            trio.lowlevel.current_trio_token()
            return trio
    return None
