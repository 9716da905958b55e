"""Throttles for what is done in turns, but not in each of them; the pauses of a turn, and what had better wait for more."""

import asyncio

from feeds.clock import Clock
from feeds.counters.stats import HubStats

__all__ = ["Gathering", "Pauses", "Throttle"]

_FEW = 16
"""Writes that cost less than everything else in a turn."""
_APART_S = 1 / 800
_AT_ONCE = 8  # turns that may be closer together, after a time with few


class Throttle:
    """
    Keeps what was done from being done again for some time.

    Args:
        clock: tells the time. One without a pace throttles nothing: a turn is what somebody asked for.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = clock.seconds()

    def passes(self, seconds: float) -> bool:
        """Tell whether it is time again; if so, it isn't for so many seconds."""
        now = self._clock.seconds()
        if self._clock.speed and now < self._until:
            return False
        self._until = now + seconds
        return True


class Gathering:
    """
    Lets turns that write to few connections be 800 a second at most, on average, so that more events share one.

    What every turn costs is most of what such a turn costs. Some may come one right after the other: the generic cell rate
    algorithm, ITU-T I.371.

    Args:
        stats: counts writes.
        speed: market seconds a real second.
    """

    def __init__(self, stats: HubStats, speed: float) -> None:
        self._stats, self._seen = stats, 0
        self._apart_us = _APART_S * speed * 1e6
        self._expected_us = 0.0  # the next turn, if they were all as far apart as that

    def due_us(self, next_us: int, turned_us: int) -> int:
        """
        Give the market's time from which on a turn is worth while; asked after each turn.

        Args:
            next_us: the time of the next event.
            turned_us: the time of the last turn.
        """
        seen, self._seen = self._seen, self._stats.writes
        if not 0 < self._seen - seen < _FEW:  # one without any tells nothing
            return next_us
        self._expected_us = max(self._expected_us, turned_us) + self._apart_us
        return max(next_us, int(self._expected_us - _AT_ONCE * self._apart_us))


class Pauses:
    """
    The pauses of turns, in which the event loop runs.

    Who cancels a turn breaks it off between two steps of the market: what this one gave goes to everybody, and once. From there
    on nothing pauses.
    """

    def __init__(self) -> None:
        self._cancelled: asyncio.CancelledError | None = None

    async def __call__(self) -> None:
        """Let the event loop run."""
        if self._cancelled is None:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError as error:
                self._cancelled = error

    def end(self) -> None:
        """Note that everything was written; raises what the turn was cancelled with, if it was."""
        cancelled, self._cancelled = self._cancelled, None
        if cancelled is not None:
            raise cancelled
