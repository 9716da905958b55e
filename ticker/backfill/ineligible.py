"""
Ineligible trades: those that move no last price, before the start of a market that tells them apart.

These are the odd lots of the regular sessions, and all that trades before and after those. A price's way needs nothing of them: they are
only counted, and their shares are. Days are drawn, hours have their part of a day's, and so on down to seconds, so what is shorter
sums up to what is longer, exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.prelude import moments, shares_of
from ticker.backfill.quoting import PLACE_BITS
from ticker.backfill.refine import share_out
from ticker.backfill.sizes import odd_sizes
from ticker.backfill.spans import halved
from ticker.randomness.draws import mean_trade_lots, poisson, trade_sizes
from ticker.randomness.noise import Stream, bits, halves
from ticker.universe import Universe

__all__ = ["Cells", "Ineligible"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Draws = NDArray[np.uint16]

_LENGTHS = (3_600, 300, 60, 1)
_DAY = 0


@dataclass(frozen=True, slots=True)
class Cells:
    """Stretches of time, with the ineligible trades in them. All columns are of one shape."""

    start: I64
    """Unix time, in seconds."""
    trades: I64
    shares: I64

    def take(self, rows: NDArray[np.bool_] | slice) -> "Cells":
        """Give some of them."""
        return Cells(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def join(cls, parts: "list[Cells]") -> "Cells":
        """Put some after each other; at least one."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


class Ineligible:
    """
    Trades of one kind.

    Args:
        seed: the market's seed.
        universe: what is traded.
        kind: names its random streams.
        rate: trades a second of the mean, by symbol.
        mean: shares of a trade, by symbol.
        weights: tells how much of what is longer happens in some parts, given a symbol, when each begins, and their length.
        odd: whether all of them are odd lots.
    """

    def __init__(
        self,
        seed: int,
        universe: Universe,
        kind: str,
        rate: F64,
        mean: F64,
        weights: Callable[[int, I64, int], F64],
        *,
        odd: bool,
    ) -> None:
        self._seed, self._universe, self._kind = seed, universe, kind
        self._rate, self._mean, self._odd, self._weights = rate, mean, odd, weights
        lots = universe.column("round_lot").astype(np.int64)
        self._most = np.maximum(1, lots - 1) if odd else np.full_like(lots, 1 << 30)
        self._days = Stream(seed, f"past.{kind}", universe.symbols).keys

    def days(self, symbols: I64, number: I64, start: I64, busy: F64) -> Cells:
        """
        Give some days of some symbols; symbols, days and what is said of them broadcast together.

        Args:
            symbols: whose.
            number: which days, since 1970.
            start: when each begins, in seconds.
            busy: how much happens in each, in seconds of the mean.
        """
        draws = halves(bits(self._days[symbols], number.astype(np.uint64))) / 65536
        trades = poisson(busy * self._rate[symbols], draws[..., 0] + 0.5 / 65536)
        size = self._mean[symbols] * (0.9 + 0.2 * draws[..., 1])
        shares = np.rint(trades * size).astype(np.int64)
        shares = np.clip(shares, trades, trades * self._most[symbols])
        return Cells(np.broadcast_to(start, trades.shape), trades, shares)

    def parts(self, symbol: int, cells: Cells, longer: int, shorter: int) -> Cells:
        """Give the parts of some cells of a symbol that have a trade."""
        cells = cells.take(cells.trades > 0)
        start = cells.start[:, None] + np.arange(0, longer, shorter)
        draws = halved(
            bits(self._key(shorter, symbol), (start // shorter).astype(np.uint64))[..., None]
        )
        weights = self._weights(symbol, start, shorter)
        count = np.diff(share_out(cells.trades, weights, draws[3, :, 0] / 65536), axis=1)
        mean = 100 * mean_trade_lots()
        sizes = np.where(count > 0, np.maximum(count - 1, 0) * mean + self._drawn(draws[1]), 0.0)
        shares = _bounded(cells.shares, count, sizes, int(self._most[symbol]))
        parts = Cells(start.ravel(), count.ravel(), shares.ravel())
        return parts.take(parts.trades > 0)

    def one_by_one(self, symbol: int, seconds: Cells) -> tuple[I64, I64]:
        """Give the times, in microseconds, and the sizes of the trades of some seconds of a symbol, in order."""
        number = np.arange(int(seconds.trades.max(initial=0)))
        there = number < seconds.trades[:, None]
        place = (seconds.start[:, None] << PLACE_BITS) + number
        draws = halved(bits(self._key(_DAY, symbol), place.astype(np.uint64))[..., None])
        time = moments(draws, seconds.start, there)
        sizes = np.where(there, self._drawn(draws[1]), 0)
        if self._odd:
            count, most = there.astype(np.int64), int(self._most[symbol])
            shares = _bounded(seconds.shares, count, sizes.astype(np.float64), most)
        elif len(number):
            shares = shares_of(seconds.shares, sizes, self._universe[symbol].round_lot)
        else:
            shares = sizes
        return time[there], shares[there]

    def _key(self, length: int, symbol: int) -> NDArray[np.uint64]:
        name = self._universe.symbols[symbol]
        return Stream(self._seed, f"past.{self._kind}.{length}", [name]).keys

    def _drawn(self, draws: Draws) -> I64:
        return odd_sizes(draws) if self._odd else trade_sizes()[draws]


def _bounded(shares: I64, count: I64, weights: F64, most: int) -> I64:
    """Share out shares by weights: one each trade at least, and so many at most; there is room for them."""
    middle = np.full(len(shares), 0.5)
    edges = share_out(shares - count.sum(axis=1), weights, middle)
    found = np.minimum(count + np.diff(edges, axis=1), count * most)
    left, room = shares - found.sum(axis=1), count * most - found
    before = np.cumsum(room, axis=1) - room
    filled: I64 = found + np.clip(left[:, None] - before, 0, room)
    return filled
