"""
The past of a market with sessions: as :mod:`ticker.backfill.past`, with what the tape of such a market has besides.

Round lots make the way of the price, which is what that has. Off this walk (:mod:`ticker.backfill.off_walk`) are the prints of auctions, and
trades that move no last price: odd lots, and those before and after the regular sessions. A bar has all of their shares, and the prices
of round lots and prints; so it is the one that the market would have made of the same trades.
"""

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.days import DAY_S
from ticker.backfill.intraday import FIVE_S
from ticker.backfill.merging import Shares, merged
from ticker.backfill.off_walk import OffWalk, Prints
from ticker.backfill.overnight import Overnight
from ticker.backfill.past import KEPT, REACH, Figures, Past
from ticker.backfill.prelude import MOST_EVENTS, MOST_SECONDS, prelude, seconds_of, traded
from ticker.backfill.quoting import Hours, Standing, Traded
from ticker.backfill.shorter import MINUTE_S
from ticker.backfill.sizes import Sizes
from ticker.backfill.spans import Spans, gathered
from ticker.batch import INTERVALS, BarTable, TickBatch
from ticker.cents import rounded, ticks_in_a_cent
from ticker.model import Model
from ticker.randomness.noise import Stream, bits, halves
from ticker.trading_day.hours import STRAIN
from ticker.universe import Universe

