"""What a pump notes: how long turns take, how old events are once they are written, and when the last turn was."""

import time
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from feeds.counters.histogram import AgeHistogram, Histogram

__all__ = ["LATENCY_BOUNDS", "TURN_BOUNDS", "Timing"]

TURN_BOUNDS = (
    *(0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
"""Of a turn's length, in seconds."""

LATENCY_BOUNDS = (
    *(0.000_5, 0.001, 0.002, 0.003, 0.005, 0.007_5, 0.01, 0.015),
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Of an event's age, in seconds. Finer where turns of 10 ms put it."""


class Timing:
    """
    The times of one pump, in real seconds whatever its clock.

    Args:
        speed: market seconds a real second; 0: the market's time has no pace, and events have no age.
        timer: gives real seconds, from any origin.
    """

    __slots__ = ("ages", "finished", "longest", "speed", "timer", "turns")

    def __init__(self, speed: float, timer: Callable[[], float] = time.monotonic) -> None:
        self.speed = speed
        self.timer = timer
        self.turns = Histogram(TURN_BOUNDS)
        """Of turns, how long they took."""
        self.ages = AgeHistogram(LATENCY_BOUNDS, speed or 1.0)
        """Of events, how long after their time they were written."""
        self.finished = timer()
        """When the last turn was over, or there was nothing to turn for."""
        self.longest = 0.0
        """The longest turn since somebody set this to 0, in seconds."""

    def turned(self, began: float) -> None:
        """Note a turn that is over now. About 0.3 us."""
        now = self.finished = self.timer()
        took = now - began
        self.turns.observe(took)
        if took > self.longest:
            self.longest = took

    def idle(self) -> None:
        """Note that there is nothing to turn for, which is no reason to worry."""
        self.finished = self.timer()

    def written(self, times: Iterable[NDArray[np.int64]], now_us: int | None) -> None:
        """Note that events are written now, at the market's time or None: it has no pace; ``times`` are theirs, in batches."""
        if now_us is None or not self.speed:
            return
        for some in times:
            if len(some):
                self.ages.observe(some, now_us)
