"""
Taking: what the trades of a block over which something is laid leave of its quotes.

By the rule of :mod:`ticker.generator.touch`, and where nothing was laid over the walk, to the same. But a trade that a play adds takes
from the walk's quotes, and a price that a play moves is the walk's no more. So this goes by what trades and quotes are in the end, one
side after the other: what isn't right behind a trade is a fresh quote, and what is behind one is that, less what was taken. What is scripted is taken at its word: such a trade takes nothing, and from such a quote nothing is taken.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, TickBatch
from ticker.generator.touch import latest
from ticker.ladder import Ladders
from ticker.processes.mix import mix_of
from ticker.randomness.draws import BLOCK_LOTS
from ticker.rows import SCRIPT, WALK, grouped
from ticker.script import MAX_SIZE
from ticker.universe import Universe

__all__ = ["Shown", "Taking"]

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shown:
    """The standing quotes, shape (2, symbols) each: bids, then asks."""

    price: I64
    """Ticks."""
    size: I64
    """Shares."""
    made: I64
    """The prices of the newest that aren't behind trades."""
    walk: I64
    """The prices and sizes of the walk's newest quotes, shape (4, symbols)."""
    scripted: Flags
    """Whether they are scripted, shape (symbols,): from these nothing is taken."""

    @classmethod
    def of(cls, standing: I64) -> "Shown":
        """Begin with the walk's quotes: bids, their sizes, asks, and theirs, shape (4, symbols)."""
        price, size = standing[::2].copy(), standing[1::2].copy()
        walk = np.concatenate((price, size))
        return cls(price, size, price, walk, np.zeros(price.shape[1], dtype=bool))

    def settled(self) -> bool:
        """Tell whether the walk's quotes stand everywhere, as it made them."""
        same = (self.walk == np.concatenate((self.price, self.size))).all()
        return bool(same and not self.scripted.any())

    def after(self, batch: TickBatch, behind: Flags) -> "Shown":
        """Give what stands after the walk's own events, of which some are quotes ``behind`` trades, if it was settled."""
        rows = np.flatnonzero(batch.channel == QUOTES)
        symbol, walk = batch.symbol[rows], self.walk.copy()
        for row, column in enumerate((batch.price, batch.ask, batch.size, batch.ask_size)):
            walk[row, symbol] = column[rows]
        fresh, made = rows[~behind[rows]], self.made.copy()
        made[:, batch.symbol[fresh]] = batch.price[fresh], batch.ask[fresh]
        return Shown(walk[:2], walk[2:], made, walk, self.scripted)


class _Rows:
    """The trades and quotes of a block, in symbol order."""

    def __init__(
        self,
        batch: TickBatch,
        origin: NDArray[np.uint8],
        behind: Flags,
        lot: I64,
        shown: Shown,
    ) -> None:
        rows = np.flatnonzero(batch.channel <= QUOTES)
        order, first = grouped(batch.symbol[rows], len(lot))
        self.at = rows[order]
        self.symbol = batch.symbol[self.at].astype(np.int64)
        self.first: I64 = first[self.symbol]
        """The first row of each one's symbol."""
        self.lot = lot[self.symbol]
        self.quote: Flags = batch.channel[self.at] == QUOTES
        self.price = np.stack((batch.price[self.at], batch.ask[self.at]))
        self.size = np.stack((batch.size[self.at], batch.ask_size[self.at]))
        script, self.walk = (origin[self.at] == source for source in (SCRIPT, WALK))
        # A mark is that of an auction's print by now: others come later.
        aside = script | (self.price[1] != 0) | (self.size[0] >= BLOCK_LOTS * self.lot)
        newest, row = latest(self.quote), np.arange(len(self.at))
        before = np.where(row > self.first, newest[row - 1], -1)
        own = before >= self.first
        scripted = np.where(own, script[before], shown.scripted[self.symbol])
        self.takes: Flags = ~self.quote & ~aside & ~scripted
        """Which are trades that take what they meet."""
        self.behind: Flags = behind[self.at] & ~scripted
        self.script: Flags = script
        self.fresh: Flags = self.quote & ~self.behind
        """Which are quotes that aren't right behind a trade."""
        self.level = latest(self.fresh)
        """The newest of these; where ``mine`` says so, it is of an earlier block."""
        self.mine: Flags = self.level >= self.first