__all__ = ["SessionPast"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_SECOND_US = 1_000_000


class _Known(NamedTuple):
    """The trades of a symbol that are known one by one."""

    since: int
    """From which second on."""
    all: Traded
    moving: Traded
    """Those on the way of the price."""
    ineligible: Traded


class SessionPast(Past):
    """
    Bars, and the newest trades and quotes, from before the start of a market with sessions.

    Args:
        seed, universe, start_us, standing, flow, model: as for :class:`~ticker.backfill.past.Past`.
    """

    def __init__(
        self,
        seed: int,
        universe: Universe,
        start_us: int,
        standing: I64,
        *,
        flow: tuple[float, float],
        model: Model,
    ) -> None:
        self._lot = universe.column("round_lot").astype(np.int64)
        sizes, (rate, share) = Sizes.of(self._lot), flow
        if not share:  # the quotes take the place of all trades
            sizes = sizes.unbroken()
        movers = sizes.movers
        super().__init__(
            seed, universe, start_us, standing, flow=flow, model=model, movers=movers, cents=True
        )
        self._off_walk = OffWalk(
            seed,
            universe,
            self._start,
            sizes=sizes,
            trades_s=rate * (share or 1.0),
            printed=share > 0,
            parts=(self._days, self._intraday, self._shorts),
        )
        self._cent = ticks_in_a_cent(universe)
        strain = (STRAIN["pre_market"], STRAIN["post_market"]) if model.spread else (0.0, 0.0)
        self._hours = [Hours(self._off_walk.calendar, strain, cent) for cent in self._cent.tolist()]
        self._known = lru_cache(KEPT)(self._make_known)

    def _day_so_far(self) -> Figures:
        """Give the figures of the day that begins with the first session; its prices are 0 before the opening."""
        figures = super()._day_so_far()
        if not self._trade_share:
            return figures
        before, *prices = (rounded(column, self._cent) for column in figures[:4])
        opened, high, low = (price * self._off_walk.opened for price in prices)
        volume = figures.volume * self._lot + self._off_walk.today()
        return Figures(before, opened, high, low, volume)

    def _fives_so_far(self) -> tuple[int, int]:
        calendar = self._off_walk.calendar
        opening, until = int(calendar.opening[-1]), min(self._start, int(calendar.close[-1]))
        return opening % DAY_S // FIVE_S, max(0, -(-(until - opening) // FIVE_S))

    def events(self, symbol: int) -> TickBatch:
        """Give the trades and quotes of a symbol just before the start; of the trades, only prints are marked as such."""
        known, instrument = self._known(symbol), self._universe[symbol]
        bid, ask = self._standing[1:, symbol].tolist()
        return prelude(
            Stream(self._seed, "prelude", [instrument.symbol]),
            symbol,
            instrument,
            known.all,
            (known.since * _SECOND_US, self._start * _SECOND_US),
            trade_share=self._trade_share,
            standing=Standing(bid, ask),
            ladders=self._ladders,
            hours=self._hours[symbol],
        )

    def _seconds(self, symbol: int) -> int:
        rate = self._rate * self._universe[symbol].activity
        if not seconds_of(rate):
            return self._start
        calendar = self._off_walk.calendar
        (now,) = calendar.opened(np.array([self._start * _SECOND_US]))
        since = calendar.clock(now - np.arange(1, MOST_SECONDS + 1) * _SECOND_US) // _SECOND_US
        enough = np.flatnonzero(rate * self._off_walk.happened(since) >= MOST_EVENTS)
        return int(since[enough[0] if len(enough) else -1])

    def _make_known(self, symbol: int) -> _Known:
        """Make the trades that are known one by one; prices may be between cents."""
        since, price = self._seconds(symbol), int(self._standing[0, symbol])
        spans = self._shorter(symbol, self._from(symbol, since), 1, since)
        moving = self._traded(symbol, spans)
        prints = self._off_walk.prints(symbol)
        prints = prints.take(prints.time >= since * _SECOND_US)
        cells = self._off_walk.ineligible(symbol, since, self._reaches())
        (odd, odd_size), (late, late_size) = self._off_walk.one_by_one(symbol, cells)
        ends = len(self._off_walk.calendar.begin) - (1 if self._off_walk.opened else 2)
        walked = self._overnight(symbol).walk(late, begin_us=since * _SECOND_US, ends=ends)
        beaten = self._near(symbol, odd, _ordered([_of_prints(prints), moving]), price)
        ineligible = _ordered([Traded(odd, beaten, odd_size), Traded(late, walked, late_size)])
        return _Known(since, _ordered([_of_prints(prints), moving, ineligible]), moving, ineligible)

    def _traded(self, symbol: int, seconds: Spans) -> Traded:
        stream = Stream(self._seed, "prelude.trade", [self._universe.symbols[symbol]])
        trades = traded(stream, seconds, 1)  # volume is in lots
        return replace(trades, size=trades.size * self._lot[symbol])

    def _near(self, symbol: int, time: I64, priced: Traded, price: int) -> I64:
        """Give odd lots the price of the trade before or after them."""
        if not len(priced.time):
            return np.full(len(time), price)
        key = Stream(self._seed, "past.odd.side", [self._universe.symbols[symbol]]).keys
        later = (halves(bits(key, time.astype(np.uint64)))[:, 0] & 1).astype(np.int64)
        row = np.searchsorted(priced.time, time, "right") - 1 + later
        found: I64 = priced.price[np.clip(row, 0, len(priced.time) - 1)]
        return found

    def _bars(self, symbol: int, interval: str, limit: int) -> BarTable:
        """
        Give the last bars; the interval that is under way at the start comes on top, without a price, if it has only shares yet.
        """
        length = INTERVALS[interval]
        if limit <= 0 or not self._trade_share or not self._rate:
            return BarTable.empty()
        for back in sorted({min(limit, REACH), REACH}):
            table = self._table(symbol, length, self._days.since(back * length) // length * length)
            bare = int((table.open[-1:] == 0).sum())
            if len(table) - bare >= limit:
                break
        return table.take(slice(-limit - bare, None))

    def _table(self, symbol: int, length: int, since: int) -> BarTable:
        """Give the bars from a time on, with which one of that length begins."""
        finest, prints = self._finest(symbol, since), self._off_walk.prints(symbol)
        prints = prints.take(prints.time >= since * _SECOND_US)
        under_way = self._start // length * length
        return merged(
            symbol,
            length,
            gathered(finest, length),
            (prints.time // _SECOND_US, rounded(prints.price, self._cent[symbol])),
            self._shares(symbol, since, finest, prints),
            under_way=under_way if under_way < self._start else None,
        )

    def _shares(self, symbol: int, since: int, finest: Spans, prints: Prints) -> Shares:
        """Give all that was traded from a time on: one by one, where that is known."""
        known, cent, lot = self._known(symbol), self._cent[symbol], self._lot[symbol]
        parts = []
        for trades in (known.moving, known.ineligible, _of_prints(prints)):
            some = trades.time >= since * _SECOND_US
            time, price, size = trades.time[some], trades.price[some], trades.size[some]
            notional = size.astype(np.float64) * rounded(price, cent)
            parts.append(Shares(time // _SECOND_US, np.ones_like(time), size, notional))
        typical = (finest.high + finest.low + finest.close) / 3
        early = finest.start < known.since
        way = finest.take(early)
        notional = np.rint(typical[early] * way.volume) * lot
        parts.append(Shares(way.start, way.trades, way.volume * lot, notional))
        odd, late = self._off_walk.ineligible(symbol, since, self._reaches())
        # Where nothing moved the price, odd lots count as traded at the next price, which doesn't depend on the time to go back.
        price = self._standing[0, symbol]
        for cells, prices in (
            (odd, np.append(typical, price)[np.searchsorted(finest.start, odd.start)]),
            (late, self._overnight(symbol).line(late.start * _SECOND_US)),
        ):
            early = cells.start < known.since
            earlier = cells.take(early)
            notional = np.rint(earlier.shares * prices[early])
            parts.append(Shares(earlier.start, earlier.trades, earlier.shares, notional))
        return Shares.join(parts)

    def _reaches(self) -> dict[int, int]:
        return {length: self._reach(length) for length in (FIVE_S, MINUTE_S, 1)}

    def _overnight(self, symbol: int) -> Overnight:
        return self._off_walk.overnight(symbol, int(self._standing[0, symbol]))

    def _finest(self, symbol: int, since: int) -> Spans:
        """Give the shortest parts there are of the way of the price, from a time on, at whole cents from a dollar on."""
        known, done = self._from(symbol, since), []
        for longer, shorter in ((FIVE_S, MINUTE_S), (MINUTE_S, 1)):
            known = known.take(known.start > since - longer)
            shorten = known.start >= self._reach(shorter)
            done.append(known.take(~shorten))
            known = self._shorts.parts(symbol, known.take(shorten), longer, shorter)
        spans = Spans.join([*done, known])
        spans = spans.take(spans.start >= since)
        prices = (spans.open, spans.high, spans.low, spans.close)
        opened, high, low, close = (rounded(price, self._cent[symbol]) for price in prices)
        return replace(spans, open=opened, high=high, low=low, close=close)


def _of_prints(prints: Prints) -> Traded:
    return Traded(*prints)


def _ordered(parts: list[Traded]) -> Traded:
    """Put trades in the order of time; of the same time, those of earlier parts come first."""
    time, price, size = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("time", "price", "size")
    )
    marks = [np.zeros_like(part.time) if part.mark is None else part.mark for part in parts]
    order = np.argsort(time, kind="stable")
    return Traded(time[order], price[order], size[order], np.concatenate(marks)[order])
