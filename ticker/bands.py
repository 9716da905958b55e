"""
Limit up, limit down: price bands around a reference price, limit states, and pauses that end in an auction.

After the NMS "Plan to Address Extraordinary Market Volatility" (luldplan.com): quotes stop at the bands, and nothing trades
outside of them. When one side of the quote stands at a band, it is a limit state; one of 15 seconds becomes a pause of
five minutes. Simplified: a pause isn't extended, there is no straddle state, and new bands hold from the next quote on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, STATUS, TRADES, TickBatch
from ticker.rows import EXTRA, SCRIPT, grouped, insert
from ticker.rules import (
    LIMIT_STATE_S,
    PAUSE_S,
    REFERENCE_CHECK_S,
    REFERENCE_MOVE,
    REFERENCE_S,
    band_ticks,
    doubled,
)
from ticker.status import STATUSES, TRADES_IN, reason_number, status_number

__all__ = ["Bands", "limited"]

I64 = NDArray[np.int64]

_CHECK_US = REFERENCE_CHECK_S * 1_000_000
_BUCKETS = REFERENCE_S // REFERENCE_CHECK_S
_NEVER = 2**62
_TRADING, _LIMITED, _PAUSED, _OFF = range(4)  # _OFF: somebody else has stopped it

Row = tuple[int, int, int, int, int, int]
"""Time, channel, price, size, ask, ask size."""


@dataclass(slots=True)
class _SymbolRows:
    """The events of one symbol, in the order of time; prices and asks are changed in place."""

    time: I64
    channel: NDArray[np.uint8]
    origin: NDArray[np.uint8]
    price: I64
    ask: I64
    made: list[tuple[int | None, Row]] = field(default_factory=list)
    """What the rules make happen, changes of status and reopenings: behind which row; None: behind all of its time."""


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
    until_us: int = _NEVER
    """When the limit state or the pause ends."""
    bid: int = 0
    ask: int = 0
    """The newest quote, whatever the bands are."""
    reference: float = 0.0
    low: int = 0
    high: int = 0
    check_us: int = _NEVER
    sums: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    """Prices and numbers of trades, by 30 seconds, the newest last."""
    pending: float = 0.0
    """A reference price that holds from the next quote on; 0: none."""

    def run(self, rows: _SymbolRows, end_us: int) -> None:
        """Go through the events up to a time."""
        at = int(np.searchsorted(rows.time, self.from_us))
        if self.reference == 0:
            self._enter_quotes(rows, 0, at)
            if end_us <= self.from_us:
                return
            self._begin(self.from_us)
        while True:
            timer = min(self.until_us, self.check_us)
            stop = int(np.searchsorted(rows.time, min(timer, end_us - 1), "right"))
            at = self._go(rows, at, stop)
            if at < stop:
                continue  # it is in another mode from there on
            if timer >= end_us:
                return
            self._ring(rows, timer)

    def _go(self, rows: _SymbolRows, at: int, stop: int) -> int:
        """Go through rows up to the first that changes the mode, included; give the row after it."""
        if at == stop:
            return at
        part = slice(at, stop)
        quote = (rows.channel[part] == QUOTES) & (rows.origin[part] != SCRIPT)
        hit = (rows.price[part] >= self.high) | (rows.ask[part] <= self.low)
        turns = rows.channel[part] == STATUS
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

    def _hold(self, rows: _SymbolRows, at: int, end: int) -> None:
        """Keep rows inside the bands."""
        self._enter_quotes(rows, at, end)
        if self.mode not in (_TRADING, _LIMITED) or at == end:
            return
        part = slice(at, end)
        price, ask = rows.price[part], rows.ask[part]
        free = rows.origin[part] != SCRIPT
        quote, trade = ((rows.channel[part] == c) & free for c in (QUOTES, TRADES))
        price[quote] = np.minimum(price[quote], self.high)
        ask[quote] = np.maximum(ask[quote], self.low)
        price[trade] = np.clip(price[trade], self.low, self.high)
        self.sums = (*self.sums[:-1], self.sums[-1] + int(price[trade].sum()))
        self.counts = (*self.counts[:-1], self.counts[-1] + int(trade.sum()))

    def _turn(self, rows: _SymbolRows, row: int) -> None:
        """Do what a row does to the mode."""
        time = int(rows.time[row])
        if rows.channel[row] == STATUS:
            trades = STATUSES[rows.price[row]] in TRADES_IN
            if not trades:
                self.mode, self.until_us, self.check_us = _OFF, _NEVER, _NEVER
            elif self.mode in (_PAUSED, _OFF):
                self._begin(time)
            return
        if self.pending:
            self._set(self.pending, time)
        hit = rows.price[row] >= self.high or rows.ask[row] <= self.low
        if hit and self.mode == _TRADING:
            self.mode, self.until_us = _LIMITED, time + LIMIT_STATE_S * 1_000_000
            rows.made.append((row, _change(time, "limit_state")))
        elif not hit and self.mode == _LIMITED:
            self.mode, self.until_us = _TRADING, _NEVER
            rows.made.append((row, _change(time, "trading")))
        self._hold(rows, row, row + 1)

    def _ring(self, rows: _SymbolRows, time: int) -> None:
        """Do what it is time for."""
        if time == self.until_us and self.mode == _LIMITED:
            self.mode, self.until_us = _PAUSED, time + PAUSE_S * 1_000_000
            self.check_us = _NEVER
            rows.made.append((None, _change(time, "paused", "LUDP")))
        elif time == self.until_us:
            self._begin(time)
            bid, ask = min(self.bid, self.high), max(self.ask, self.low)
            middle = min(max((self.bid + self.ask) // 2, self.low), self.high)
            reopening = (
                _change(time, "trading", "LUDP"),
                (time, QUOTES, bid, 2 * self.lot, ask, 2 * self.lot),
                (time, TRADES, middle, 200 * self.lot, 0, 0),
            )
            rows.made += [(None, row) for row in reopening]
        else:
            self._check(time)

    def _check(self, time: int) -> None:
        """Look at the reference price."""
        self.check_us = time + _CHECK_US
        count = sum(self.counts)
        candidate = sum(self.sums) / count if count else self.reference
        same = doubled(time, self.day_us, self.tier, self.reference * self.tick_size)
        wide = doubled(time - _CHECK_US, self.day_us, self.tier, self.reference * self.tick_size)
        if self.mode == _TRADING:
            if abs(candidate / self.reference - 1) >= REFERENCE_MOVE:
                self.pending = candidate
            elif same != wide:
                self.pending = self.reference
        self.sums = (*self.sums, 0)[-_BUCKETS:]
        self.counts = (*self.counts, 0)[-_BUCKETS:]

    def _begin(self, time: int) -> None:
        """Begin to trade, around the middle of the newest quote."""
        self.mode, self.until_us = _TRADING, _NEVER
        self.check_us = (time // _CHECK_US + 1) * _CHECK_US
        self.sums, self.counts = (0,), (0,)
        self._set((self.bid + self.ask) / 2, time)

    def _set(self, reference: float, time: int) -> None:
        self.pending, self.reference = 0.0, reference
        wide = doubled(time, self.day_us, self.tier, reference * self.tick_size)
        distance = band_ticks(reference, self.tick_size, tier=self.tier, doubled=wide)
        self.low = max(1, round(reference) - distance)
        self.high = round(reference) + distance

    def _enter_quotes(self, rows: _SymbolRows, at: int, end: int) -> None:
        """Note the newest quote."""
        quotes = np.flatnonzero(rows.channel[at:end] == QUOTES)
        if len(quotes):
            row = at + int(quotes[-1])
            self.bid, self.ask = int(rows.price[row]), int(rows.ask[row])


def limited(
    batch: TickBatch, origin: NDArray[np.uint8], bands: Mapping[int, Bands], end_us: int
) -> tuple[TickBatch, NDArray[np.uint8], dict[int, Bands]]:
    """
    Keep the symbols that have bands inside them; prices are changed in place.

    Returns:
        The batch with what the rules make happen, where its events are from, and the bands at the end.
    """
    after: dict[int, Bands] = {}
    places: list[int] = []
    made: list[tuple[int, ...]] = []
    if not bands:
        return batch, origin, after
    order, first = grouped(batch.symbol, max(*bands, int(batch.symbol.max(initial=0))) + 1)
    for symbol, before in bands.items():
        at = order[first[symbol] : first[symbol + 1]]
        rows = _SymbolRows(
            batch.time[at], batch.channel[at], origin[at], batch.price[at], batch.ask[at]
        )
        after[symbol] = replace(before)
        after[symbol].run(rows, end_us)
        batch.price[at], batch.ask[at] = rows.price, rows.ask
        for row, values in rows.made:
            behind = np.searchsorted(batch.time, values[0], "right") if row is None else at[row] + 1
            places.append(int(behind))
            made.append((symbol, *values))
    if not made:
        return batch, origin, after
    symbols, time, channel, price, size, ask, ask_size = np.array(made, dtype=np.int64).T
    rules = TickBatch(
        symbol=symbols.astype(np.int32),
        channel=channel.astype(np.uint8),
        seq=np.zeros(len(time), dtype=np.int64),
        time=time,
        price=price,
        size=size,
        ask=ask,
        ask_size=ask_size,
    )
    return *insert(batch, origin, rules, EXTRA, np.array(places)), after


def _change(time: int, status: str, reason: str | None = None) -> Row:
    return time, STATUS, status_number(status), reason_number(reason), 0, 0
