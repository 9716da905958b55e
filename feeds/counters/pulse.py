"""The pulse of the event loop: how late it is; logs when that, or a turn, is slow."""

import asyncio
import logging
import time
from collections.abc import Callable

from feeds.counters.histogram import Histogram
from feeds.counters.timing import TURN_BOUNDS, Timing

__all__ = ["FAR_BEHIND_S", "LOOK_S", "QUIET_S", "Pulse"]

log = logging.getLogger("feeds")

LOOK_S = 0.25
"""Seconds from one look to the next."""

FAR_BEHIND_S = 1.0
"""So far behind its clock, in real seconds, a market can't keep up: longer than any hiccup."""

QUIET_S = 10.0
"""The least time between two warnings, in seconds."""


class Pulse:
    """
    Looks a few times a second how late the event loop is, and how long the longest turn was; has ages counted up.

    Args:
        timing: of the pump.
        slow_s: warn of turns and lateness above this, in seconds; 0: never.
        behind: gives how far the market is behind its clock, in real seconds.
    """

    def __init__(
        self, timing: Timing, slow_s: float, behind: Callable[[], float] = lambda: 0.0
    ) -> None:
        self.lag = Histogram(TURN_BOUNDS)
        """Of looks, how much later they came than they were due, in seconds."""
        self._timing, self._slow_s, self._behind = timing, slow_s, behind
        self._warned: float | None = None
        self._turn = self._late = 0.0

    async def run(self, timer: Callable[[], float] = time.monotonic) -> None:
        """Look until cancelled."""
        while True:
            due = timer() + LOOK_S
            await asyncio.sleep(LOOK_S)
            now = timer()
            self.look(max(0.0, now - due), now)

    def look(self, lag: float, now: float) -> None:
        """
        Take in one look.

        Args:
            lag: how late it came, in seconds.
            now: the time, in seconds from any origin.
        """
        self.lag.observe(lag)
        timing = self._timing
        timing.ages.count_up()
        # Where the market's time has no pace, a turn is as long as what was asked of it.
        self._turn = max(self._turn, timing.longest if timing.speed else 0.0)
        self._late = max(self._late, lag)
        timing.longest = 0.0
        if not self._slow_s or not self._is_slow():
            self._turn = self._late = 0.0
        elif self._warned is None or now - self._warned >= QUIET_S:
            self._warned = now
            log.warning(
                "slow: the longest turn took %.0f ms, and the event loop was up to %.0f ms late%s",
                self._turn * 1e3,
                self._late * 1e3,
                self._advice(),
            )
            self._turn = self._late = 0.0

    def _is_slow(self) -> bool:
        return max(self._turn, self._late) > self._slow_s or self._behind() > FAR_BEHIND_S

    def _advice(self) -> str:
        """Tell who can't keep up what would help; a hiccup is over by itself, and so is what a pause has left to do."""
        behind = self._behind()
        if behind <= FAR_BEHIND_S:
            return ""
        told = f"; the market is {behind:.1f} s behind its clock, "
        if self._late > behind / 2:
            return (
                f"{told}which it makes up for: this process stood still, or others had its CPU time"
            )
        return (
            f"{told}as it makes more events than there is CPU time for: "
            "lower --rate or --symbols, or slow --clock down"
        )
