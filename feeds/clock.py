"""
Clocks: where the market's time comes from. Injected, never read from the system elsewhere.

=========== ==================================================================
``wall``    the market's time is the time of day
``x10``     the market's time runs ten times as fast (any number: ``x0.5``)
``max``     as fast as clients read: a turn follows a turn
``manual``  time stands until somebody moves it
=========== ==================================================================
"""

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from feeds.awake import PAUSE_S, Awake
from feeds.errors import ConfigError
from feeds.timer import Timer
from ticker.market import DEFAULT_START_US

__all__ = [
    "Clock",
    "ManualClock",
    "MaxClock",
    "ScaledClock",
    "parse_clock",
    "parse_speed",
]

_TURNS = 3.0  # between two looks, where they are long

_SHORTEST = 0.1  # of the pace of turns, from one to the next, where something is due
_SHORTEST_S = 0.0005
_PAST_US = 2  # a turn gives what is before its time


class Clock(Protocol):
    """Where the pump gets the market's time from."""

    name: str
    """The clock's name on the command line."""
    start_us: int
    """The market's time at the start: a whole second, in microseconds."""
    speed: float
    """Market seconds a real second; 0: the market's time has no pace."""
    turn_s: float
    """The pace of turns, in real seconds; 0: they have none."""
    drains: bool
    """Whether a turn waits until every client has room, instead of conflating those that have none."""

    def seconds(self) -> float:
        """Give the time in which silence and progress are measured: seconds in which this process runs, from any origin."""
        ...

    def now_us(self) -> int | None:
        """Give the market's time in microseconds, or None: as far as the next turn's events go."""
        ...

    async def turn_over(self, share: float = 1.0, due_us: int | None = None) -> None:
        """
        Return when it is time for the next turn.

        Args:
            share: how much of a turn it is until then.
            due_us: the market's time from which on there is something for a turn to do. It may come as soon as that.
        """
        ...

    def close(self) -> None:
        """Give back what waiting needs; called when nobody waits."""
        ...


class ScaledClock:
    """
    The time of day, from the start on at a chosen speed.

    Turns keep a pace. Where something is due before, the turn comes when it is: but at least a tenth of the pace, and half a
    millisecond, after the one before began.

    Args:
        start_us: the market's time at the start; None: the current second.
        turn_s: the pace of turns, in real seconds.
        speed: market seconds a real second.
        monotonic: gives real seconds, from any origin.
        time_of_day: gives Unix time, in seconds.
        sleep: lets real seconds pass; None: as exactly as the system can.
    """

    drains = False

    def __init__(
        self,
        start_us: int | None,
        *,
        turn_s: float = 0.01,
        speed: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
        time_of_day: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self.name = "wall" if speed == 1 else f"x{speed:g}"
        self.speed = speed
        self.seconds = Awake(monotonic, max(PAUSE_S, _TURNS * turn_s))
        self.turn_s = turn_s
        self._monotonic = monotonic
        self._timer = Timer()
        self._sleep = sleep or self._timer.sleep
        self._started = self._next = self._turned = monotonic()
        begun = 0.0
        if start_us is None:
            begun, whole = math.modf(time_of_day())
            start_us = int(whole) * 1_000_000
        self.start_us = start_us
        # What has passed of the second counts as passed, so that the market's time is the time of day, not a bit less.
        self._started -= begun / speed

    def now_us(self) -> int:
        return self.start_us + int((self._monotonic() - self._started) * self.speed * 1e6)

    async def turn_over(self, share: float = 1.0, due_us: int | None = None) -> None:
        # Turns keep their pace: a late one shortens the next wait, but missed ones aren't made up for.
        now = self._monotonic()
        self._next = max(self._next + share * self.turn_s, now)
        if due_us is not None:
            due = self._started + (due_us + _PAST_US - self.start_us) / 1e6 / self.speed
            shortest = share * max(_SHORTEST_S, _SHORTEST * self.turn_s)
            self._next = min(self._next, max(due, self._turned + shortest, now))
        await self._sleep(self._next - now)
        self._turned = self._monotonic()

    def close(self) -> None:
        self._timer.close()


class MaxClock:
    """
    No waiting: the market's time is what its events need.

    Args:
        start_us: the market's time at the start.
        monotonic: gives real seconds, from any origin.
    """

    drains = True
    name = "max"
    speed = turn_s = 0.0

    def __init__(self, start_us: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.start_us = start_us
        self.seconds = Awake(monotonic)

    def now_us(self) -> None:
        return None

    async def turn_over(self, share: float = 1.0, due_us: int | None = None) -> None:
        await asyncio.sleep(0)

    def close(self) -> None:
        pass


class ManualClock:
    """
    Time that stands still until :meth:`advance`.

    Args:
        start_us: the market's time at the start.
    """

    drains = False
    name = "manual"
    speed = turn_s = 0.0

    def __init__(self, start_us: int) -> None:
        self._now_us = self.start_us = start_us
        self._moved = asyncio.Event()

    def seconds(self) -> float:
        return (self._now_us - self.start_us) / 1e6

    def now_us(self) -> int:
        return self._now_us

    def advance(self, by_us: int) -> None:
        """Move the time on; the next turn gives the events in between."""
        if by_us < 0:
            raise ValueError(f"time can't be moved by {by_us} µs: it doesn't go back")
        self._now_us += by_us
        self._moved.set()

    async def turn_over(self, share: float = 1.0, due_us: int | None = None) -> None:
        await self._moved.wait()
        self._moved.clear()

    def close(self) -> None:
        pass


def parse_speed(text: str) -> float | None:
    """Give the factor that ``xN`` is, with N up to 100,000, such as 10 for ``x10``; None: it isn't one."""
    match = re.fullmatch(r"x(\d+(?:\.\d+)?)", text)
    return float(match[1]) if match and 0 < float(match[1]) <= 100_000 else None


def parse_clock(text: str, start_us: int | None, turn_s: float) -> Clock:
    """
    Make the clock that a user asked for.

    Args:
        text: the clock's name.
        start_us: the market's time at the start; None: now, and for clocks without a pace of their own a fixed day,
            so that their streams are the same in every run.
        turn_s: the pace of turns, in real seconds.

    Raises:
        ConfigError: there is no such clock.
    """
    if text == "wall":
        return ScaledClock(start_us, turn_s=turn_s)
    if text == "max":
        return MaxClock(DEFAULT_START_US if start_us is None else start_us)
    if text == "manual":
        return ManualClock(DEFAULT_START_US if start_us is None else start_us)
    if (speed := parse_speed(text)) is not None:
        return ScaledClock(start_us, turn_s=turn_s, speed=speed)
    raise ConfigError(
        f"unknown clock {text!r}; the clocks are wall, manual, max, and xN with N up to 100000, such as x10"
    )
