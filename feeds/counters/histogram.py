"""
Histograms that cost next to nothing to fill: plain lists where things happen, Prometheus's shape when somebody asks.

Bounds are inclusive upper bounds, as in Prometheus; values above the last one are counted apart.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

__all__ = ["AgeHistogram", "Histogram"]

_MOST_ASIDE = 1_000
"""Batches that are laid aside before they are counted; twice what turns each half a millisecond leave between two looks of the pulse."""

_SHORT = 32  # events of a batch


class Histogram:
    """
    How many values there were up to each bound, and their sum.

    Args:
        bounds: the upper bounds, rising.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        """By bucket; the last is for what is over every bound."""
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value. About 0.2 us."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def observe_all(self, values: Iterable[float]) -> None:
        """Count some values."""
        for value in values:
            self.observe(value)

    def cumulative(self) -> list[int]:
        """Give for each bound how many values were at or below it, then how many there were at all."""
        return list(accumulate(self.counts))


class AgeHistogram:
    """
    How old events were when they were written, every one of them.

    In a turn, the batch's times are only laid aside. They are counted later, when somebody asks or calls
    :meth:`count_up`: numpy's code is then in the cache, while a turn would have to fetch it again. Times of a batch never
    go back, so a bound's count is a matter of bisection, and ten events cost as much as a thousand.

    Args:
        bounds: the upper bounds in real seconds, rising.
        speed: how many of the events' seconds a real second has.
    """

    __slots__ = ("_ages_us", "_aside", "_count", "_edges", "_over", "_speed", "bounds")

    def __init__(self, bounds: Sequence[float], speed: float = 1.0) -> None:
        self.bounds = tuple(bounds)
        self._speed = speed
        self._edges = np.array([round(-bound * speed * 1e6) for bound in bounds], dtype=np.int64)
        self._over: NDArray[np.int64] = np.zeros(len(bounds), dtype=np.int64)
        """By bound, how many events were older."""
        self._count = self._ages_us = 0
        self._aside: list[tuple[NDArray[np.int64], int]] = []

    def observe(self, times_us: NDArray[np.int64], now_us: int) -> None:
        """Take the times of a batch, which never go back, and the time at which it was written. About 0.1 us."""
        self._aside.append((times_us, now_us))
        if len(self._aside) >= _MOST_ASIDE:
            self.count_up()

    def count_up(self) -> None:
        """Count what was laid aside. About 3 us a batch, and 1 ns an event; a tenth of that for short batches, which there may be many of."""
        short = [batch for batch in self._aside if len(batch[0]) <= _SHORT]
        if short:
            times = [times_us for times_us, _ in short]
            nows = np.repeat([now_us for _, now_us in short], [len(each) for each in times])
            self._count_ages(np.sort(np.concatenate(times) - nows))
        for times_us, now_us in self._aside:
            if len(times_us) > _SHORT:
                self._count_ages(times_us - now_us)
        self._aside.clear()

    def _count_ages(self, ages: NDArray[np.int64]) -> None:
        """Count some ages, below zero and rising."""
        self._over += ages.searchsorted(self._edges)
        self._ages_us -= int(ages.sum())
        self._count += len(ages)

    @property
    def sum(self) -> float:
        """All ages together, in real seconds."""
        self.count_up()
        return self._ages_us / self._speed / 1e6

    def cumulative(self) -> list[int]:
        """Give for each bound how many events were at most so old, then how many there were at all."""
        self.count_up()
        return [*(self._count - self._over).tolist(), self._count]
