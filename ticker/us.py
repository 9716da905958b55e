"""
The rules of the US market, as they are laid over the walk: sessions with their auctions, marks of trades, cents above a dollar.

What trades say of themselves is drawn by their sequence, so it is the same however time is cut. That nearly half of the
trades are odd lots comes from their sizes (:mod:`ticker.draws`); how many are sweeps and so on is plausible, not measured.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, STATUS, TRADES, BarTable, TickBatch
from ticker.draws import mean_trade_lots
from ticker.exchanges import MIX, exchange_number
from ticker.marks import EXCHANGE, mark_of, with_conditions
from ticker.noise import Stream, bits, halves
from ticker.rows import SCRIPT, Standings
from ticker.rules import BREAKERS
from ticker.sessions import regular_within, session_at
from ticker.shape import DAY_S
from ticker.status import EXTENDED, STATUSES, reason_number, status_number
from ticker.universe import Universe

__all__ = ["RULES", "UsRules", "rules_named"]

I64 = NDArray[np.int64]

RULES = ("open", "us")
"""The rules that a market may have: none, and it is always open; or those of the US market."""

_AT_ONCE = (
    1_000  # symbols whose session changes in the same microsecond: a message must hold their events
)
_OPENING, _CLOSING = 0.015, 0.08  # the share of a day's volume in the auctions
_KINDS = {"F": 0.30, "X": 0.0005, "Z": 0.001, "4": 0.0005}  # of those that come at random
_CENT = 0.01
_HALTED, _TRADING = status_number("halted"), status_number("trading")
_BREAKERS = [reason_number(breaker.reason) for breaker in BREAKERS]
_OUTSIDE = np.array([status in EXTENDED for status in STATUSES])


def rules_named(name: str) -> str:
    """
    Give the name of rules, if it is one.

    Raises:
        ValueError: there are none of this name.
    """
    if name not in RULES:
        raise ValueError(f"rules {name!r} is not one of {', '.join(RULES)}")
    return name


class UsRules:
    """
    The rules for the symbols of one market.

    Args:
        universe: what is traded.
        seed: the market's seed.
        trades_s: trades a second and symbol, on the average of the regular session.
        start_us: Unix time of the market's start, in microseconds.
    """

    def __init__(self, universe: Universe, seed: int, trades_s: float, start_us: int) -> None:
        self._start_us = start_us
        self._keys = Stream(seed, "us.trade", universe.symbols).keys
        self._days = Stream(seed, "us.auction", universe.symbols).keys
        self._listing = np.array([exchange_number(i.exchange or "Q") for i in universe])
        tapes = sorted(MIX)
        self._tape = np.array([tapes.index(i.tape or "C") for i in universe])
        self._mix = np.array(
            [[exchange_number(e) for e, n in MIX[tape].items() for _ in range(n)] for tape in tapes]
        )
        self._kinds = _kinds()
        self._lot = universe.column("round_lot").astype(np.int64)
        shares = trades_s * universe.column("activity") * mean_trade_lots() * self._lot
        self._day_volume = shares * DAY_S
        self._cent = np.maximum(1, np.rint(_CENT / universe.column("tick_size"))).astype(np.int64)
        self._fine = self._cent > 1

    def status(self, time_us: int) -> int:
        """Give the number of the status of the session at a time: what a symbol is in that is not halted."""
        return status_number(session_at(time_us // 1_000_000).status)

    def turns(self, time_us: int) -> bool:
        """Tell whether a session begins at a time."""
        if time_us == self._start_us or time_us % 1_000_000:
            return False
        return session_at(time_us // 1_000_000).begin_s == time_us // 1_000_000

    def day_ends(self, second: int) -> bool:
        """Tell whether a day's statistics begin anew at a second, Unix time: where the first session begins."""
        session = session_at(second)
        return session.begin_s == second and session.status == "pre_market"

    def session_rows(self, time_us: int, standing: Standings) -> TickBatch:
        """
        Give the changes of status with which a session begins, and the prints of its auction, as rows of no number.

        A symbol that is halted stays so, whatever the session; only the halts of the market-wide circuit breakers end with
        the day.

        Args:
            time_us: when it begins.
            standing: how the symbols stand.
        """
        now, before = self.status(time_us), self.status(time_us - 1)
        stays = standing.status == _HALTED
        if STATUSES[now] == "pre_market":
            stays &= ~np.isin(standing.reason, _BREAKERS)
        symbols = np.flatnonzero((standing.status != now) & ~stays)
        times = time_us + symbols // _AT_ONCE
        kinds = [_Rows(symbols, times, STATUS, np.full(len(symbols), now))]
        auction = "O" if now == _TRADING else "6" if before == _TRADING else None
        if auction:
            size = self._auction(time_us, symbols, _OPENING if auction == "O" else _CLOSING)
            some = size > 0
            mark = self._listing[symbols] | with_conditions(auction)
            ones = np.ones(int(some.sum()), dtype=np.int64)
            print_ = _Rows(symbols[some], times[some], TRADES, ones, size[some], mark[some])
            kinds = [*kinds, print_] if auction == "O" else [print_, *kinds]
        return _joined(kinds)

    def resume(self, rows: TickBatch, time_us: int) -> None:
        """Let what is to trade be in the status of the session, in place: who resumes at night is closed."""
        again = (rows.channel == STATUS) & (rows.price == _TRADING)
        rows.price[again] = self.status(time_us)

    def _auction(self, time_us: int, symbols: I64, share: float) -> I64:
        """Give the shares of an auction's print: whole round lots, at least one where anything trades."""
        counter = np.full(len(symbols), time_us, dtype=np.uint64)
        draws = halves(bits(self._days[symbols], counter))[:, 0] / 65536
        lots = self._day_volume[symbols] * share * (0.6 + 0.8 * draws) / self._lot[symbols]
        whole = np.where(self._day_volume[symbols] > 0, np.maximum(1, np.rint(lots)), 0)
        return whole.astype(np.int64) * self._lot[symbols]

    def traded(self, bars: BarTable, length_s: int, limit: int) -> BarTable:
        """Give the last of those bars in whose interval there is a part of a regular session, at most ``limit``."""
        starts = (bars.start // 1_000_000).tolist()
        kept = [row for row, start in enumerate(starts) if regular_within(start, start + length_s)]
        return bars.take(np.array(kept[-limit:], dtype=np.intp))

    def mark(self, batch: TickBatch, origin: NDArray[np.uint8], status: I64) -> None:
        """
        Say of each trade where it was made and what is special about it, in place.

        What is scripted is taken at its word, and so is what has a condition; it is of the exchange that lists it, if
        nobody says otherwise.

        Args:
            batch: numbered events.
            origin: where each is from.
            status: of each event's symbol then.
        """
        rows = np.flatnonzero(batch.channel == TRADES)
        symbol, own = batch.symbol[rows], batch.ask[rows]
        draws = halves(bits(self._keys[symbol], batch.seq[rows].astype(np.uint64)))
        place = draws[:, 0].astype(np.int64) * 1_000 >> 16
        made = self._mix[self._tape[symbol], place] | self._kinds[draws[:, 1]]
        made |= np.where(batch.size[rows] < self._lot[symbol], with_conditions("I"), 0)
        made |= np.where(_OUTSIDE[status[rows]], with_conditions("T"), 0)
        told = own | np.where((own & EXCHANGE) == 0, self._listing[symbol], 0)
        batch.ask[rows] = np.where((own != 0) | (origin[rows] == SCRIPT), told, made)

    def round(self, batch: TickBatch, origin: NDArray[np.uint8]) -> None:
        """
        Put prices from a dollar on to whole cents, in place, where the grid is finer (17 CFR 242.612).

        Quotes are only widened by that, and trades stay inside them. What is scripted stays as it is.
        """
        rows = np.flatnonzero(
            self._fine[batch.symbol] & (origin != SCRIPT) & (batch.channel <= QUOTES)
        )
        cent, price, ask = self._cent[batch.symbol[rows]], batch.price[rows], batch.ask[rows]
        dollar, quote = 100 * cent, batch.channel[rows] == QUOTES
        nearest = (price + np.where(quote, 0, cent // 2)) // cent * cent
        batch.price[rows] = np.where(price >= dollar, nearest, price)
        batch.ask[rows] = np.where(quote & (ask > dollar), -(-ask // cent) * cent, ask)


class _Rows(NamedTuple):
    symbol: I64
    time: I64
    channel: int
    price: I64
    size: I64 | int = 0
    ask: I64 | int = 0


def _joined(kinds: list[_Rows]) -> TickBatch:
    """Put rows of several kinds together, in the order of time, then of symbols, then of kinds."""
    columns = [np.concatenate([_full(kind, i) for kind in kinds]) for i in range(6)]
    order = np.lexsort((columns[0], columns[1]))  # a stable sort: kinds stay in order
    symbol, time, channel, price, size, ask = (column[order] for column in columns)
    none = np.zeros(len(symbol), dtype=np.int64)
    return TickBatch(
        symbol.astype(np.int32), channel.astype(np.uint8), none, time, price, size, ask, none
    )


def _full(kind: _Rows, column: int) -> I64:
    return np.broadcast_to(np.asarray(kind[column], dtype=np.int64), kind.symbol.shape)


def _kinds() -> I64:
    """Conditions that come at random, one for each 16-bit draw."""
    table, first = np.zeros(1 << 16, dtype=np.int64), 0
    for code, share in _KINDS.items():
        last = first + round(share * 65536)
        table[first:last] = mark_of(None, code)
        first = last
    return table
