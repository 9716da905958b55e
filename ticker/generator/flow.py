"""
The order flow: trades and quotes at random times, laid over the walk.

Times come from :mod:`ticker.processes.arrivals`; prices are those of a Brownian bridge between the two ends of the walk's cell.
So the path of the walk is the same at any rate of events; a higher rate only shows more of it. A quote sets bid and ask around the
bridge, on the tick grid, bid < ask always. A trade prints inside the quote that stands at that moment: mostly at the ask (a buyer
came) or at the bid (a seller).

Rows are made in *symbol order* (by symbol, then time) because everything that runs along one symbol's time, the
sequence, the bridge, the standing quote, is then a running sum or maximum over one flat array. Sums are of integers:
exact, so that what other symbols do in the same pass can't change a rounding.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, TRADES, TickBatch
from ticker.model import GBM, Model
from ticker.processes.arrivals import Arrivals, PoissonArrivals, Times, event_counter
from ticker.processes.grid import CELL_US, Grid
from ticker.processes.spreads import Spreads
from ticker.randomness.draws import lots, trade_sizes
from ticker.randomness.noise import NORMAL_ONE, Stream, bits, halves, normals
from ticker.universe import Universe

__all__ = ["MAX_BLOCK_EVENTS", "OrderFlow"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

MAX_BLOCK_EVENTS = 1 << 24
"""The sort key of a block has 24 bits for the row."""

_BUY, _INSIDE = np.uint16(1), np.uint16(0x00F0)  # bits of the side draw


class OrderFlow:
    """
    Trades and quotes of all symbols, block by block.

    Args:
        seed: the market's seed.
        universe: the instruments.
        start: the first price of each symbol in ticks, shape (symbols,).
        rate: events a second and symbol, trades and quotes together, before each instrument's activity.
        trade_share: the fraction of events that are trades.
        model: whose arrivals, signs and spreads to use.
    """

    def __init__(
        self,
        seed: int,
        universe: Universe,
        start: F64,
        *,
        rate: float,
        trade_share: float,
        model: Model = GBM,
    ) -> None:
        self._cells = Stream(seed, "flow.cell", universe.symbols)
        self._events = Stream(seed, "flow.event", universe.symbols)
        rates = rate * universe.column("activity")
        self._arrivals: Arrivals = (
            model.arrivals.arrivals(seed, universe, rates)
            if model.arrivals
            else PoissonArrivals(seed, universe, rates)
        )
        self._signs = model.signs.signs(seed, universe.symbols) if model.signs else None
        mean = universe.column("spread")
        self._spreads = model.spread.spreads(mean) if model.spread else Spreads(None, mean)
        self._trade_below = np.uint32(round(trade_share * 65536))
        self._lot = universe.column("round_lot").astype(np.int64)
        self._trade_sizes = trade_sizes()
        self._lots = lots()
        half = universe.column("spread") / 2
        self.bid: I64 = np.maximum(1, np.floor(start - half)).astype(np.int64)
        """The standing bid of each symbol, in ticks, shape (symbols,)."""
        self.ask: I64 = np.maximum(self.bid + 1, np.ceil(start + half).astype(np.int64))
        """The standing ask of each symbol, in ticks, shape (symbols,)."""
        self.seq: I64 = np.zeros((2, len(universe)), dtype=np.int64)
        """The last sequence of each symbol on trades (row 0) and quotes (row 1)."""

    def block(self, grid: Grid, origin_us: int) -> TickBatch:
        """
        Make the events of the cells of a grid, in the order of the market.

        Args:
            grid: the path; the grids of successive calls follow one another.
            origin_us: the time at which its first cell starts.
        """
        times = self._arrivals.block(grid)
        rows = _Rows.of(times, grid.cells)
        symbol, cell = rows.symbol, rows.cell
        (_, steps, sizes, second_sizes), (kind, width, side, dither) = self._draws(grid.first, rows)
        mid = self._mid(grid, rows, normals(steps))
        quote = kind >= self._trade_below
        spread = self._spreads.draw(grid, symbol, cell, width, dither)
        bid = np.maximum(1, np.floor(mid - spread / 2 + 0.5).astype(np.int64))
        ask = bid + spread
        standing_bid, standing_ask = self._standing(quote, bid, ask, symbol)
        buy = self._buys(quote, symbol, side)
        lot = self._lot[symbol]
        trade_size = np.maximum(1, self._trade_sizes[sizes] * lot // 100)
        batch = TickBatch(
            symbol=symbol.astype(np.int32),
            channel=quote.astype(np.uint8),  # TRADES is 0, QUOTES is 1
            seq=self._number(quote, symbol),
            time=origin_us + cell * CELL_US + times.offset_us,
            price=np.where(quote, bid, _trade_price(standing_bid, standing_ask, buy, side, dither)),
            size=np.where(quote, self._lots[sizes] * lot, trade_size),
            ask=np.where(quote, ask, 0),
            ask_size=np.where(quote, self._lots[second_sizes] * lot, 0),
        )
        return _in_time_order(batch, origin_us)

    def skip(self, end: int) -> None:
        """Go on to the cell ``end``, at the start of a second, without events."""
        self._arrivals.skip(end)

    def _draws(self, first: int, rows: "_Rows") -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Twice four 16-bit draws for each event, addressed by its cell and its place in the cell."""
        counter = event_counter(rows.cell + first, rows.place)
        keys = self._events.keys[rows.symbol]
        return halves(bits(keys, counter)).T, halves(bits(keys, counter + np.uint64(1))).T

    def _mid(self, grid: Grid, rows: "_Rows", steps: I64) -> F64:
        """A Brownian bridge from each cell's opening to its closing price, at each event."""
        # What depends on the cell alone is computed once a cell with events.
        symbol, cell = rows.symbol[rows.starts], rows.cell[rows.starts]
        words = bits(self._cells.keys[symbol], (cell + grid.first).astype(np.uint64))
        last_step = normals(halves(words)[:, 1])
        closing = grid.path[symbol, cell]
        opening = np.where(cell > 0, grid.path[symbol, cell - 1], grid.before[symbol])
        column = grid.second_of(cell) if grid.sigma.shape[1] > 1 else 0
        scale = grid.sigma[symbol, column] * opening / NORMAL_ONE
        pieces = rows.count + 1.0
        reached, total = rows.running(steps)
        share = (rows.place + 1) / pieces[rows.group]
        wander = reached - share * (total + last_step)[rows.group]
        mid: F64 = (scale / np.sqrt(pieces))[rows.group] * wander
        mid += opening[rows.group]
        mid += (closing - opening)[rows.group] * share
        return mid

    def _buys(
        self, quote: NDArray[np.bool_], symbol: I64, side: NDArray[np.uint16]
    ) -> NDArray[np.bool_]:
        """Whether a buyer came, for each row that is a trade."""
        if self._signs is None:
            return (side & _BUY).astype(bool)
        buy = np.zeros(len(quote), dtype=bool)
        trades = np.flatnonzero(~quote)
        buy[trades] = self._signs.buys(symbol[trades], side[trades])
        return buy

    def _standing(
        self, quote: NDArray[np.bool_], bid: I64, ask: I64, symbol: I64
    ) -> tuple[I64, I64]:
        """The quote that stands at each row, and, for the next block, at the end."""
        row = np.maximum.accumulate(np.where(quote, np.arange(len(quote)), -1))
        first_row = np.searchsorted(symbol, np.arange(len(self.bid) + 1))
        fresh = row >= first_row[symbol]
        standing_bid = np.where(fresh, bid[row], self.bid[symbol])
        standing_ask = np.where(fresh, ask[row], self.ask[symbol])
        present = np.flatnonzero(first_row[1:] > first_row[:-1])
        ends = first_row[1:][present] - 1
        self.bid[present] = standing_bid[ends]
        self.ask[present] = standing_ask[ends]
        return standing_bid, standing_ask

    def _number(self, quote: NDArray[np.bool_], symbol: I64) -> I64:
        """The sequence of each row, in symbol order."""
        quotes = np.cumsum(quote)
        trades = np.arange(1, len(quote) + 1) - quotes
        first_row = np.searchsorted(symbol, np.arange(len(self.bid) + 1))
        totals = np.zeros((2, len(quote) + 1), dtype=np.int64)
        totals[TRADES, 1:], totals[QUOTES, 1:] = trades, quotes
        base = self.seq - totals[:, first_row[:-1]]
        self.seq = base + totals[:, first_row[1:]]
        numbers: I64 = np.where(quote, quotes + base[QUOTES][symbol], trades + base[TRADES][symbol])
        return numbers


