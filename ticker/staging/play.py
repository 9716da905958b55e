"""
A scenario that is played: what it does to prices, spreads and events of some symbols, at any time.

Everything is a function of the play's seed and of time, on cells of the walk's length, so that it is the same however
time is cut. Levels are logarithms of price factors in whole numbers of 1 / :data:`ONE`: their sums are exact.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ticker.instruments import on_grid
from ticker.processes.grid import CELL_US, CELLS_PER_SECOND
from ticker.processes.walk import TRADING_YEAR_S
from ticker.randomness.noise import Stream
from ticker.regulation.bands import Bands
from ticker.scenario import Points, Scenario
from ticker.script import ScriptedStatus, ScriptedTrade
from ticker.staging.extras import Extras
from ticker.staging.piecewise import PiecewiseLinear
from ticker.staging.reach import levels, reach
from ticker.staging.staged import Staged

__all__ = ["ONE", "Play", "chosen"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

ONE = 1 << 40
"""A level of 1: a price factor of e."""

_COMMON, _OWN = 0.6, 0.8  # loadings of the noise; their squares sum to 1


class Play:
    """
    A scenario at its time, on its symbols.

    Args:
        staged: what happens, when, and to which symbols of which market.
        seed: of its noise.

    Raises:
        ValueError: it would be too many quotes.
    """

    def __init__(self, staged: Staged, *, seed: int) -> None:
        scenario, at_us, symbols = staged.scenario, staged.at_us, staged.symbols
        universe = staged.universe
        self.scenario, self.at_us, self.symbols = scenario, at_us, symbols
        self.column: I64 = np.full(len(universe), -1)
        """The place of each symbol id among the play's symbols; -1: it isn't among them."""
        self.column[symbols] = np.arange(len(symbols))
        self.end_us = at_us + math.ceil(scenario.duration_s * 1e6) + len(symbols) + 2
        """When nothing changes any more."""
        self._ticks = [instrument.tick_size for instrument in universe]
        self._lots = [instrument.round_lot for instrument in universe]
        names = [universe.symbols[i] for i in symbols]
        purpose = f"scenario.{scenario.name}"
        self._common = Stream(seed, f"{purpose}.common", [""])
        self._own = Stream(seed, f"{purpose}.noise", names)
        per_cell = math.sqrt(TRADING_YEAR_S * CELLS_PER_SECOND)
        self._sigma = universe.column("volatility")[symbols] / per_cell
        self._first = -(-at_us // CELL_US)  # the first cell that is wholly in it
        moved = symbols if scenario.path and not scenario.alike else symbols[:1]
        self._reach = reach(universe, moved, seed, purpose)
        self._path = self._piecewise(levels(scenario.path, self._reach), 0.0, stays=True)
        self._volatility = self._piecewise(scenario.volatility, 1.0)
        self._spread = self._piecewise(scenario.spread, 1.0)
        self.extras = Extras(staged, Stream(seed, f"{purpose}.event", names).keys)
        """The events that come on top."""

    def _piecewise(
        self, points: Points, rest: float, *, stays: bool = False
    ) -> PiecewiseLinear | None:
        if not points:
            return None
        return PiecewiseLinear(points, self.at_us, before=rest, after=None if stays else rest)

    def path(self, time: I64, column: I64) -> I64 | None:
        """Give the level of the path at some times, each of one of the play's symbols; None: 0."""
        if self._path is None:
            return None
        level = self._path.at(time)
        return _whole(level if len(self._reach) == 1 else level * self._reach[column])

    def spread(self, time: I64) -> F64 | None:
        """Give the factor on the spread at some times; None: 1."""
        return None if self._spread is None else self._spread.at(time)

    def damping(self, time: I64) -> F64 | None:
        """Give the share of the walk's moves that is left over at some times; None: all."""
        if self._volatility is None or not any(v < 1 for _, v in self.scenario.volatility):
            return None
        return np.minimum(1.0, self._volatility.at(time))

    def noise(self, first: int, cells: int) -> I64 | None:
        """Give the moves of the level in some cells, counted from 1970, shape (play's symbols, cells); None: none."""
        if self._volatility is None:
            return None
        skip = max(0, self._first - first)
        begin = np.arange(first + skip, first + cells) * CELL_US
        multiplier = np.maximum(1.0, self._volatility.at(begin))
        weight = np.sqrt(multiplier * multiplier - 1)
        if not weight.any():
            return None
        at, count = first + skip - self._first, cells - skip
        deviation = self._sigma[:, None] * weight
        draws = _COMMON * self._common.normals(at, count) + _OWN * self._own.normals(at, count)
        moves = np.zeros((len(self.symbols), cells), dtype=np.int64)
        moves[:, skip:] = _whole(deviation * draws - deviation * deviation / 2)
        return moves

    def changes(self) -> list[tuple[int, ScriptedStatus]]:
        """Give the changes of status with their times: of one symbol after the other, a microsecond apart."""
        return [
            (
                self._time_of(change.at_s) + place,
                ScriptedStatus(symbol, change.status, change.reason),
            )
            for change in self.scenario.changes
            for place, symbol in enumerate(self.symbols.tolist())
        ]

    def trades(self) -> list[tuple[int, ScriptedTrade]]:
        """
        Give the trades that somebody wants, with their times: of one symbol after the other.

        Raises:
            ValueError: a price is not on the grid of one of the symbols.
        """
        return [
            (
                self._time_of(trade.at_s),
                ScriptedTrade(
                    symbol,
                    on_grid(trade.price, self._ticks[symbol]),
                    trade.size,
                    trade.exchange,
                    trade.conditions,
                ),
            )
            for trade in self.scenario.trades
            for symbol in self.symbols.tolist()
        ]

    def bands(self, day_us: int) -> dict[int, Bands]:
        """Give the bands that hold from the beginning on, by symbol id; ``day_us``: when a day of the market began."""
        tier = self.scenario.bands
        if tier is None:
            return {}
        return {
            symbol: Bands(tier, self._ticks[symbol], self._lots[symbol], self.at_us, day_us)
            for symbol in self.symbols.tolist()
        }

    def silent(self, symbol: NDArray[np.int32], time: I64) -> NDArray[np.bool_]:
        """Tell which events don't come out."""
        out = np.zeros(len(time), dtype=bool)
        for begin, end in self.scenario.silences:
            out |= (time >= self._time_of(begin)) & (time < self._time_of(end))
        return out & (self.column[symbol] >= 0)

    def _time_of(self, seconds: float) -> int:
        return self.at_us + round(seconds * 1e6)


def chosen(symbols: Sequence[int] | None, scenario: Scenario, count: int) -> I64:
    """
    Give the ids of the symbols to which a scenario happens, each once, in order.

    Raises:
        ValueError: there is no symbol with such an id, or none is chosen.
    """
    if symbols is None:
        return np.arange(count if scenario.everybody else 1)
    for symbol in symbols:
        if not 0 <= symbol < count:
            raise ValueError(f"symbol id {symbol!r} is not between 0 and {count - 1}")
    if not len(symbols):
        raise ValueError(f"scenario {scenario.name}: no symbol is chosen")
    return np.unique(np.array(symbols, dtype=np.int64))


def _whole(level: F64) -> I64:
    return np.rint(level * ONE).astype(np.int64)
