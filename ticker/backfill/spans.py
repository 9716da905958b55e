"""Spans: bars that can be refined, as a struct of arrays, and the random draws that this takes."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ticker.randomness.noise import halves

__all__ = ["Spans", "gathered", "halved"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


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
    variance: F64
    """Of the price from one trade to the next, in square ticks."""

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> "Spans":
        """Give some of them."""
        return Spans(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def join(cls, parts: "list[Spans]") -> "Spans":
        """Put flat ones after each other; at least one."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def flat(self) -> "Spans":
        """Give them one after the other."""
        return Spans(*(getattr(self, f.name).ravel() for f in fields(self)))


def gathered(spans: Spans, length: int) -> Spans:
    """Put spans, in the order of time and each with a trade, together to those of so many seconds that have one."""
    start = spans.start // length * length
    first = np.flatnonzero(np.diff(start, prepend=start[:1] - 1))
    last = np.append(first[1:], len(start))[: len(first)] - 1
    if not len(first):
        return spans
    return Spans(
        start[first],
        spans.open[first],
        np.maximum.reduceat(spans.high, first),
        np.minimum.reduceat(spans.low, first),
        spans.close[last],
        np.add.reduceat(spans.volume, first),
        np.add.reduceat(spans.trades, first),
        spans.variance[first],
    )


def halved(words: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Turn some words a part, shape (..., words), into four draws of each: shape (4 * words, ...)."""
    draws = halves(words)
    return np.moveaxis(draws.reshape(*words.shape[:-1], 4 * words.shape[-1]), -1, 0)
