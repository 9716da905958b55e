"""
Where answers are made: one after the other, so that the event loop keeps running however many are asked for at once.

Long answers queue separately, and only one of them at a time is at the desk. So a small request waits for one piece of a long
answer at most, however many of these there are.
"""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType

from feeds.engine.pump import Pump

__all__ = ["MOST_S", "Desk", "InTurn", "Queue"]

MOST_S = 0.005
"""Seconds of making answers after which everything else has its turn."""


class InTurn:
    """Something that one has at a time, first come, first served: ``async with it:``."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        try:
            await self._begin()
        except BaseException:
            self._lock.release()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._end()
        finally:
            self._lock.release()

    async def _begin(self) -> None:
        """Do what comes first, for whoever has it now."""

    async def _end(self) -> None:
        """Do what comes last; nobody else has it until then."""


class Desk(InTurn):
    """
    Held by whoever makes an answer, between turns, without awaiting in it: ``async with desk:``, or ``async with desk.long:``.

    While the desk is free, that costs about a microsecond and doesn't suspend.

    Args:
        pump: tells when no turn is under way.
        timer: gives seconds, from any origin.
    """

    def __init__(self, pump: Pump, timer: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self._pump, self._timer = pump, timer
        self._began = self._spent_s = 0.0
        self.long = Queue(self)
        """For the pieces of long answers."""

    async def _begin(self) -> None:
        await self._pump.between_turns()
        self._began = self._timer()

    async def _end(self) -> None:
        self._spent_s += self._timer() - self._began
        if self._spent_s >= MOST_S:
            self._spent_s = 0.0
            await asyncio.sleep(0)  # nobody else begins in this pass of the loop


class Queue(InTurn):
    """Those who want much of a desk, of whom one at a time goes there."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    async def _begin(self) -> None:
        await self._desk.__aenter__()

    async def _end(self) -> None:
        await self._desk.__aexit__(None, None, None)
