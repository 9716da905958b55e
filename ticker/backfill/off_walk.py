"""
What trades off the walk in a market with sessions, before its start: the prints of auctions, and ineligible trades.

A print is at the first or the last price of a day, so it changes none. Odd lots are as many as their hours and minutes are busy; the
sessions before and after the regular one have moods of their own.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.days import DAY_S, Days
from ticker.backfill.ineligible import Cells, Ineligible
from ticker.backfill.intraday import FIVE_S, HOUR_S, Intraday
from ticker.backfill.overnight import Overnight
from ticker.backfill.shorter import MINUTE_S, Shorter
from ticker.backfill.sizes import Sizes
from ticker.backfill.spans import Spans
from ticker.processes.auctions import AT_ONCE, CLOSING, OPENING, Auctions
from ticker.randomness.noise import EXPONENTIAL_ONE, Stream, bits, exponentials, halves
from ticker.reference.marks import with_conditions
from ticker.trading_day.calendar import TradingDays
from ticker.trading_day.hours import ExtendedBusyness
from ticker.universe import Universe

__all__ = ["OffWalk", "Prints"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

_SECOND_US = 1_000_000
_HOURS = 16  # of the longest day, from its first session on
_UNEVEN = (
    0.4  # relative deviation of the trades of one part of an extended session from those of another
)
_KEPT = 16  # symbols whose days are kept
_OPENS, _CLOSES = with_conditions("O"), with_conditions("6")


class Prints(NamedTuple):
    """Prints of auctions, in the order of time."""

    time: I64
    """Microseconds."""
    price: I64
    """Ticks."""
    size: I64
    mark: I64

    def take(self, rows: Flags) -> "Prints":
        """Give some of them."""
        return Prints(*(column[rows] for column in self))


class OffWalk:
    """
    Prints and ineligible trades of a universe.

    Args:
        seed: the market's seed.
        universe: what is traded.
        start: Unix time of the market's start, in seconds.
        sizes: mean sizes of trades.
        trades_s: trades a second and symbol, before each instrument's activity.
        printed: whether there are auctions.
        parts: the days, their hours and five minutes, and the shorter ones of the way of the price.
    """

    def __init__(
        self,
        seed: int,
        universe: Universe,
        start: int,
        *,
        sizes: Sizes,
        trades_s: float,
        printed: bool,
        parts: tuple[Days, Intraday, Shorter],
    ) -> None:
        self._seed, self._universe, self._start = seed, universe, start
        self._days, self._intraday, self._shorts = parts
        self.calendar = TradingDays(start, self._days.reach - 1)
        """The days on which the market opened."""
        self._busy = ExtendedBusyness(self.calendar, start)
        rate = trades_s * universe.column("activity")
        odd_rate, weights = rate * (1 - sizes.movers.share), (self._odd, self._late)
        self._kinds = (
            Ineligible(seed, universe, "odd", odd_rate, sizes.odd, weights[0], odd=True),
            Ineligible(seed, universe, "extended", rate, sizes.all, weights[1], odd=False),
        )
        self._auctions = Auctions(universe, seed, trades_s * printed)
        self._keys = Stream(seed, "past.extended.uneven", universe.symbols).keys
        self._daily = lru_cache(_KEPT)(self._make_daily)

    @property
    def opened(self) -> bool:
        """Whether the newest of the days had opened by the start."""
        return int(self.calendar.opening[-1]) < self._start

    def today(self) -> I64:
        """Give the shares of the newest day so far, of all symbols."""
        symbols, days = np.arange(len(self._universe)), self.calendar
        shares = np.zeros(len(symbols), dtype=np.int64)
        for ineligible, busy in zip(self._kinds, self._happened(days.begin[-1:]), strict=True):
            day = np.array([self._days.newest])
            shares += ineligible.days(symbols, day, days.begin[-1:], busy).shares
        for time, share in ((days.opening[-1:], OPENING), (days.close[-1:], CLOSING)):
            if time[0] < self._start:
                shares += self._auctions.shares(symbols, time * _SECOND_US, share)
        return shares

    def happened(self, since: I64) -> F64:
        """Tell how much happened from some times to the start, in seconds of the mean."""
        length = self._start - since
        regular = self._days.busy(since, int(length.max()))
        return regular + self._busy.of(since, int(length.max()))

    def prints(self, symbol: int) -> Prints:
        """Give the prints of all days of a symbol."""
        days, busy = self._daily(symbol)
        columns = []
        for begin, price, mark, share in (
            (self.calendar.opening, days.open, _OPENS, OPENING),
            (self.calendar.close, days.close, _CLOSES, CLOSING),
        ):
            time, each = begin * _SECOND_US, np.ones_like(begin)
            size = self._auctions.shares(symbol * each, time, share, busy)
            columns.append((time + symbol // AT_ONCE, price, size, mark * each))
        prints = Prints(*(np.stack(c, axis=1).ravel() for c in zip(*columns, strict=True)))
        return prints.take((prints.time < self._start * _SECOND_US) & (prints.size > 0))

    def ineligible(self, symbol: int, since: int, reach: dict[int, int]) -> tuple[Cells, Cells]:
        """
        Give the odd lots, and what traded before and after regular sessions, from a time on.

        Args:
            symbol: whose.
            since: from which second on, a start of the shortest parts that there are then.
            reach: from which second on there are parts of a length.
        """
        first = int(self.calendar.at(np.array([since]))[0])
        begin, busier = self.calendar.begin[first:], self._daily(symbol)[1][first:]
        number, found = self.calendar.opening[first:] // DAY_S, []
        for ineligible, busy in zip(self._kinds, self._happened(begin), strict=True):
            cells = ineligible.days(np.array([symbol]), number, begin, busy * busier)
            cells = ineligible.parts(symbol, cells, _HOURS * HOUR_S, HOUR_S)
            done = []
            for longer, shorter in ((HOUR_S, FIVE_S), (FIVE_S, MINUTE_S), (MINUTE_S, 1)):
                cells = cells.take(cells.start > since - longer)
                known = cells.start >= reach[shorter]
                done.append(cells.take(~known))
                cells = ineligible.parts(symbol, cells.take(known), longer, shorter)
            cells = Cells.join([*done, cells])
            found.append(cells.take(cells.start >= since))
        return found[0], found[1]

    def one_by_one(self, symbol: int, cells: tuple[Cells, Cells]) -> list[tuple[I64, I64]]:
        """Give the times and sizes of the trades of some seconds of both kinds."""
        pairs = zip(self._kinds, cells, strict=True)
        return [ineligible.one_by_one(symbol, seconds) for ineligible, seconds in pairs]

    def overnight(self, symbol: int, price: int) -> Overnight:
        """Give the prices between the regular sessions of a symbol, whose price at the start is told."""
        days, _ = self._daily(symbol)
        return Overnight(
            self.calendar,
            days.close,
            days.open,
            price,
            deviation=self._days.night_deviation(symbol),
            stream=Stream(self._seed, "past.night", [self._universe.symbols[symbol]]),
        )

    def _make_daily(self, symbol: int) -> tuple[Spans, F64]:
        """Give the days on which the market opened, and how much busier than usual each is."""
        reach = self._days.reach
        row = self.calendar.opening // DAY_S - (self._days.newest - reach + 1)
        return self._days.all_of(symbol, reach).take(row), self._days.factor(symbol, reach)[row]

    def _happened(self, begin: I64) -> tuple[F64, F64]:
        """Tell how much happens in the days that begin at some times: in their regular sessions, and in the others."""
        length = _HOURS * HOUR_S
        return self._days.busy(begin, length), self._busy.of(begin, length)

    def _odd(self, symbol: int, start: I64, length: int) -> F64:
        if length < FIVE_S:
            return self._shorts.weights(symbol, start, length)
        return self._intraday.weights(np.full(len(start), symbol), start, length)[2]

    def _late(self, symbol: int, start: I64, length: int) -> F64:
        counter = (start // length << 2) + {HOUR_S: 0, FIVE_S: 1, MINUTE_S: 2}.get(length, 3)
        draws = halves(bits(self._keys[symbol], counter.astype(np.uint64)))[..., 0]
        uneven = 1 + _UNEVEN * (exponentials(draws) / EXPONENTIAL_ONE - 1)
        return self._busy.of(start, length) * uneven
