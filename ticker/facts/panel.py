"""
The evidence: what is kept of a tape while it passes by, session by session.

For each second: the standing quote, trades and volume, until its session is over. For each minute: the middle price, the
spread, the volume and the range of trades. Where only a sum is needed: the sum. So a tape of any number of events
takes the memory of one session's seconds and of all sessions' minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ticker.facts.measures import fano
from ticker.facts.ticks import Ticks, lee_ready

__all__ = ["BOUNCE_LAGS", "SIGN_LAGS", "Panel"]

F64 = NDArray[np.float64]

SIGN_LAGS = 50
"""Autocorrelations of trade signs are measured up to this lag."""

BOUNCE_LAGS = 10
"""Those of changes of the trade price, in trades."""

_FANO_BLOCK_S = 1800


@dataclass(slots=True)
class _Lagged:
    """Sums for autocorrelations of many symbols' series, which come in pieces."""

    product: F64
    """Sum of products, shape (symbols, lags + 1)."""
    count: F64

    @classmethod
    def of(cls, symbols: int, lags: int) -> "_Lagged":
        return cls(np.zeros((symbols, lags + 1)), np.zeros((symbols, lags + 1)))

    def add(self, symbol: NDArray[np.int64], values: F64) -> None:
        """Add a piece, in symbol order; its means are taken as 0."""
        symbols, lags = self.product.shape
        length = np.bincount(symbol, minlength=symbols)
        first = np.cumsum(length) - length
        # One row a symbol, with zeros behind, which add nothing to a product.
        rows = np.zeros((symbols, int(length.max(initial=0)) + lags))
        rows[symbol, np.arange(len(symbol)) - first[symbol]] = values
        for lag in range(lags):
            early = rows[:, : rows.shape[1] - lag]
            self.product[:, lag] += np.einsum("ij,ij->i", early, rows[:, lag:])
            self.count[:, lag] += np.maximum(length - lag, 0)

    def correlation(self) -> F64:
        """Autocorrelations at the lags from 1, shape (symbols, lags)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            covariance = self.product / self.count
            return covariance[:, 1:] / covariance[:, :1]


@dataclass(slots=True)
class _Day:
    """What is kept of each minute of a session, shape (symbols, minutes); ``middle`` has the start too."""

    middle: F64
    spread: F64
    volume: F64
    open: F64
    high: F64
    low: F64
    close: F64


@dataclass(slots=True)
class _Fano:
    second: list[F64] = field(default_factory=list)
    minute: list[F64] = field(default_factory=list)


class Panel:
    """
    Evidence about some symbols over some sessions.

    Args:
        sectors: the sector of each symbol; all the same if unknown.
        seconds: the length of a session, in whole minutes.
        unquoted: which symbols have no quotes, so that their price is that of their trades; None: none.
    """

    def __init__(
        self, sectors: Sequence[str], seconds: int, unquoted: NDArray[np.bool_] | None = None
    ) -> None:
        if seconds < 60 or seconds % 60:
            raise ValueError(f"session of {seconds!r} s is not a number of whole minutes")
        self.sectors = np.array(sectors)
        self.seconds = seconds
        symbols = len(sectors)
        self.unquoted = np.zeros(symbols, dtype=bool) if unquoted is None else unquoted
        self._signs = _Lagged.of(symbols, SIGN_LAGS)
        self._bounce = _Lagged.of(symbols, BOUNCE_LAGS)
        self._days: list[_Day] = []
        self._fano = _Fano()
        self._products = np.zeros((symbols, symbols))
        self._bid, self._ask = np.full(symbols, np.nan), np.full(symbols, np.nan)
        self.crossed = 0
        """How many quotes had a bid that was not below the ask."""
        self.smallest = np.inf
        """The smallest spread of all quotes, in ticks."""
        self.trades = 0
        self.quotes = 0
        self._open_session()

    @property
    def sessions(self) -> int:
        """How many sessions are complete."""
        return len(self._days)

    def add(self, ticks: Ticks) -> None:
        """Add the next stretch of the session under way; times are since its start. Linear in its rows."""
        if not len(ticks):
            return
        sign = lee_ready(ticks, self._bid, self._ask)
        trade = ~ticks.quote
        symbol, price, size = ticks.symbol[trade], ticks.price[trade], ticks.size[trade]
        self._signs.add(symbol[sign != 0], sign[sign != 0].astype(np.float64))
        change = np.diff(price)
        same = symbol[1:] == symbol[:-1]
        self._bounce.add(symbol[1:][same], change[same])
        second = ticks.time // 1_000_000
        symbols = len(self.sectors)
        at = symbol * self.seconds + second[trade]
        self._count += np.bincount(at, minlength=symbols * self.seconds).reshape(symbols, -1)
        self._volume += np.bincount(at, size, symbols * self.seconds).reshape(symbols, -1)
        self._range(symbol * (self.seconds // 60) + second[trade] // 60, price)
        quote = ticks.quote
        bid, ask, of = ticks.price[quote], ticks.ask[quote], ticks.symbol[quote]
        key = of * self.seconds + second[quote]
        last = _ends(key)
        self._bids.reshape(-1)[key[last]], self._asks.reshape(-1)[key[last]] = bid[last], ask[last]
        if self.unquoted.any():
            alone = self.unquoted[symbol]
            key, price = at[alone], price[alone]
            last = _ends(key)
            for prices in (self._bids, self._asks):
                prices.reshape(-1)[key[last]] = price[last]
        last = _ends(of)
        self._bid[of[last]], self._ask[of[last]] = bid[last], ask[last]
        self.crossed += int((bid >= ask).sum())
        self.smallest = min(self.smallest, float((ask - bid).min(initial=np.inf)))
        self.trades += len(symbol)
        self.quotes += len(bid)

    def close_session(self, *, night: bool = False) -> None:
        """End the session under way, and begin another; ``night``: not at once, so that no quote stands until then."""
        bid, ask = (_filled(c, b) for c, b in ((self._bids, self._bid0), (self._asks, self._ask0)))
        middle = (bid + ask) / 2
        log = np.log(middle)
        change = np.diff(log, axis=1)
        self._products += change @ change.T
        symbols = len(self.sectors)
        minutes = (symbols, -1, 60)
        self._days.append(
            _Day(
                np.concatenate((middle[:, :1], middle[:, 59::60]), axis=1),
                (ask - bid).reshape(minutes).mean(axis=2),
                self._volume.reshape(minutes).sum(axis=2),
                *self._bars,
            )
        )
        block = min(_FANO_BLOCK_S, self.seconds)
        self._fano.second.append(fano(self._count, block))
        self._fano.minute.append(fano(self._count.reshape(minutes).sum(axis=2), block // 60))
        if night:
            self._bid[:], self._ask[:] = np.nan, np.nan
        self._open_session()

    def column(self, name: str) -> F64:
        """Give one measure of each minute, shape (symbols, sessions, minutes)."""
        return np.stack([getattr(day, name) for day in self._days], axis=1)

    def returns(self) -> F64:
        """Give the logarithmic returns of the middle price, minute by minute."""
        if not self.sessions:
            return np.empty((len(self.sectors), 0, 0))
        return np.diff(np.log(self.column("middle")), axis=2)

    def usable(self) -> NDArray[np.bool_]:
        """Tell which symbols have a price in every session, and moved: only these say something."""
        returns = self.returns()
        moved = np.nan_to_num(np.abs(returns)).sum(axis=(1, 2)) > 0
        return np.asarray(np.isfinite(returns).all(axis=(1, 2)) & moved)

    def fano(self) -> tuple[F64, F64]:
        """Give the Fano factors of trades in a second and in a minute, of each symbol."""
        return np.mean(self._fano.second, axis=0), np.mean(self._fano.minute, axis=0)

    def second_correlation(self) -> F64:
        """Give the correlations of returns of a second, shape (symbols, symbols)."""
        scale = np.sqrt(np.diag(self._products))
        with np.errstate(invalid="ignore", divide="ignore"):
            found: F64 = self._products / np.outer(scale, scale)
        return found

    def signs(self) -> F64:
        """Give the autocorrelations of trade signs, shape (symbols, lags)."""
        return self._signs.correlation()

    def bounce(self) -> F64:
        """Give the autocorrelations of the changes of the trade price, shape (symbols, lags)."""
        return self._bounce.correlation()

    def _open_session(self) -> None:
        shape = len(self.sectors), self.seconds
        self._bids, self._asks = np.full(shape, np.nan), np.full(shape, np.nan)
        self._bid0, self._ask0 = self._bid.copy(), self._ask.copy()
        self._count, self._volume = np.zeros(shape), np.zeros(shape)
        self._bars = [np.full((shape[0], self.seconds // 60), np.nan) for _ in range(4)]

    def _range(self, key: NDArray[np.int64], price: F64) -> None:
        """Put trades into the bars of their minutes; ``key`` is symbol times minutes, plus the minute."""
        if not len(key):
            return
        starts = np.flatnonzero(np.diff(key, prepend=-1))
        at = key[starts]
        opening, high, low, close = (bars.reshape(-1) for bars in self._bars)
        opening[at] = np.where(np.isnan(opening[at]), price[starts], opening[at])
        high[at] = np.fmax(high[at], np.maximum.reduceat(price, starts))
        low[at] = np.fmin(low[at], np.minimum.reduceat(price, starts))
        close[at] = price[_ends(key)]


def _ends(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the last row of each group of equal keys, which are in order."""
    return np.flatnonzero(np.diff(key, append=-1))


def _filled(values: F64, before: F64) -> F64:
    """Carry each symbol's values forward over seconds without one; before the first, take the first one."""
    known = np.isfinite(values)
    first = np.argmax(known, axis=1)
    head = np.where(np.isfinite(before), before, values[np.arange(len(values)), first])
    values = np.concatenate((head[:, None], values), axis=1)
    known = np.isfinite(values)
    column = np.maximum.accumulate(np.where(known, np.arange(values.shape[1]), 0), axis=1)
    filled: F64 = np.take_along_axis(values, column, axis=1)
    return filled[:, 1:]
