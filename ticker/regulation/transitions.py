"""What happens to all symbols at once: changes of session with their auctions, market-wide halts and their ends."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, STATUS, TRADES, TickBatch
from ticker.processes.auctions import AT_ONCE, CLOSING, OPENING, Auctions
from ticker.reference.marks import with_conditions
from ticker.reference.rules import BREAKERS
from ticker.reference.status import STATUSES, TRADES_IN, reason_number, status_number
from ticker.rows import Standings
from ticker.trading_day.sessions import opens_at, session_at
from ticker.universe import Universe

__all__ = ["Transitions"]

I64 = NDArray[np.int64]

_HALTED, _TRADING = status_number("halted"), status_number("trading")
_TRADES = np.array([status in TRADES_IN for status in STATUSES])
_BREAKERS = [reason_number(breaker.reason) for breaker in BREAKERS]


class Transitions:
    """
    Gives the events of such moments, as rows without numbers; prints and quotes have places in the quote instead of prices.

    Args:
        universe: what is traded.
        seed: the market's seed.
        trades_s: trades a second and symbol, on the average of the regular session.
        listing: the number of the exchange that lists each symbol.
    """

    def __init__(self, universe: Universe, seed: int, trades_s: float, listing: I64) -> None:
        self._auctions = Auctions(universe, seed, trades_s)
        self._listing = listing
        self._lot = universe.column("round_lot").astype(np.int64)

    def session(self, time_us: int, standing: Standings) -> TickBatch:
        """
        Give the changes of status with which a session begins, and the prints of its auction, as rows of no number.

        A symbol that is halted stays so, whatever the session; only the halts of the market-wide circuit breakers end with
        the day. One that is paused, or quoted only, closes with a quote and its print, behind the change.

        Args:
            time_us: when it begins.
            standing: how the symbols stand.
        """
        second = time_us // 1_000_000
        now, before = _status(second), _status(second - 1)
        stays = standing.status == _HALTED
        if STATUSES[now] == "pre_market":
            stays &= ~np.isin(standing.reason, _BREAKERS)
        symbols = np.flatnonzero((standing.status != now) & ~stays)
        times = time_us + symbols // AT_ONCE
        opens = 0 if now == _TRADING else opens_at(second)
        changes = _Rows(symbols, times, STATUS, np.full(len(symbols), now), ask=opens)
        auction = "O" if now == _TRADING else "6" if before == _TRADING else None
        if auction is None:
            return _joined([changes])
        size = self._auction(time_us, symbols, OPENING if auction == "O" else CLOSING)
        mark = self._listing[symbols] | with_conditions(auction)
        first = _TRADES[standing.status[symbols]] & (auction == "6")
        ahead, behind = (
            _Rows(
                symbols[some], times[some], TRADES, np.ones_like(size[some]), size[some], mark[some]
            )
            for some in ((size > 0) & first, (size > 0) & ~first)
        )
        if auction == "O":
            return _joined([changes, behind])
        none, lots = np.zeros_like(behind.time), 2 * self._lot[behind.symbol]
        quotes = _Rows(behind.symbol, behind.time, QUOTES, none, lots, none, lots)
        return _joined([ahead, changes, quotes, behind])

    def halt(self, time_us: int, symbols: I64, reason: str) -> TickBatch:
        """Give a halt of some symbols."""
        none = np.zeros(len(symbols), dtype=np.int64)
        times = time_us + symbols // AT_ONCE
        return _joined(
            [_Rows(symbols, times, STATUS, none + _HALTED, none + reason_number(reason))]
        )

    def resumption(self, time_us: int, symbols: I64) -> TickBatch:
        """Give the end of a halt of some symbols: a quote, and a print of an auction."""
        none, times = np.zeros(len(symbols), dtype=np.int64), time_us + symbols // AT_ONCE
        size, lots = self._auction(time_us, symbols, OPENING), 2 * self._lot[symbols]
        some = size > 0
        mark = self._listing[symbols] | with_conditions("5")
        kinds = [
            _Rows(symbols, times, STATUS, none + _TRADING, none + reason_number("MWCQ")),
            _Rows(symbols, times, QUOTES, none, lots, none, lots),
            _Rows(symbols[some], times[some], TRADES, none[some] + 1, size[some], mark[some]),
        ]
        return _joined(kinds)

    def _auction(self, time_us: int, symbols: I64, share: float) -> I64:
        """Give the shares of an auction's print."""
        return self._auctions.shares(symbols, np.full(len(symbols), time_us), share)


class _Rows(NamedTuple):
    symbol: I64
    time: I64
    channel: int
    price: I64
    size: I64 | int = 0
    ask: I64 | int = 0
    ask_size: I64 | int = 0


def _joined(kinds: list[_Rows]) -> TickBatch:
    """Put rows of several kinds together, in the order of time, then of symbols, then of kinds."""
    columns = [np.concatenate([_full(kind, i) for kind in kinds]) for i in range(7)]
    order = np.lexsort((columns[0], columns[1]))  # a stable sort: kinds stay in order
    symbol, time, channel, price, size, ask, ask_size = (column[order] for column in columns)
    none = np.zeros(len(symbol), dtype=np.int64)
    return TickBatch(
        symbol.astype(np.int32), channel.astype(np.uint8), none, time, price, size, ask, ask_size
    )


def _full(kind: _Rows, column: int) -> I64:
    return np.broadcast_to(np.asarray(kind[column], dtype=np.int64), kind.symbol.shape)


def _status(second: int) -> int:
    return status_number(session_at(second).status)
