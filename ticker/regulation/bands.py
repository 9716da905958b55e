"""
Limit up, limit down: price bands around a reference price, limit states, and pauses that end in an auction.

After the NMS "Plan to Address Extraordinary Market Volatility" (luldplan.com): quotes stop at the bands, and nothing trades
outside of them. When one side of the quote stands at a band, it is a limit state; one of 15 seconds becomes a pause of
five minutes. Under the rules of the US market it becomes five more for as long as the middle of the quote is outside of the
auction's collars, which are 5 % around the band at first and widen by as much each time (NYSE Rule 7.35A, Nasdaq Equity 4,
4120(c)(10)); and one that would last into the last ten minutes lasts until the close (section VII, Nasdaq Equity 4, 4754(b)(6)).
Straddle states are for :mod:`ticker.regulation.straddling`. Simplified: new bands hold from the next quote on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, STATUS, TRADES
from ticker.reference.rules import (
    LIMIT_STATE_S,
    REFERENCE_CHECK_S,
    REFERENCE_MOVE,
    REFERENCE_S,
    band_ticks,
)
from ticker.reference.status import REGULAR, STATUSES
from ticker.regulation.bandhours import NEVER, pause_until, wide_at
from ticker.regulation.bandrows import SymbolRows, change
from ticker.regulation.collars import bands_around, collar_around, widened
from ticker.rows import SCRIPT
from ticker.trading_day.sessions import session_at

__all__ = ["Bands"]

I64 = NDArray[np.int64]

_CHECK_US = REFERENCE_CHECK_S * 1_000_000
_BUCKETS = REFERENCE_S // REFERENCE_CHECK_S
_TRADING, _LIMITED, _PAUSED, _OFF = range(4)  # _OFF: somebody else has stopped it


@dataclass(slots=True)
class Bands:
    """The bands of one symbol, and where it stands."""

    tier: int
    tick_size: float
    lot: int
    from_us: int
    """From when on they hold."""
    day_us: int
    """When a day of the market began, from which its minutes are counted."""
    mode: int = _TRADING
    until_us: int = NEVER
    """When the limit state or the pause ends."""
    bid: int = 0
    ask: int = 0
    """The newest quote, whatever the bands are."""
    reference: float = 0.0
    low: int = 0
    high: int = 0
    check_us: int = NEVER
    sums: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    """Prices and numbers of the trades that count, by 30 seconds, the newest last."""
    close: float = 0.0
    """The last close in ticks, by which the percentage goes; 0: the first reference price is taken for it."""
    pending: float = 0.0
    """A reference price that holds from the next quote on; 0: none."""
    us: bool = False
    """Whether the market has the US sessions, and pauses are extended."""
    mark: int = 0
    """Of the print with which trading begins again."""
    cent: int = 1
    """How many ticks a cent has, if that is more than one: from a dollar on, bands are whole cents."""
    collar: tuple[int, int] = (0, 0)
    """Between which prices a pause may end."""

    def calm(self, end_us: int) -> bool:
        """Tell whether nothing turns up to a time but what events do."""
        trades = self.mode == _TRADING and self.reference > 0 and not self.pending
        return trades and end_us <= min(self.until_us, self.check_us)

    def run(self, rows: SymbolRows, end_us: int) -> None:
        """Go through the events up to a time."""
        at = int(np.searchsorted(rows.time, self.from_us))
        if self.reference == 0:
            self._enter_quotes(rows, 0, at)
            if end_us <= self.from_us:
                return
            if self.us and session_at(self.from_us // 1_000_000).status != "trading":
                self.mode, self.reference = _OFF, 1.0
            else:
                self._begin(self.from_us)
        while True:
            timer = min(self.until_us, self.check_us)
            stop = int(np.searchsorted(rows.time, min(timer, end_us - 1), "right"))
            at = self._go(rows, at, stop)
            if at < stop or timer != min(self.until_us, self.check_us):
                continue  # it is in another mode from there on
            if timer >= end_us:
                return
            self._ring(rows, timer)

    def _go(self, rows: SymbolRows, at: int, stop: int) -> int:
        """Go through rows up to the first that changes the mode, included; give the row after it."""
        if at == stop:
            return at
        part = slice(at, stop)
        quote = (rows.channel[part] == QUOTES) & (rows.origin[part] != SCRIPT)
        hit = (rows.price[part] >= self.high) | (rows.ask[part] <= self.low)
        turns = (rows.channel[part] == STATUS) | (rows.opens(part) & self.us)
        if self.mode == _TRADING:
            turns |= quote & (hit | (self.pending > 0))
        elif self.mode == _LIMITED:
            turns |= quote & ~hit
        found = np.flatnonzero(turns)
        end = at + int(found[0]) + 1 if len(found) else stop
        last = end - 1 if len(found) else end
        self._hold(rows, at, last)
        if last < end:
            self._turn(rows, last)
        return end

    def _hold(self, rows: SymbolRows, at: int, end: int) -> None:
        """Keep rows inside the bands."""
        self._enter_quotes(rows, at, end)
        if self.mode not in (_TRADING, _LIMITED) or at == end:
            return
        part = slice(at, end)
        if self.mode == _TRADING and self.us:
            rows.edges[:, part] = [[self.low], [self.high]]
        price, ask = rows.price[part], rows.ask[part]
        free = rows.origin[part] != SCRIPT
        quote, trade = ((rows.channel[part] == c) & free for c in (QUOTES, TRADES))
        price[quote] = np.minimum(price[quote], self.high)
        ask[quote] = np.maximum(ask[quote], self.low)
        price[trade] = np.clip(price[trade], self.low, self.high)
        trade &= rows.counts[part]
        self.sums = (*self.sums[:-1], self.sums[-1] + int(price[trade].sum()))
        self.counts = (*self.counts[:-1], self.counts[-1] + int(trade.sum()))

    def _turn(self, rows: SymbolRows, row: int) -> None:
        """Do what a row does to the mode."""
        time = int(rows.time[row])
        if rows.channel[row] == STATUS:
            trades = STATUSES[rows.price[row]] in REGULAR
            if not trades:
                self.mode, self.until_us, self.check_us = _OFF, NEVER, NEVER
            elif self.mode in (_PAUSED, _OFF):
                self._begin(time)
            return
        if rows.channel[row] == TRADES:
            if self.mode in (_TRADING, _LIMITED):
                self._open_at(int(rows.price[row]), time)
            return
        if self.pending:
            self._set(self.pending, time)
        hit = rows.price[row] >= self.high or rows.ask[row] <= self.low
        if hit and self.mode == _TRADING:
            self.mode, self.until_us = _LIMITED, time + LIMIT_STATE_S * 1_000_000
            rows.made.append((row, change(time, "limit_state")))
        elif not hit and self.mode == _LIMITED:
            self.mode, self.until_us = _TRADING, NEVER
            rows.made.append((row, change(time, "trading")))
        self._hold(rows, row, row + 1)

    def _ring(self, rows: SymbolRows, time: int) -> None:
        """Do what it is time for."""
        if time == self.until_us and self.mode == _LIMITED:
            self.mode, self.until_us = _PAUSED, pause_until(time, us=self.us)
            self.check_us = NEVER
            rows.made.append((None, change(time, "paused", "LUDP")))
            trigger = self.high if self.bid >= self.high else self.low
            self.collar = collar_around(trigger, self.tick_size)
        elif time != self.until_us:
            self._check(time)
        elif self.us and self._extend():
            self.until_us = pause_until(time, us=self.us)
            rows.made.append((None, change(time, "paused", "LUDP")))
        else:
            self._reopen(rows, time)

    def _extend(self) -> bool:
        """Tell whether the price is outside of the collars, and widen them then."""
        before = self.collar
        self.collar = widened(before, (self.bid + self.ask) // 2, self.tick_size)
        return self.collar != before

    def _reopen(self, rows: SymbolRows, time: int) -> None:
        self._begin(time)
        bid, ask = min(self.bid, self.high), max(self.ask, self.low)
        middle = min(max((self.bid + self.ask) // 2, self.low), self.high)
        if middle >= 100 * self.cent:
            middle = middle // self.cent * self.cent
        if self.us:
            self._open_at(middle, time)
        edges = (self.low, self.high) if self.us else (0, 0)
        reopening = (
            change(time, "trading", "LUDP"),
            (time, QUOTES, bid, 2 * self.lot, ask, 2 * self.lot, *edges),
            (time, TRADES, middle, 200 * self.lot, self.mark, 0, 0, 0),
        )
        rows.made += [(None, row) for row in reopening]

    def _check(self, time: int) -> None:
        """Look at the reference price."""
        self.check_us = time + _CHECK_US
        count = sum(self.counts)
        candidate = sum(self.sums) / count if count else self.reference
        same, wide = (self._wide(at) for at in (time, time - _CHECK_US))
        if self.mode == _TRADING:
            if abs(candidate / self.reference - 1) >= REFERENCE_MOVE:
                self.pending = candidate
            elif same != wide:
                self.pending = self.reference
        self.sums = (*self.sums, 0)[-_BUCKETS:]
        self.counts = (*self.counts, 0)[-_BUCKETS:]

    def _begin(self, time: int) -> None:
        """Begin to trade, around the middle of the newest quote."""
        self.mode, self.until_us = _TRADING, NEVER
        self.check_us = (time // _CHECK_US + 1) * _CHECK_US
        self.sums, self.counts = (0,), (0,)
        self._set((self.bid + self.ask) / 2, time)

    def _open_at(self, price: int, time: int) -> None:
        """Start over around the price of an auction, which is the first that counts."""
        self.sums, self.counts = (price,), (1,)
        self._set(price, time)

    def _set(self, reference: float, time: int) -> None:
        self.pending, self.reference = 0.0, reference
        self.close = self.close or reference
        distance = band_ticks(
            reference, self.tick_size, tier=self.tier, close=self.close, doubled=self._wide(time)
        )
        self.low, self.high = bands_around(round(reference), distance, self.cent)

    def _wide(self, time: int) -> bool:
        """Tell whether the bands are twice as wide at a time."""
        price = self.close * self.tick_size
        return wide_at(time, self.day_us, self.tier, price, us=self.us)

    def _enter_quotes(self, rows: SymbolRows, at: int, end: int) -> None:
        """Note the newest quote."""
        quotes = np.flatnonzero(rows.channel[at:end] == QUOTES)
        if len(quotes):
            row = at + int(quotes[-1])
            self.bid, self.ask = int(rows.price[row]), int(rows.ask[row])
