"""
The order flow: trades and quotes at random times, laid over the walk.

Times come from :mod:`ticker.processes.arrivals`; prices are those of a Brownian bridge between the two ends of the walk's cell.
So the path of the walk is the same at any rate of events; a higher rate only shows more of it. A quote sets bid and ask around the
bridge, on the tick grid, bid < ask always. A trade prints inside the quote that stands at that moment: mostly at the ask (a buyer
came) or at the bid (a seller). Behind it, at the same time, comes the quote that it leaves (:mod:`ticker.generator.touch`).

Rows are made in *symbol order* (by symbol, then time) because everything that runs along one symbol's time, the
sequence, the bridge, the standing quote, is then a running sum or maximum over one flat array. Sums are of integers:
exact, so that what other symbols do in the same pass can't change a rounding.
"""

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, TRADES, TickBatch
from ticker.cents import Rungs, ticks_in_a_cent, widened
from ticker.generator.ordering import MAX_BLOCK_EVENTS, Places, Trades, in_time_order
from ticker.generator.touch import Points, Touch
from ticker.ladder import Ladders
from ticker.model import GBM, Model
from ticker.processes.arrivals import Arrivals, PoissonArrivals, event_counter
from ticker.processes.grid import CELL_US, Grid
from ticker.processes.mix import mix_of
from ticker.processes.spreads import Spreads
from ticker.randomness.draws import lots
from ticker.randomness.noise import NORMAL_ONE, Stream, bits, halves, normals
from ticker.universe import Universe

