"""Spans: bars that can be refined, as a struct of arrays, and the random draws that this takes."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ticker.noise import halves

__all__ = ["Spans", "halved"]

I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spans:
    """Stretches of time, with what was traded in them; prices in ticks. All columns are of one shape."""

    start: I64
    """Unix time, in seconds."""
    open: I64
    high: I64
    low: I64
    close: I64
    volume: I64
    """Shares."""
    trades: I64
    """How many; where it is 0, the prices mean nothing."""
    high_at: I64
    """The number of the trade, from 0, at the highest price."""
    low_at: I64
    """The number of the trade, from 0, at the lowest price."""

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> "Spans":
        """Give some of them."""
        return Spans(*(getattr(self, f.name)[rows] for f in fields(self)))

    def flat(self) -> "Spans":
        """Give them one after the other."""
        return Spans(*(getattr(self, f.name).ravel() for f in fields(self)))


def halved(words: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Turn two words a part, shape (..., 2), into eight draws a part: shape (8, ...)."""
    draws = halves(words)
    return np.moveaxis(draws.reshape(*words.shape[:-1], 8), -1, 0)
