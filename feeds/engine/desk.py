"""
Where answers are made: one after the other, so that the event loop keeps running however many are asked for at once.

Long answers queue separately, and only one of them at a time is at the desk. So a small request waits for one piece of a long
answer at most, however many of these there are.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from feeds.engine.pump import Pump

__all__ = ["MOST_S", "Desk"]

MOST_S = 0.005
"""Seconds of making answers after which everything else has its turn."""


class Desk:
    """
    Held by whoever makes an answer, between turns, without awaiting in it: ``async with desk:``, or ``async with desk.long():``.

    First come, first served. While the desk is free, that costs about a microsecond and doesn't suspend.

    Args:
        pump: tells when no turn is under way.
        timer: gives seconds, from any origin.
    """

    def __init__(self, pump: Pump, timer: Callable[[], float] = time.perf_counter) -> None:
        self._pump, self._timer = pump, timer
        self._lock, self._line = asyncio.Lock(), asyncio.Lock()
        self._began = self._spent_s = 0.0

    @asynccontextmanager
    async def long(self) -> AsyncIterator[None]:
        """Hold it for a piece of a long answer."""
        async with self._line, self:
            yield

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        try:
            await self._pump.between_turns()
        except BaseException:
            self._lock.release()
            raise
        self._began = self._timer()

    async def __aexit__(self, *_: object) -> None:
        self._spent_s += self._timer() - self._began
        try:
            if self._spent_s >= MOST_S:
                self._spent_s = 0.0
                # Held all the while, so that nobody else begins in this pass of the loop.
                await asyncio.sleep(0)
        finally:
            self._lock.release()