class Taking:
    """
    Takes trades off quotes.

    Args:
        universe: what is traded.
        seed: the market's.
        trade_share: the fraction of events that are trades.
        cents: whether prices from a dollar on are whole cents.
    """

    def __init__(self, universe: Universe, seed: int, trade_share: float, *, cents: bool) -> None:
        self._ladders = Ladders(seed, universe, cents=cents)
        self._lot = universe.column("round_lot").astype(np.int64)
        self._takes = mix_of(trade_share).followed

    def take(
        self, batch: TickBatch, origin: NDArray[np.uint8], behind: Flags, shown: Shown
    ) -> tuple[TickBatch, Shown]:
        """
        Give the events of a block with what trades take taken, and what stands at its end.

        Args:
            batch: all events, without numbers; trades that auctions made have their marks.
            origin: where each is from.
            behind: which are quotes right behind trades.
            shown: what stands before it.
        """
        rows = _Rows(batch, origin, behind, self._lot, shown)
        if not len(rows.at):
            return batch, shown
        price, size = rows.price.copy(), rows.size.copy()
        for side in (0, 1):
            most = self._side(rows, side, shown, price, size)
            size[0] = np.where(rows.quote, size[0], np.minimum(size[0], most))
        columns = [batch.price.copy(), batch.ask.copy(), batch.size.copy(), batch.ask_size.copy()]
        for column, values in zip(columns, (*price, *size), strict=True):
            column[rows.at] = values
        out = replace(batch, price=columns[0], ask=columns[1], size=columns[2], ask_size=columns[3])
        return out, self._after(rows, shown, price, size)

    def _side(self, rows: _Rows, side: int, shown: Shown, price: I64, size: I64) -> I64:
        """Enter what trades leave of a side into ``price`` and ``size``, and give the largest that each trade can be."""
        symbol, level, mine = rows.symbol, rows.level, rows.mine
        best = np.where(mine, rows.price[side][level], shown.made[side][symbol])
        over = ~mine & (shown.price[side] != shown.made[side])[symbol]  # gone when the block began
        begun = np.where(mine, rows.size[side][level], shown.size[side][symbol])
        at = rows.takes & (rows.price[0] == best)
        lots = -(-rows.size[0] // rows.lot) if self._takes else np.zeros_like(symbol)
        # There is no level below the lowest price.
        taken = np.where(at & ((side == 1) | (best > 1)), lots * rows.lot, 0)
        sums = np.concatenate(([0], np.cumsum(taken)))
        used = sums[1:] - np.where(mine, sums[level], sums[rows.first])
        left = begun // rows.lot * rows.lot - used
        gone = over | ((used > 0) & (left < rows.lot))
        price[side] = np.where(rows.behind, best, price[side])
        size[side] = np.where(rows.behind, np.where(used > 0, left, begun), size[side])
        ends = np.flatnonzero(rows.behind & gone)
        price[side, ends] = self._next(symbol[ends], side, best[ends])
        # Its size is that of the first quote without the level, if need be in an earlier block.
        key = np.where(mine, level, -1 - symbol)[ends]
        first = np.diff(key, prepend=-(1 << 62)) != 0
        since = ends[latest(first)]
        here = ~over[ends]
        size[side, ends] = np.where(here, rows.size[side][since], shown.size[side][symbol[ends]])
        before = np.where(used > taken, left + taken, begun)
        fits: I64 = np.where(at & ~over & (before >= np.minimum(begun, rows.lot)), before, MAX_SIZE)
        return fits

    def _next(self, symbol: I64, side: int, best: I64) -> I64:
        price = self._ladders.behind(symbol, np.full(len(symbol), side), best)
        return np.where(price < 1, np.maximum(1, best - 1), price)

    def _after(self, rows: _Rows, shown: Shown, price: I64, size: I64) -> Shown:
        """Give what stands at the end."""
        columns = shown.price.copy(), shown.size.copy(), shown.made.copy(), shown.walk.copy()
        after = Shown(*columns, shown.scripted.copy())
        symbol = rows.symbol[rows.quote]  # where one repeats, the last one stays
        after.price[:, symbol], after.size[:, symbol] = price[:, rows.quote], size[:, rows.quote]
        after.scripted[symbol] = rows.script[rows.quote]
        after.made[:, rows.symbol[rows.fresh]] = rows.price[:, rows.fresh]
        walk = rows.quote & rows.walk
        made = np.concatenate((rows.price[:, walk], rows.size[:, walk]))
        after.walk[:, rows.symbol[walk]] = made
        return after
