"""
The rules of the US market, as they are laid over the walk: sessions with their auctions, marks of trades, cents above a dollar.

A trade's exchange and conditions are drawn by its sequence, so they are the same however time is cut. That nearly half of the
trades are odd lots follows from their sizes (:mod:`ticker.randomness.draws`); how many are sweeps and so on is plausible, not measured.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, STATUS, TRADES, TickBatch
from ticker.cents import ticks_in_a_cent
from ticker.randomness.noise import Stream, bits, halves
from ticker.reference.exchanges import MIX, exchange_number
from ticker.reference.marks import EXCHANGE, mark_of, with_conditions
from ticker.reference.rules import BREAKERS
from ticker.reference.status import EXTENDED, STATUSES, status_number
from ticker.regulation.bands import Bands
from ticker.regulation.breakers import Breakers, resumed
from ticker.regulation.transitions import Transitions
from ticker.rows import SCRIPT, Standings
from ticker.trading_day.sessions import opens_at, session_at
from ticker.universe import Universe

__all__ = ["RULES", "TAPE", "UsRules", "identity", "rules_named"]

I64 = NDArray[np.int64]

RULES = ("open", "us")
"""The rules that a market may have: none, and it is always open; or those of the US market."""

TAPE = 4
"""Goes up by 1 with every change after which they give other events; it is part of the epoch of a market that has them."""

_MINUTE_US = 60_000_000
_KINDS = {"F": 0.30, "X": 0.0005, "Z": 0.001, "4": 0.0005}  # of those that come at random
_HALTED, _CLOSED = status_number("halted"), status_number("closed")
_TRADING = status_number("trading")
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


def identity(universe: Universe) -> tuple[object, ...]:
    """Give what the rules add to that by which a run is named."""
    return "us", TAPE, [(i.exchange, i.tier) for i in universe]


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
        self._universe, self._start_us = universe, start_us
        self._keys = Stream(seed, "us.trade", universe.symbols).keys
        self._listing = np.array([exchange_number(i.exchange or "Q") for i in universe])
        tapes = sorted(MIX)
        self._tape = np.array([tapes.index(i.tape or "C") for i in universe])
        self._mix = np.array(
            [[exchange_number(e) for e, n in MIX[tape].items() for _ in range(n)] for tape in tapes]
        )
        self._kinds = _kinds()
        self._lot = universe.column("round_lot").astype(np.int64)
        self._transitions = Transitions(universe, seed, trades_s, self._listing)
        self._cent = ticks_in_a_cent(universe)
        self._fine = self._cent > 1

    def status(self, time_us: int) -> int:
        """Give the number of the status of the session at a time: what a symbol is in that is not halted."""
        return status_number(session_at(time_us // 1_000_000).status)

    def opens(self, time_us: int) -> int:
        """Give when the next regular session begins, in Unix seconds, where there is none at a time; else 0."""
        return 0 if self.status(time_us) == _TRADING else opens_at(time_us // 1_000_000)

    def bands(self, time_us: int, quote: I64) -> dict[int, Bands]:
        """Give limit up, limit down for all symbols, around their standing quotes, from a time on."""
        reopening, middle = with_conditions("5"), quote.sum(axis=0) / 2
        return {
            symbol: Bands(
                instrument.tier,
                instrument.tick_size,
                instrument.round_lot,
                time_us,
                time_us,
                bid=int(quote[0, symbol]),
                ask=int(quote[1, symbol]),
                us=True,
                mark=int(self._listing[symbol]) | reopening,
                cent=int(self._cent[symbol]),
                close=float(middle[symbol]),
            )
            for symbol, instrument in enumerate(self._universe)
        }

    def closing(self, bands: dict[int, Bands], now: Breakers, before: Breakers) -> dict[int, Bands]:
        """Give the bands with the closes of the day before, where a day has begun."""
        if now.close is before.close:
            return bands
        return {i: replace(one, close=float(now.close[i])) for i, one in bands.items()}

    def counts(self, batch: TickBatch) -> NDArray[np.bool_]:
        """Tell which trades count for reference prices: those of a round lot at least."""
        large: NDArray[np.bool_] = batch.size >= self._lot[batch.symbol]
        return large

    def session_begins(self, time_us: int) -> bool:
        """Tell whether a session begins at a time."""
        if time_us == self._start_us or time_us % 1_000_000:
            return False
        return session_at(time_us // 1_000_000).begin_s == time_us // 1_000_000

    def day_ends(self, second: int) -> bool:
        """Tell whether a day's statistics start over at a second, Unix time: where the first session begins."""
        session = session_at(second)
        return session.begin_s == second and session.status == "pre_market"

    def rows(
        self, begin_us: int, end_us: int, standing: Standings, breakers: Breakers
    ) -> TickBatch:
        """Give what happens to all symbols at once in a block, without numbers: its session begins, or a halt of all ends."""
        parts = []
        if self.session_begins(begin_us):
            parts.append(self._transitions.session(begin_us, standing))
        if begin_us <= breakers.until_us < end_us:
            symbols = resumed(standing)
            parts.append(self._transitions.resumption(breakers.until_us, symbols))
        return TickBatch.join(parts)

    def watch(
        self,
        batch: TickBatch,
        origin: NDArray[np.uint8],
        breakers: Breakers,
        standing: Standings,
        begin_us: int,
        end_us: int,
    ) -> tuple[Breakers, TickBatch | None]:
        """
        Look at the index over a block as it comes out.

        Returns:
            Where it is at the end, and the halt of everything, as rows without numbers, if a circuit breaker trips.
        """
        status = STATUSES[self.status(begin_us)]
        if self.session_begins(begin_us):
            if status == "pre_market":
                breakers = breakers.new_day()
            elif status == "post_market":
                breakers = breakers.closed(batch)
        if status != "trading":
            return breakers, None
        after, at_us = breakers.watch(batch, origin, begin_us, end_us)
        if at_us is None:
            return after, None
        stands, told = standing.status.copy(), (batch.channel == STATUS) & (batch.time <= at_us)
        stands[batch.symbol[told]] = batch.price[told]
        symbols = np.flatnonzero((stands != _HALTED) & (stands != _CLOSED))
        return after, self._transitions.halt(at_us, symbols, BREAKERS[after.level - 1].reason)

    def resume(self, rows: TickBatch, time_us: int) -> None:
        """Let what is to trade be in the status of the session, in place: who resumes at night is closed."""
        again = (rows.channel == STATUS) & (rows.price == _TRADING)
        rows.price[again] = self.status(time_us)
        rows.ask[again] = self.opens(time_us)

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

    def mark_past(self, batch: TickBatch) -> None:
        """Say the same of trades from before the start, of which each round lot of a regular session moves the last price."""
        minute, row = np.unique(batch.time // _MINUTE_US, return_inverse=True)
        status = np.array([self.status(at * _MINUTE_US) for at in minute.tolist()], dtype=np.int64)
        self.mark(batch, np.zeros(len(batch), dtype=np.uint8), status[row])
        moving = (batch.channel == TRADES) & (batch.size >= self._lot[batch.symbol])
        batch.ask[moving & ~_OUTSIDE[status[row]]] &= ~with_conditions("Z4")

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


def _kinds() -> I64:
    """Conditions that come at random, one for each 16-bit draw."""
    table, first = np.zeros(1 << 16, dtype=np.int64), 0
    for code, share in _KINDS.items():
        last = first + round(share * 65536)
        table[first:last] = mark_of(None, code)
        first = last
    return table