@dataclass(frozen=True, slots=True)
class _Rows:
    """Where the events of a block are, in symbol order, in groups: the cells that have events."""

    symbol: I64
    """The symbol of each event."""
    cell: I64
    """The cell of each event, in the block."""
    group: I64
    """The group of each event."""
    place: I64
    """The place of each event in its cell, from 0."""
    starts: I64
    """The row of each group's first event."""
    count: I64
    """How many events each group has."""

    @classmethod
    def of(cls, times: Times, cells: int) -> "_Rows":
        fresh = np.diff(times.cell, prepend=-1) != 0
        starts = np.flatnonzero(fresh)
        group = np.cumsum(fresh) - 1
        symbol = times.cell // cells
        return cls(
            symbol,
            times.cell - symbol * cells,
            group,
            np.arange(len(group)) - starts[group],
            starts,
            np.diff(starts, append=len(group)),
        )

    def running(self, values: I64) -> tuple[I64, I64]:
        """Sums from the start of each event's group up to the event, and each group's total."""
        sums = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(values)))
        base = sums[self.starts]
        return sums[1:] - base[self.group], sums[self.starts + self.count] - base


def _trade_price(
    bid: I64, ask: I64, buy: NDArray[np.bool_], side: NDArray[np.uint16], dither: NDArray[np.uint16]
) -> I64:
    """At the ask for a buyer, at the bid for a seller; one in sixteen somewhere between, both included."""
    inside = bid + ((ask - bid + 1) * dither.astype(np.int64) >> 16)
    return np.where(side & _INSIDE, np.where(buy, ask, bid), inside)


def _in_time_order(batch: TickBatch, origin_us: int) -> TickBatch:
    # Sorting one array of unique keys (time, then row) is faster than a stable argsort, and has no ties to break.
    keys = (batch.time - origin_us << 24) | np.arange(len(batch))
    keys.sort()
    order = keys & (MAX_BLOCK_EVENTS - 1)
    return TickBatch(
        batch.symbol[order],
        batch.channel[order],
        batch.seq[order],
        (keys >> 24) + origin_us,
        batch.price[order],
        batch.size[order],
        batch.ask[order],
        batch.ask_size[order],
    )
