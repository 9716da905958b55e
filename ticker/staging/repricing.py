"""
Repricing: what plays do to the walk's prices.

A quote's middle and its spread are multiplied by the plays' factors, on the tick grid; a trade keeps its place
inside the standing quote, which is that of the quote right behind it as well: what a trade leaves of a quote that was changed is for
:mod:`ticker.staging.taking` to say. Where nothing is played, every event stays exactly as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, TRADES, TickBatch
from ticker.processes.grid import CELL_US
from ticker.randomness.draws import exp
from ticker.rows import EXTRA, SCRIPT, WALK, grouped
from ticker.staging.play import ONE, Play

__all__ = ["Prices", "reprice"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Prices:
    """What stands, by symbol: pairs of bid and ask, shape (2, symbols), and levels, shape (symbols,)."""

    walk: I64
    """The walk's quote."""
    shown: I64
    """What plays made of it."""
    newest: I64
    """The newest quote as the walk would have made it, whether it is the walk's or scripted."""
    newest_shown: I64
    """The same as it went out."""
    level: I64
    """What plays that are over have left behind, and what was damped."""

    def copy(self) -> "Prices":
        """Give a copy, to go on from."""
        return replace(
            self,
            walk=self.walk.copy(),
            shown=self.shown.copy(),
            newest=self.newest.copy(),
            newest_shown=self.newest_shown.copy(),
            level=self.level.copy(),
        )

    def moved(self) -> Flags:
        """Tell which symbols a play that is over has left other than as the walk has them."""
        other: Flags = (self.level != 0) | (self.shown != self.walk).any(axis=0)
        return other

    @classmethod
    def of(cls, quote: I64) -> "Prices":
        """Begin with the walk's quotes."""
        level = np.zeros(quote.shape[1], dtype=np.int64)
        return cls(quote, quote, quote, quote, level).copy()

    def note(
        self, batch: TickBatch, origin: NDArray[np.uint8], behind: Flags, others: Flags
    ) -> None:
        """Enter the quotes of the symbols with which no play has anything to do, but for those ``behind`` trades."""
        quote = (batch.channel == QUOTES) & ~behind & others[batch.symbol]
        for rows, pairs in (
            (quote & (origin == WALK), (self.walk, self.shown)),
            (quote, (self.newest, self.newest_shown)),
        ):
            symbol = batch.symbol[rows]
            for pair in pairs:
                pair[:, symbol] = batch.price[rows], batch.ask[rows]


class _Rows:
    """The events of some symbols, in symbol order."""

    def __init__(
        self, batch: TickBatch, origin: NDArray[np.uint8], behind: Flags, touched: Flags
    ) -> None:
        rows = np.flatnonzero(touched[batch.symbol])
        order, self.first = grouped(batch.symbol[rows], len(touched))
        self.at = rows[order]
        self.symbol, self.time = batch.symbol[self.at], batch.time[self.at]
        self.price, self.ask = batch.price[self.at], batch.ask[self.at]
        origin = origin[self.at]
        self.walk, self.script, self.extra = (origin == o for o in (WALK, SCRIPT, EXTRA))
        self.behind = behind[self.at]
        self.quote = (batch.channel[self.at] == QUOTES) & ~self.behind
        self.trade = batch.channel[self.at] == TRADES
        self.present = np.flatnonzero(self.first[1:] > self.first[:-1])
        self.last = self.first[1:][self.present] - 1

    def standing(self, setter: Flags, pair: I64, before: I64) -> I64:
        """Give the pair that stands at each row, itself included, and enter that of the last one into ``before``."""
        row = np.maximum.accumulate(np.where(setter, np.arange(len(setter)), -1))
        fresh = row >= self.first[self.symbol]
        stands = np.where(fresh, pair[:, row], before[:, self.symbol])
        before[:, self.present] = stands[:, self.last]
        return stands

    def running(self, values: I64) -> I64:
        """Give sums from each symbol's first row on."""
        sums = np.cumsum(values)
        base = np.concatenate(([0], sums))[self.first[self.symbol]]
        return sums - base


