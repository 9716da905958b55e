"""
The market-wide circuit breakers: everything halts when the index has fallen by 7, 13 or 20 % since the last close.

After NYSE Rule 7.12: the first two levels halt for 15 minutes, but not in the last 35 of the regular session; the third for the
rest of the day; each trips once a day. The index is not the S&P 500's but the mean of all symbols' last prices over their last
closes, looked at each second; where there are fewer than ten symbols it would be no index, and nothing trips. What is scripted
counts for nothing in it, so that a test's single trade doesn't halt its market. On its first day, a market's closes are the prices at its start.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ticker.batch import TRADES, TickBatch
from ticker.reference.marks import moves, with_conditions
from ticker.reference.rules import BREAKERS
from ticker.reference.status import reason_number, status_number
from ticker.rows import SCRIPT, Standings
from ticker.trading_day.sessions import session_at

__all__ = ["FEWEST", "Breakers", "resumed"]

I64 = NDArray[np.int64]

FEWEST = 10
"""With fewer symbols there is no index."""

_NEVER = 2**62
_SECOND_US = 1_000_000
_LAST_S = 35 * 60
_HALTED = status_number("halted")
_FOR_A_WHILE = [reason_number(breaker.reason) for breaker in BREAKERS if breaker.halt_s]
_CLOSING = with_conditions("6")


@dataclass(frozen=True, slots=True)
class Breakers:
    """Where the index is."""

    last: I64
    """The last prices in ticks, shape (symbols,)."""
    close: I64
    """Those at the end of the last regular session."""
    level: int = 0
    """How many levels have tripped today."""
    until_us: int = _NEVER
    """When trading resumes."""

    def new_day(self) -> "Breakers":
        """Begin a new day."""
        return Breakers(self.last, self.last)

    def closed(self, batch: TickBatch) -> "Breakers":
        """Enter the prints of the closing auctions."""
        prints = (batch.channel == TRADES) & (batch.ask & _CLOSING > 0)
        last = self.last.copy()
        last[batch.symbol[prints]] = batch.price[prints]
        return replace(self, last=last)

    def watch(
        self, batch: TickBatch, origin: NDArray[np.uint8], begin_us: int, end_us: int
    ) -> tuple["Breakers", int | None]:
        """
        Look at the index in each second of a block as it comes out, which is of one regular session.

        Returns:
            Where it is at the end, and when a level tripped, if one did: :attr:`level` says which.
        """
        until = _NEVER if self.until_us < end_us else self.until_us
        counts = (batch.channel == TRADES) & (origin != SCRIPT)
        rows = np.flatnonzero(counts)
        rows = rows[moves(batch.ask[rows]).last]
        time, symbol, price = batch.time[rows], batch.symbol[rows], batch.price[rows]
        last, at = self.last.copy(), 0
        if len(last) < FEWEST:
            last[symbol] = price
            return replace(self, last=last, until_us=until), None
        for second in range(-(-begin_us // _SECOND_US), -(-end_us // _SECOND_US)):
            upto = int(np.searchsorted(time, second * _SECOND_US))
            last[symbol[at:upto]] = price[at:upto]
            at = upto
            level = self._reached(last, second)
            if level > self.level:
                halt_s = BREAKERS[level - 1].halt_s
                until = _NEVER if halt_s is None else (second + halt_s) * _SECOND_US
                return Breakers(last, self.close, level, until), second * _SECOND_US
        last[symbol[at:]] = price[at:]
        return replace(self, last=last, until_us=until), None

    def _reached(self, last: I64, second: int) -> int:
        """Give the highest level that may trip."""
        # A running sum, whose last bit is the same on every machine.
        decline = 1 - float(np.cumsum(last / self.close)[-1]) / len(last)
        late = session_at(second).end_s - second < _LAST_S
        levels = [n for n, one in enumerate(BREAKERS, 1) if decline >= one.decline]
        return max((n for n in levels if not (late and BREAKERS[n - 1].halt_s)), default=0)


def resumed(standing: Standings) -> I64:
    """Give the symbols that a level halts which is not for the rest of the day."""
    halted = (standing.status == _HALTED) & np.isin(standing.reason, _FOR_A_WHILE)
    return np.flatnonzero(halted)
