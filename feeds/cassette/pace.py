"""When a recording is played: at its own pace, as fast as it is read, or on command."""

import asyncio
import heapq
import math
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Protocol

from feeds.clock import parse_speed
from feeds.errors import ConfigError

__all__ = ["ManualPace", "MaxPace", "Pace", "ScaledPace", "parse_timing"]


class Pace(Protocol):
    """
    What players wait with.

    A player that isn't in one of these waits is at work, from :meth:`enter` to :meth:`leave`.
    """

    def now(self) -> float:
        """Give the time in seconds of the tape, from any origin."""

    async def until(self, due: float, news: asyncio.Event) -> None:
        """Wait until a time, or for news."""

    async def idle(self, news: asyncio.Event) -> None:
        """Wait for news."""

    def tell(self, news: asyncio.Event) -> None:
        """Set an event that a player may be waiting for; it is at work from then on."""

    def enter(self) -> None:
        """Count a player in."""

    def leave(self) -> None:
        """Count a player out."""


class ScaledPace:
    """
    The pace of the tape, or so many times as fast.

    Args:
        speed: seconds of the tape in a second.
        seconds: gives real seconds, from any origin.
    """

    def __init__(self, speed: float = 1.0, seconds: Callable[[], float] = time.monotonic) -> None:
        self._speed, self._seconds = speed, seconds

    def now(self) -> float:
        return self._seconds() * self._speed

    async def until(self, due: float, news: asyncio.Event) -> None:
        wait = (due - self.now()) / self._speed
        if wait > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await news.wait()

    async def idle(self, news: asyncio.Event) -> None:
        await news.wait()

    def tell(self, news: asyncio.Event) -> None:
        news.set()

    def enter(self) -> None:
        pass

    def leave(self) -> None:
        pass


class MaxPace(ScaledPace):
    """No pauses: what comes next is sent when the client has read enough of what came before."""

    def now(self) -> float:
        return math.inf


class ManualPace:
    """Time that stands still until :meth:`advance`."""

    def __init__(self) -> None:
        self._now = 0.0
        self._order = count()
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._told: dict[asyncio.Event, asyncio.Future[None]] = {}
        self._busy = 0
        self._settled = asyncio.Event()
        self._settled.set()

    def now(self) -> float:
        return self._now

    async def advance(self, by: float) -> None:
        """
        Move the time on by so many seconds; returns when all that was due is written to clients that read.

        Raises:
            ValueError: time doesn't go back.
        """
        if not by >= 0:
            raise ValueError(f"time can't be moved by {by} s: it doesn't go back")
        end = self._now + by
        await self._settled.wait()
        while self._waiting and self._waiting[0][0] <= end:
            due, _, future = heapq.heappop(self._waiting)
            self._now, before = due, self._now
            if self._wake(future):
                await self._settled.wait()
            else:
                self._now = before
        self._now = end

    async def until(self, due: float, news: asyncio.Event) -> None:
        if due > self._now:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            heapq.heappush(self._waiting, (due, next(self._order), future))
            await self._wait(future, news)

    async def idle(self, news: asyncio.Event) -> None:
        await self._wait(asyncio.get_running_loop().create_future(), news)

    async def _wait(self, future: asyncio.Future[None], news: asyncio.Event) -> None:
        if news.is_set():
            return
        self.leave()
        self._told[news] = future
        try:
            await future
        finally:
            del self._told[news]
            if future.cancelled():  # otherwise whoever woke it has counted it already
                self._work()

    def tell(self, news: asyncio.Event) -> None:
        news.set()
        if news in self._told:
            self._wake(self._told[news])

    def _wake(self, future: asyncio.Future[None]) -> bool:
        if future.done():
            return False
        self._work()
        future.set_result(None)
        return True

    def enter(self) -> None:
        self._work()

    def _work(self) -> None:
        self._busy += 1
        self._settled.clear()

    def leave(self) -> None:
        self._busy -= 1
        if not self._busy:
            self._settled.set()


def parse_timing(text: str) -> Pace:
    """
    Make the pace that a user asked for: ``original``, ``xN``, ``max`` or ``manual``.

    Raises:
        ConfigError: there is no such one.
    """
    if text == "original":
        return ScaledPace()
    if text == "max":
        return MaxPace()
    if text == "manual":
        return ManualPace()
    if (speed := parse_speed(text)) is not None:
        return ScaledPace(speed)
    raise ConfigError(
        f"unknown timing {text!r}; original, max, manual, and xN with N up to 100000, such as x10, are allowed"
    )
