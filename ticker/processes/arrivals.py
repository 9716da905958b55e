"""
When things happen: a Poisson process, or one that excites itself.

Self-exciting arrivals (Hawkes, Biometrika 1971; for markets: Bacry, Mastromatteo, Muzy, "Hawkes processes in finance",
2015): each event causes others soon after it. They are made from their branching structure (Hawkes and Oakes,
J. Applied Probability 1974), exactly and without a loop over events: immigrants come at a Poisson rate, each has
a Poisson number of children at random delays, these have children too, generation after generation, until none is
left in the block; children of a later time wait for their block. An event draws its children from its own 64 bits,
so the tree is the same however time is cut.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ticker.processes.grid import CELL_US, CELLS_PER_SECOND, Grid
from ticker.randomness.draws import poisson
from ticker.randomness.noise import EXPONENTIAL_ONE, Stream, bits, exponentials, halves
from ticker.universe import Universe

__all__ = ["Arrivals", "Hawkes", "HawkesArrivals", "PoissonArrivals", "Times"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

_SECOND_US = CELL_US * CELLS_PER_SECOND


class Times(NamedTuple):
    """Events of a block in symbol order: by symbol, then time."""

    cell: I64
    """The cell of each event: symbol times cells, plus the number of the cell in the block."""
    offset_us: I64
    """The time of each event since the start of its cell."""


class Arrivals(Protocol):
    """Where the times of events come from."""

    def block(self, grid: Grid) -> Times:
        """Give the events of the cells of a grid; the grids of successive calls follow one another."""

    def skip(self, end: int) -> None:
        """Go on to the cell ``end``, at the start of a second; what there would be until then never happens."""


class PoissonArrivals:
    """
    Arrivals that know nothing of each other, at a constant rate.

    Args:
        seed: the market's seed.
        universe: the instruments.
        rate: events a second of each symbol, shape (symbols,).
    """

    def __init__(self, seed: int, universe: Universe, rate: F64) -> None:
        self._cells = Stream(seed, "flow.cell", universe.symbols)
        self._mean = (rate * (CELL_US / 1e6))[:, None]
        self._gaps = Stream(seed, "flow.event", universe.symbols)

    def block(self, grid: Grid) -> Times:
        """Draw the number of events of each cell, and their times: order statistics of uniform numbers."""
        words = self._cells.words(grid.first, grid.cells)
        uniform = ((words >> np.uint64(32)) + 0.5) / 2**32
        mean = self._mean
        if grid.activity is not None:
            second = grid.second_of(np.arange(grid.cells))
            mean = mean * grid.activity[:, second]
        count = poisson(mean, uniform).ravel()
        cell = np.repeat(np.arange(count.size), count)
        starts = np.cumsum(count) - count
        place = np.arange(len(cell)) - starts[cell]
        symbol = cell // grid.cells
        counter = event_counter(cell - symbol * grid.cells + grid.first, place)
        gaps = exponentials(halves(bits(self._gaps.keys[symbol], counter))[:, 0])
        sums = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(gaps)))
        reached = sums[1:] - sums[starts][cell]
        last = exponentials(halves(words)[..., 0]).ravel()
        total = sums[starts + count] - sums[starts] + last
        return Times(cell, (reached * (CELL_US / total)[cell]).astype(np.int64))

    def skip(self, _end: int) -> None:
        """Nothing is kept from one block to the next."""


def event_counter(cell: I64, place: I64) -> U64:
    """Give the first of the two counters of an event: its cell since the start, and its place in it."""
    return (cell.astype(np.uint64) << np.uint64(24)) + (place.astype(np.uint64) << np.uint64(1))


@dataclass(frozen=True, slots=True)
class Hawkes:
    """The parameters of self-exciting arrivals."""

    branching: float = 0.7
    """The mean number of children of an event, below 1: the part of events that others brought forth."""
    fast: float = 0.25
    """Mean delay of a fast child, in mean waits between events."""
    slow: float = 6.0
    """Mean delay of a slow child, in mean waits between events."""
    fast_share: float = 0.6
    """The fraction of children that are fast."""
    longest_s: float = 5.0
    """The longest mean delay, in seconds: for symbols with few events."""

    def __post_init__(self) -> None:
        if not 0 <= self.branching <= 0.95:
            raise ValueError(f"branching {self.branching!r} is not between 0 and 0.95")

    def arrivals(self, seed: int, universe: Universe, rate: F64) -> "HawkesArrivals":
        """Give the arrivals of a market."""
        return HawkesArrivals(self, seed, universe, rate)


class _Pool(NamedTuple):
    """Events that are there already, in no order."""

    symbol: I64
    time: I64
    """Microseconds since the start of the market."""
    word: U64
    """The event's 64 random bits."""

    def take(self, rows: NDArray[np.bool_]) -> "_Pool":
        return _Pool(self.symbol[rows], self.time[rows], self.word[rows])

    @staticmethod
    def join(pools: "list[_Pool]") -> "_Pool":
        return _Pool(*(np.concatenate(columns) for columns in zip(*pools, strict=True)))