__all__ = ["MAX_BLOCK_EVENTS", "OrderFlow"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

_SIDES = np.arange(2)[:, None]
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
        cents: whether prices from a dollar on are whole cents.
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
        cents: bool = False,
    ) -> None:
        self._cells = Stream(seed, "flow.cell", universe.symbols)
        self._events = Stream(seed, "flow.event", universe.symbols)
        mix = mix_of(trade_share)
        rates = rate * mix.points * universe.column("activity")
        self._arrivals: Arrivals = (
            model.arrivals.arrivals(seed, universe, rates)
            if model.arrivals
            else PoissonArrivals(seed, universe, rates)
        )
        self._signs = model.signs.signs(seed, universe.symbols) if model.signs else None
        mean = universe.column("spread")
        self._spreads = model.spread.spreads(mean) if model.spread else Spreads(None, mean)
        self._trade_below = np.uint32(round(mix.traded * 65536))
        self._quoted = mix.followed
        self._lot = universe.column("round_lot").astype(np.int64)
        self._lots = lots()
        half = universe.column("spread") / 2
        bid = np.maximum(1, np.floor(start - half)).astype(np.int64)
        ask = np.maximum(bid + 1, np.ceil(start + half).astype(np.int64))
        self._rungs = Rungs(ticks_in_a_cent(universe)) if cents else None
        if cents:
            bid, ask = widened(universe, bid, ask)
        ladders = Ladders(seed, universe, cents=cents)
        self._touch = Touch(ladders, self._lot, bid, ask, takes=mix.followed)
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
        places = Places.of(times, grid.cells)
        symbol, cell = places.symbol, places.cell
        (_, steps, sizes, others), (kind, width, side, dither) = self._draws(grid.first, places)
        mid = self._mid(grid, places, normals(steps))
        spread = self._spreads.draw(grid, symbol, cell, width, dither)
        price = np.empty((2, len(symbol)), dtype=np.int64)
        price[0] = np.maximum(1, np.floor(mid - spread / 2 + 0.5))
        price[1] = price[0] + spread
        if self._rungs is not None:
            price = self._rungs.outward(symbol, _SIDES, price)
        first = np.searchsorted(symbol, np.arange(len(self._lot) + 1))
        fresh, lots = kind >= self._trade_below, self._lots[np.stack((sizes, others))]
        points = Points(symbol, first, fresh, price, lots)
        standing = self._touch.standing(points)
        row = standing.row
        buy = self._buys(standing.symbol, side[row])
        bid, ask = standing.price
        traded = _trade_price(bid, ask, buy, side[row], dither[row])
        if self._rungs is not None:
            traded = self._rungs.nearest(standing.symbol, traded)
        shares = self._touch.take(points, standing, traded, sizes[row], others[row])
        quoted = fresh | self._quoted
        trade_seq, quote_seq = self._number(points, quoted)
        trades = Trades(row, trade_seq[row], traded, shares)
        since_us = cell * CELL_US + times.offset_us
        return in_time_order(points, quoted, quote_seq, self._lot, trades, since_us, origin_us)

    @property
    def bid(self) -> I64:
        """The standing bid of each symbol, in ticks, shape (symbols,)."""
        bid: I64 = self._touch.price[0]
        return bid

    @property
    def ask(self) -> I64:
        """The standing ask of each symbol, in ticks, shape (symbols,)."""
        ask: I64 = self._touch.price[1]
        return ask

    def skip(self, end: int) -> None:
        """Go on to the cell ``end``, at the start of a second, without events."""
        self._arrivals.skip(end)

    def _draws(self, first: int, places: Places) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Twice four 16-bit draws for each event, addressed by its cell and its place in the cell."""
        counter = event_counter(places.cell + first, places.place)
        keys = self._events.keys[places.symbol]
        return halves(bits(keys, counter)).T, halves(bits(keys, counter + np.uint64(1))).T

    def _mid(self, grid: Grid, places: Places, steps: I64) -> F64:
        """A Brownian bridge from each cell's opening to its closing price, at each event."""
        # What depends on the cell alone is computed once a cell with events.
        symbol, cell = places.symbol[places.starts], places.cell[places.starts]
        words = bits(self._cells.keys[symbol], (cell + grid.first).astype(np.uint64))
        last_step = normals(halves(words)[:, 1])
        closing = grid.path[symbol, cell]
        opening = np.where(cell > 0, grid.path[symbol, cell - 1], grid.before[symbol])
        column = grid.second_of(cell) if grid.sigma.shape[1] > 1 else 0
        scale = grid.sigma[symbol, column] * opening / NORMAL_ONE
        pieces = places.count + 1.0
        reached, total = places.running(steps)
        share = (places.place + 1) / pieces[places.group]
        wander = reached - share * (total + last_step)[places.group]
        mid: F64 = (scale / np.sqrt(pieces))[places.group] * wander
        mid += opening[places.group]
        mid += (closing - opening)[places.group] * share
        return mid

    def _buys(self, symbol: I64, side: NDArray[np.uint16]) -> NDArray[np.bool_]:
        """Whether a buyer came, for each trade."""
        if self._signs is None:
            return (side & _BUY).astype(bool)
        return self._signs.buys(symbol, side)

    def _number(self, points: Points, quoted: NDArray[np.bool_]) -> tuple[I64, I64]:
        """The sequences that a trade and a quote have at each point."""
        first, symbol = points.first, points.symbol
        totals = np.zeros((2, len(quoted) + 1), dtype=np.int64)
        np.cumsum(~points.fresh, out=totals[TRADES, 1:])
        np.cumsum(quoted, out=totals[QUOTES, 1:])
        base = self.seq - totals[:, first[:-1]]
        self.seq = base + totals[:, first[1:]]
        numbers = totals[:, 1:] + base[:, symbol]
        return numbers[TRADES], numbers[QUOTES]


def _trade_price(
    bid: I64, ask: I64, buy: NDArray[np.bool_], side: NDArray[np.uint16], dither: NDArray[np.uint16]
) -> I64:
    """At the ask for a buyer, at the bid for a seller; one in sixteen somewhere between, both included."""
    inside = bid + ((ask - bid + 1) * dither.astype(np.int64) >> 16)
    return np.where(side & _INSIDE, np.where(buy, ask, bid), inside)
