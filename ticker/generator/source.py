"""Where events come from: the price process and the order flow of one market, block by block."""

from typing import NamedTuple

from ticker.batch import TickBatch
from ticker.generator.flow import MAX_BLOCK_EVENTS, OrderFlow
from ticker.generator.prices import Prices
from ticker.model import Model
from ticker.processes.grid import CELL_US, CELLS_PER_SECOND, Grid
from ticker.trading_day.hours import SessionShape
from ticker.trading_day.sessions import session_at
from ticker.universe import Universe

__all__ = ["MAX_RATE", "MAX_TOTAL_RATE", "Block", "Source"]

MAX_RATE = 10_000.0
"""The most events a second and symbol, on average."""

MAX_TOTAL_RATE = 20_000_000
"""The most events a second of all symbols together, on average: a block of one cell must fit into memory."""

_LARGEST_GRID = 1 << 20  # cells times symbols of a block


class Block(NamedTuple):
    """Trades and quotes up to a time."""

    batch: TickBatch
    end_us: int


class Source:
    """
    The trades and quotes of a market, a block of whole cells at a time.

    Where the model's day has sessions, a block is of one session, and the whole of a night is one block.

    Args:
        universe: what is traded.
        seed: the market's seed.
        rate: mean events a second and symbol.
        trade_share: the fraction of events that are trades.
        start_us: the time of the first event or before, in microseconds.
        model: what the market is made of.
        block_events: about how many events to make in one pass. Changes memory and pace, never an event.
        longest_s: the most seconds of a block, unless nothing happens: then it is six times as long, at hardly more cost.
        cents: whether prices from a dollar on are whole cents.

    Raises:
        ValueError: the rate or the share is out of range; the message names it.
    """

    def __init__(
        self,
        universe: Universe,
        *,
        seed: int,
        rate: float,
        trade_share: float,
        start_us: int,
        model: Model,
        block_events: int,
        longest_s: int = 10,
        cents: bool = False,
    ) -> None:
        total = _total_rate(universe, rate)
        if not 0 <= trade_share <= 1:
            raise ValueError(f"trade share {trade_share!r} is not between 0 and 1")
        start = universe.start_ticks()
        self._prices = Prices(
            model,
            seed,
            universe.symbols,
            [i.sector for i in universe],
            start,
            universe.column("volatility"),
            floor=2 * universe.column("spread"),
        )
        self.flow = OrderFlow(
            seed,
            universe,
            start,
            rate=rate,
            trade_share=trade_share,
            model=model,
            cents=cents,
        )
        longest_s *= 1 if total else 6
        self.block_cells = _cells_for(block_events, total, len(universe), longest_s)
        """How many cells a block has at most."""
        self._sessions = isinstance(model.shape, SessionShape)
        self._grid: Grid | None = None
        self._cell = 0  # how many cells of the grid have become events
        self._end_us = start_us

    def block(self) -> Block:
        """Make the next block."""
        if self._grid is None or self._cell == self._grid.cells:
            # Prices are made for whole seconds, events for as many cells as fit into memory.
            seconds = -(-self.block_cells // CELLS_PER_SECOND)
            if self._sessions:
                session = session_at(self._end_us // 1_000_000)
                if session.status == "closed":
                    return self._skip(session.end_s)
                seconds = min(seconds, session.end_s - self._end_us // 1_000_000)
            self._grid = self._prices.seconds(seconds)
            self._cell = 0
        end = min(self._cell + self.block_cells, self._grid.cells)
        batch = self.flow.block(self._grid.cut(self._cell, end), self._end_us)
        self._end_us += (end - self._cell) * CELL_US
        self._cell = end
        return Block(batch, self._end_us)

    def _skip(self, second: int) -> Block:
        """Go on to a second, Unix time, without an event."""
        self._prices.skip((second * 1_000_000 - self._end_us) // CELL_US)
        self.flow.skip(self._prices.cell)
        self._end_us = second * 1_000_000
        return Block(TickBatch.empty(), self._end_us)


def _total_rate(universe: Universe, rate: float) -> float:
    """Give the mean events a second of all symbols together, and check the rate."""
    if not 0 <= rate <= MAX_RATE:
        raise ValueError(
            f"rate {rate!r} is not between 0 and {MAX_RATE:g} events a second and symbol"
        )
    total = rate * float(universe.column("activity").sum())
    if total > MAX_TOTAL_RATE:
        raise ValueError(
            f"rate {rate!r} makes {total:.0f} events a second of {len(universe)} symbols;"
            f" at most {MAX_TOTAL_RATE} are allowed"
        )
    return total


def _cells_for(events: int, rate: float, symbols: int, longest_s: int) -> int:
    """Choose the length of a block: cells of a second, or whole seconds."""
    cells = min(events, MAX_BLOCK_EVENTS // 4) * CELLS_PER_SECOND / max(rate, 1e-9)
    cells = max(1, int(min(longest_s * CELLS_PER_SECOND, _LARGEST_GRID / symbols, cells)))
    return cells if cells < CELLS_PER_SECOND else cells // CELLS_PER_SECOND * CELLS_PER_SECOND