class HawkesArrivals:
    """
    Self-exciting arrivals.

    Args:
        model: the parameters.
        seed: the market's seed.
        universe: the instruments.
        rate: mean events a second of each symbol, shape (symbols,).
    """

    def __init__(self, model: Hawkes, seed: int, universe: Universe, rate: F64) -> None:
        self._roots = Stream(seed, "hawkes", universe.symbols)
        self._litter = _litters(model.branching)
        self._rate = rate * (1 - float(self._litter.mean()))
        wait = 1e6 / np.maximum(rate, 1e-9)
        longest = model.longest_s * 1e6
        self._fast = np.minimum(wait * model.fast, longest / 20).astype(np.int64) + 1
        self._slow = np.minimum(wait * model.slow, longest).astype(np.int64) + 1
        self._fast_below = np.uint64(round(model.fast_share * 65536))
        self._second = 0
        self._pool = self._before_the_start(12)

    def block(self, grid: Grid) -> Times:
        """Give the events of some cells."""
        end = grid.first + grid.cells
        seconds = -(-end // CELLS_PER_SECOND) - self._second
        if seconds > 0:
            self._immigrate(grid, seconds)
        origin = grid.first * CELL_US
        found = self._grow(end * CELL_US)
        # Events of one symbol at one microsecond are the same to what follows, so sorting has no ties to break.
        keys = np.concatenate([(p.symbol << 32) | (p.time - origin) for p in found])
        keys.sort()
        symbol, time = keys >> 32, keys & 0xFFFFFFFF
        cell = time // CELL_US
        return Times(symbol * grid.cells + cell, time - cell * CELL_US)

    def skip(self, end: int) -> None:
        """Go on to the cell ``end``, at the start of a second; what there would be until then never happens."""
        self._second = end // CELLS_PER_SECOND
        self._grow(end * CELL_US)

    def _immigrate(self, grid: Grid, seconds: int) -> None:
        """Add the immigrants of the next seconds."""
        mean = self._rate[:, None]
        if grid.activity is not None:
            column = self._second - grid.first_second
            mean = mean * grid.activity[:, column : column + seconds]
        counters = np.arange(self._second, self._second + seconds, dtype=np.uint64) << np.uint64(24)
        words = bits(self._roots.keys[:, None], counters[None, :])
        count = poisson(mean, ((words >> np.uint64(32)) + 0.5) / 2**32).ravel()
        row = np.repeat(np.arange(count.size), count)
        place = np.arange(1, len(row) + 1) - (np.cumsum(count) - count)[row]
        symbol = row // seconds
        word = bits(self._roots.keys[symbol], counters[row % seconds] + place.astype(np.uint64))
        time = (self._second + row % seconds) * _SECOND_US + _fraction_of(word, _SECOND_US)
        self._pool = _Pool.join([self._pool, _Pool(symbol, time, word)])
        self._second += seconds

    def _before_the_start(self, slow_delays: int) -> _Pool:
        """What events from before the start bring forth after it, so that the market doesn't start in silence."""
        window = self._slow * slow_delays
        words = self._roots.words(1 << 62, 1)
        uniform = ((words >> np.uint64(32)) + 0.5) / 2**32
        count = poisson((self._rate * window / 1e6)[:, None], uniform).ravel()
        symbol = np.repeat(np.arange(count.size), count)
        place = np.arange(1, len(symbol) + 1) - (np.cumsum(count) - count)[symbol]
        word = bits(self._roots.keys[symbol], np.uint64(1 << 62) + place.astype(np.uint64))
        ago = (_fraction_of(word, 1 << 20) * window[symbol]) >> 20
        self._pool = _Pool(symbol, -1 - ago, word)
        self._grow(0)
        return self._pool

    def _grow(self, end: int) -> list[_Pool]:
        """Take out of the pool, and let grow, all events before ``end``; later children go into the pool."""
        found: list[_Pool] = []
        early = self._pool.time < end
        later, young = [self._pool.take(~early)], self._pool.take(early)
        while len(young.time):
            found.append(young)
            children = self._children(young)
            early = children.time < end
            later.append(children.take(~early))
            young = children.take(early)
        self._pool = _Pool.join(later)
        return found or [self._pool.take(np.zeros(len(self._pool.time), dtype=bool))]

    def _children(self, parents: _Pool) -> _Pool:
        litter = self._litter[(parents.word >> np.uint64(48)).astype(np.int64)]
        some = np.flatnonzero(litter)
        litter = litter[some]
        parent = np.repeat(some, litter)
        place = np.arange(1, len(parent) + 1) - np.repeat(np.cumsum(litter) - litter, litter)
        word = bits(parents.word[parent], place.astype(np.uint64))
        symbol = parents.symbol[parent]
        fast = ((word >> np.uint64(16)) & np.uint64(0xFFFF)) < self._fast_below
        mean = np.where(fast, self._fast[symbol], self._slow[symbol])
        wait = exponentials((word & np.uint64(0xFFFF)).astype(np.uint16)) * mean // EXPONENTIAL_ONE
        return _Pool(symbol, parents.time[parent] + wait, word)


def _fraction_of(word: U64, whole: int) -> I64:
    """Turn 24 bits of each word, which nothing else uses, into a whole number below ``whole``."""
    fraction = (word >> np.uint64(8)) & np.uint64(0xFFFFFF)
    return (fraction * np.uint64(whole) >> np.uint64(24)).astype(np.int64)


@cache
def _litters(mean: float) -> NDArray[np.int64]:
    """Poisson numbers of children, one for each 16-bit draw."""
    draws = (np.arange(1 << 16) + 0.5) / (1 << 16)
    return poisson(np.array([mean]), draws)
