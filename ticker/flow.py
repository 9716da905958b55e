"""
The order flow: trades and quotes at random times, laid over the walk.

For each symbol and cell of the walk: a Poisson number of events, at uniform random times, at prices of a Brownian
bridge between the cell's two ends. So the path of the walk is the same at any rate of events; a higher rate only
shows more of it. A quote sets bid and ask around the bridge, on the tick grid, bid < ask always. A trade prints
inside the quote that stands at that moment: mostly at the ask (a buyer came) or at the bid (a seller).

Rows are made in *symbol order* (by symbol, then time) because everything that runs along one symbol's time, the
sequence, the bridge, the standing quote, is then a running sum or maximum over one flat array. Sums are of integers:
exact, so that what other symbols do in the same pass can't change a rounding.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, TRADES, TickBatch
from ticker.draws import lots, poisson, trade_sizes
from ticker.noise import (
    EXPONENTIAL_ONE,
    NORMAL_ONE,
    Stream,
    bits,
    exponentials,
    halves,
    normals,
)
from ticker.universe import Universe
from ticker.walk import CELL_US

__all__ = ["MAX_BLOCK_EVENTS", "OrderFlow"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

MAX_BLOCK_EVENTS = 1 << 24
"""The sort key of a block has 24 bits for the row."""

_EVENT_BITS = np.uint64(24)  # counter of an event: cell, then the event's place in the cell
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
    """

    def __init__(
        self, seed: int, universe: Universe, start: F64, *, rate: float, trade_share: float
    ) -> None:
        self._cells = Stream(seed, "flow.cell", universe.symbols)
        self._events = Stream(seed, "flow.event", universe.symbols)
        self._mean = (rate * universe.column("activity") * (CELL_US / 1e6))[:, None]
        self._trade_below = np.uint32(round(trade_share * 65536))
        self._extra_spread = universe.column("spread") - 1
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

    def block(self, first: int, before: F64, path: F64, sigma: F64, origin_us: int) -> TickBatch:
        """
        Make the events of the cells that ``path`` covers, in the order of the market.

        Args:
            first: the number of the first cell.
            before: the price before it in ticks, shape (symbols,).
            path: the price at the end of each cell in ticks, shape (symbols, cells).
            sigma: standard deviation of a cell's return, shape (symbols,).
            origin_us: the time at which the first cell starts.
        """
        cells = path.shape[1]
        count, last_gap, last_step = self._counts(first, cells)
        rows = _Rows.of(count, cells)
        cell, symbol = rows.cell, rows.symbol
        (gaps, steps, sizes, second_sizes), (kind, width, side, dither) = self._draws(
            first, cells, rows
        )
        opening = np.concatenate((before[:, None], path[:, :-1]), axis=1).ravel()
        scale = sigma[symbol] * opening[cell] / NORMAL_ONE
        mid = _bridge(normals(steps), rows, last_step, opening, path.ravel(), scale)
        offset = _times(exponentials(gaps), rows, last_gap)
        quote = kind >= self._trade_below
        bid, ask = self._quotes(mid, symbol, width, dither)
        standing_bid, standing_ask = self._standing(quote, bid, ask, symbol)
        lot = self._lot[symbol]
        trade_size = np.maximum(1, self._trade_sizes[sizes] * lot // 100)
        batch = TickBatch(
            symbol=symbol.astype(np.int32),
            channel=quote.astype(np.uint8),  # TRADES is 0, QUOTES is 1
            seq=self._number(quote, symbol),
            time=origin_us + (cell - symbol * cells) * CELL_US + offset,
            price=np.where(quote, bid, _trade_price(standing_bid, standing_ask, side, dither)),
            size=np.where(quote, self._lots[sizes] * lot, trade_size),
            ask=np.where(quote, ask, 0),
            ask_size=np.where(quote, self._lots[second_sizes] * lot, 0),
        )
        return _in_time_order(batch, origin_us)

    def _counts(self, first: int, cells: int) -> tuple[I64, I64, I64]:
        """How many events each cell has, and the draws for the stretch after a cell's last event."""
        words = self._cells.words(first, cells)
        draws = halves(words)
        uniform = ((words >> np.uint64(32)) + 0.5) / 2**32
        return (
            poisson(self._mean, uniform).ravel(),
            exponentials(draws[..., 0]).ravel(),
            normals(draws[..., 1]).ravel(),
        )

    def _draws(
        self, first: int, cells: int, rows: "_Rows"
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Twice four 16-bit draws for each event, addressed by its cell and its place in the cell."""
        number = (rows.cell - rows.symbol * cells + first).astype(np.uint64)
        counter = (number << _EVENT_BITS) + (rows.place.astype(np.uint64) << np.uint64(1))
        keys = self._events.keys[rows.symbol]
        return halves(bits(keys, counter)).T, halves(bits(keys, counter + np.uint64(1))).T

    def _quotes(
        self, mid: F64, symbol: I64, draw: NDArray[np.uint16], dither: NDArray[np.uint16]
    ) -> tuple[I64, I64]:
        # The dither makes the mean of the rounded spread the instrument's mean.
        extra = self._extra_spread[symbol] * (exponentials(draw) / EXPONENTIAL_ONE) + dither / 65536
        spread = 1 + extra.astype(np.int64)
        bid = np.maximum(1, np.floor(mid - spread / 2 + 0.5).astype(np.int64))
        return bid, bid + spread

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
    """Where the events of a block are, in symbol order: cells are counted symbol after symbol."""

    count: I64
    """How many events each cell has."""
    starts: I64
    """The row of each cell's first event."""
    cell: I64
    """The cell of each event."""
    symbol: I64
    """The symbol of each event."""
    place: I64
    """The place of each event in its cell, from 0."""

    @classmethod
    def of(cls, count: I64, cells: int) -> "_Rows":
        cell = np.repeat(np.arange(count.size), count)
        starts = np.cumsum(count) - count
        return cls(count, starts, cell, cell // cells, np.arange(len(cell)) - starts[cell])

    def running(self, values: I64) -> tuple[I64, I64]:
        """Sums from the start of each event's cell up to the event, and each cell's total."""
        sums = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(values)))
        base = sums[self.starts]
        return sums[1:] - base[self.cell], sums[self.starts + self.count] - base


def _times(gaps: I64, rows: _Rows, last_gap: I64) -> I64:
    """Uniform order statistics: partial sums of exponential gaps, over their total."""
    reached, total = rows.running(gaps)
    return (reached * (CELL_US / (total + last_gap))[rows.cell]).astype(np.int64)


def _bridge(steps: I64, rows: _Rows, last_step: I64, opening: F64, closing: F64, scale: F64) -> F64:
    """A Brownian bridge from each cell's opening to its closing price, at each event."""
    reached, total = rows.running(steps)
    pieces = (rows.count + 1.0)[rows.cell]
    share = (rows.place + 1) / pieces
    wander = (reached - share * (total + last_step)[rows.cell]) / np.sqrt(pieces)
    middle: F64 = opening[rows.cell] + (closing - opening)[rows.cell] * share + scale * wander
    return middle


def _trade_price(bid: I64, ask: I64, side: NDArray[np.uint16], dither: NDArray[np.uint16]) -> I64:
    """At the ask for a buyer, at the bid for a seller; one in sixteen somewhere between, both included."""
    at_quote = np.where(side & _BUY, ask, bid)
    inside = bid + ((ask - bid + 1) * dither.astype(np.int64) >> 16)
    return np.where(side & _INSIDE, at_quote, inside)


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