def reprice(
    batch: TickBatch,
    origin: NDArray[np.uint8],
    behind: Flags,
    touched: Flags,
    prices: Prices,
    levels: Mapping[Play, tuple[int, I64]],
) -> None:
    """
    Change the prices of a batch, and what stands, in place.

    Args:
        batch: the events of a block; those of plays have places in the quote instead of prices.
        origin: where each is from.
        behind: which are quotes right behind trades.
        touched: the symbols with which plays have to do.
        prices: what stands before the block; afterwards, what stands at its end.
        levels: the number of a cell, counted from 1970, and the level of each play at its start and the end of each cell from there on.
    """
    rows = _Rows(batch, origin, behind, touched)
    level, widening = _level(rows, prices, levels)
    factor = np.where(level == 0, 1.0, exp(level / ONE))
    pair = np.stack((rows.price, rows.ask))
    script = rows.quote & rows.script
    # As the walk would have made what is scripted, so that what a play adds goes on from there.
    pair[:, script] = _scaled(pair[:, script], 1 / factor[script], np.ones(int(script.sum())))
    walk_quote = rows.quote & rows.walk
    walk = rows.standing(walk_quote, pair, prices.walk)
    newest = rows.standing(walk_quote | script, pair, prices.newest)
    extra = rows.quote & rows.extra
    pair[:, extra] = newest[:, extra] + rows.price[extra] * (newest[0, extra] > 1)
    pair[1, extra] += rows.ask[extra]
    pair = _scaled(pair, factor, widening)
    pair[:, script] = rows.price[script], rows.ask[script]
    shown = rows.standing(walk_quote | extra, pair, prices.shown)
    newest_shown = rows.standing(rows.quote, pair, prices.newest_shown)
    width = walk[1] - walk[0]
    inside = shown[0] + np.clip(rows.price - walk[0], 0, width) * (shown[1] - shown[0]) // width
    added = newest_shown[0] + rows.price * (newest_shown[1] - newest_shown[0]) // 2
    traded = np.where(rows.walk, inside, np.where(rows.extra, added, rows.price))
    _leave(rows, pair, walk, shown, newest_shown)
    quote = rows.quote | rows.behind
    kept = np.where(quote, pair[0], np.where(rows.trade, traded, rows.price))
    batch.price[rows.at] = kept
    batch.ask[rows.at] = np.where(quote, pair[1], rows.ask)  # a trade keeps its mark


def _leave(rows: _Rows, pair: I64, walk: I64, shown: I64, newest_shown: I64) -> None:
    """Let the quotes behind trades be those that stand, in place, but for those of the walk where that was not changed."""
    pair[:, rows.behind] = rows.price[rows.behind], rows.ask[rows.behind]
    changed = rows.behind & (rows.extra | (walk != shown).any(axis=0))
    pair[:, changed] = np.where(rows.extra, newest_shown, shown)[:, changed]


def _level(rows: _Rows, prices: Prices, levels: Mapping[Play, tuple[int, I64]]) -> tuple[I64, F64]:
    """Give the level of the factor on prices, and the factor on spreads, at each row."""
    level: I64 = np.zeros(len(rows.time), dtype=np.int64)
    widening, left = np.ones(len(rows.time)), np.ones(len(rows.time))
    for play, (first, edges) in levels.items():
        mine = np.flatnonzero(play.column[rows.symbol] >= 0)
        time = rows.time[mine]
        cell, inside = np.divmod(time - first * CELL_US, CELL_US)
        column = play.column[rows.symbol[mine]]
        begin = edges[column, cell]
        level[mine] += begin + (edges[column, cell + 1] - begin) * inside // CELL_US
        if (path := play.path(time, column)) is not None:
            level[mine] += path
        if (wider := play.spread(time)) is not None:
            widening[mine] *= wider
        if (share := play.damping(time)) is not None:
            left[mine] *= share
    return level + _damped(rows, left, prices), widening


def _damped(rows: _Rows, left: F64, prices: Prices) -> I64:
    """Give what was left behind and damped up to each row: a share of each of the walk's moves is taken back."""
    kept = prices.level[rows.symbol]
    quotes = np.flatnonzero(rows.quote & rows.walk)
    if (left[quotes] < 1).any():
        middle = rows.price[quotes] + rows.ask[quotes]
        symbol = rows.symbol[quotes]
        fresh = np.diff(symbol, prepend=-1) != 0
        before = np.where(fresh, prices.walk.sum(axis=0)[symbol], np.roll(middle, 1))
        moves = np.zeros(len(rows.time), dtype=np.int64)
        back = (left[quotes] - 1) * (middle - before) / before
        moves[quotes] = np.rint(back * ONE).astype(np.int64)
        kept = kept + rows.running(moves)
        prices.level[rows.present] = kept[rows.last]
    return kept


def _scaled(pair: I64, factor: F64, widening: F64) -> I64:
    """Move and widen quotes on the tick grid; bid < ask."""
    spread = np.maximum(1, np.floor((pair[1] - pair[0]) * widening + 0.5))
    bid = np.maximum(1, np.floor((pair[0] + pair[1]) / 2 * factor - spread / 2 + 0.5))
    return np.stack((bid, bid + spread)).astype(np.int64)
