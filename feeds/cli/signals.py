"""SIGINT and SIGTERM: the first asks the server to stop, a second one ends the process at once."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["ECHO_S", "SIGNALS", "Stopper", "first", "signals", "stopping"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)

ECHO_S = 0.1
"""
A signal that comes this soon after the first, in seconds, is its echo: ``timeout(1)`` and some supervisors send theirs
to the process and to its group, and mean one.
"""


class Stopper:
    """
    What to do on a signal.

    Args:
        stop: called on the first; asks for an orderly end.
        leave: called with the exit code on a second; ends the process.
        timer: gives seconds, from any origin.
    """

    def __init__(
        self,
        stop: Callable[[], object],
        leave: Callable[[int], object] = os._exit,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stop, self._leave, self._timer = stop, leave, timer
        self._asked: float | None = None

    def __call__(self, number: int, _: FrameType | None = None) -> None:
        now = self._timer()
        if self._asked is None:
            self._asked = now
            self._stop()
        elif now - self._asked > ECHO_S:
            self._leave(128 + number)


@contextmanager
def signals(stop: Callable[[], object]) -> Iterator[None]:
    """
    Call *stop* on the first signal, and exit with 128 plus its number (130, 143) on a second one.

    Not by the event loop's own handlers: while a turn keeps the loop busy for ever, these would never be called.
    """
    stopper = Stopper(stop)
    before = {number: signal.signal(number, stopper) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stopping() -> Iterator[asyncio.Event]:
    """Give an event of the running event loop that the first signal sets; as :func:`signals`."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    with signals(lambda: loop.call_soon_threadsafe(stop.set)):
        yield stop


async def first(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when one of several is over, however it ended; the others are cancelled."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
