"""The minutes and seconds of what is longer: refined when somebody asks, one symbol at a time (:mod:`ticker.backfill.refine`)."""

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.days import Days
from ticker.backfill.intraday import Mood
from ticker.backfill.refine import refine, share_out
from ticker.backfill.spans import Spans, halved
from ticker.randomness.draws import exp
from ticker.randomness.noise import EXPONENTIAL_ONE, Stream, bits, exponentials
from ticker.universe import Universe

__all__ = ["MINUTE_S", "Shorter"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
Draws = NDArray[np.uint16]

MINUTE_S = 60

_UNEVEN = {MINUTE_S: 0.25, 1: 1.0}
"""Relative deviation of the trades of one part from those of another, beside all else, by length."""
_WALKS = {MINUTE_S: 48, 1: 12}
"""How many walks there are to choose from: as many as returns need to know nothing of those before, to 2 %."""


class Shorter:
    """
    Makes minutes of five minutes, and seconds of minutes.

    Args:
        seed: the market's seed.
        universe: what is traded.
        days: tells how much happens when.
        wild: how much the volatility changes; 1: as that of the full model, 0: not at all.
    """

    def __init__(self, seed: int, universe: Universe, days: Days, wild: float) -> None:
        self._days = days
        self._keys = {n: Stream(seed, f"past.{n}", universe.symbols).keys for n in _WALKS}
        self._mood = Mood(seed, universe, MINUTE_S, wild)

    def parts(self, symbol: int, spans: Spans, longer: int, shorter: int) -> Spans:
        """Refine intervals, each with a trade, to shorter ones; give those that have one."""
        start = spans.start[:, None] + np.arange(0, longer, shorter)
        draws = self._draws(symbol, start, shorter, 1 + _WALKS[shorter])
        weights, level = self._weights(start, shorter, draws)
        wild, news = None, None
        if shorter == MINUTE_S:
            wild = self._days.variance(start, shorter) * level * level
            number: U64 = (start // shorter).astype(np.uint64)
            news = self._mood.news(np.full(len(start), symbol), number)
        edges = share_out(spans.trades, weights, draws[3, :, 0] / 65536)
        parts = refine(spans, start, edges, draws, wild, news).flat()
        return parts.take(parts.trades > 0)

    def weights(self, symbol: int, start: I64, length: int) -> F64:
        """Tell how much of what is longer happens in some parts."""
        return self._weights(start, length, self._draws(symbol, start, length, 1))[0]

    def _draws(self, symbol: int, start: I64, length: int, words: int) -> Draws:
        """Draw the first words of each part: shape (4 * words, n, parts)."""
        number: U64 = (start // length).astype(np.uint64)
        first = number[..., None] * np.uint64(1 + _WALKS[length])
        counter: U64 = first + np.arange(words).astype(np.uint64)
        return halved(bits(self._keys[length][symbol : symbol + 1], counter))

    def _weights(self, start: I64, length: int, draws: Draws) -> tuple[F64, F64]:
        """Tell how much happens in some parts, and how volatile they are, relative to others."""
        uneven = 1 + _UNEVEN[length] * (exponentials(draws[0]) / EXPONENTIAL_ONE - 1)
        level = np.ones(start.shape)
        weights = self._days.busy(start, length) * uneven
        if length == MINUTE_S:
            level = exp(self._mood.level((start // length).astype(np.uint64), draws[2]))
            weights *= level
        return weights, level
