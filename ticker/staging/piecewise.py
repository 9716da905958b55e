"""Piecewise linear functions of time: how a scenario raises and lowers what it changes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["PiecewiseLinear"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


class PiecewiseLinear:
    """
    A function of time: straight lines between points.

    Args:
        points: seconds and values, in the order of time; where two have the same time, it jumps. At least one.
        at_us: the time that seconds count from, in microseconds.
        before: the value before the first point.
        after: the value after the last point; None: that of the last one.
    """

    def __init__(
        self,
        points: Sequence[tuple[float, float]],
        at_us: int,
        *,
        before: float,
        after: float | None = None,
    ) -> None:
        last = points[-1][1] if after is None else after
        times = [at_us + round(seconds * 1e6) for seconds, _ in points]
        # With a jump to the first value and one from the last.
        self._time = np.array([times[0], *times, times[-1]], dtype=np.int64)
        self._value = np.array([before, *(value for _, value in points), last], dtype=np.float64)
        width = np.diff(self._time)
        middle = (self._value[1:] + self._value[:-1]) / 2 - before
        self._area = np.concatenate(([0.0], np.cumsum(middle * width / 1e6)))
        self._before, self._after = before, last
        self._width = np.maximum(1, width)
        self.start_us, self.end_us = times[0], times[-1]

    def at(self, time: I64) -> F64:
        """Give the values at some times, the same bits on every machine."""
        left, share = self._find(time)
        value: F64 = self._value[left] + (self._value[left + 1] - self._value[left]) * share
        value = np.where(time < self.start_us, self._before, value)
        return np.where(time >= self.end_us, self._after, value)

    def area(self, time: I64) -> F64:
        """Give the integral over seconds of what the value is above that before the first point, up to some times."""
        time = np.clip(time, self.start_us, self.end_us)
        left, share = self._find(time)
        begin = self._value[left] - self._before
        end = begin + (self._value[left + 1] - self._value[left]) * share
        area: F64 = self._area[left] + (begin + end) / 2 * (time - self._time[left]) / 1e6
        return area

    def _find(self, time: I64) -> tuple[NDArray[np.intp], F64]:
        left = np.searchsorted(self._time, time, "right") - 1
        left = np.clip(left, 0, len(self._time) - 2)
        return left, np.clip((time - self._time[left]) / self._width[left], 0.0, 1.0)
