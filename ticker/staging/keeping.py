"""Decides which of a block's events come out, by bands, statuses and silences, then numbers and marks them."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, STATUS, TRADES, TickBatch
from ticker.reference.status import QUOTES_IN, STATUSES, TRADES_IN, status_number
from ticker.regulation.bands import Bands
from ticker.regulation.breakers import Breakers
from ticker.regulation.limiting import limited
from ticker.regulation.straddling import straddling
from ticker.regulation.us import UsRules
from ticker.rows import SCRIPT, Standings, behind_trades, sequences, statuses, waiting
from ticker.staging.play import Play
from ticker.staging.repricing import Prices
from ticker.staging.taking import Shown, Taking

__all__ = ["Kept", "State", "keep"]

I64 = NDArray[np.int64]
Origin = NDArray[np.uint8]
Flags = NDArray[np.bool_]

_LIMIT_STATE = status_number("limit_state")
_MADE = np.array([[s in TRADES_IN, s in QUOTES_IN, True] for s in STATUSES])
"""By status and channel, whether the walk's events come out."""


@dataclass(slots=True)
class State:
    """Where things are at the start of a block."""

    walk_seq: I64
    """The walk's last sequences, shape (2, symbols)."""
    seq: I64
    """The last sequences that came out, shape (channels, symbols)."""
    standing: Standings
    prices: Prices
    shown: Shown
    plays: dict[Play, I64]
    """The plays that aren't over, with their levels."""
    bands: dict[int, Bands]
    """Limit up, limit down, by the symbols that have it."""
    breakers: Breakers


class Kept(NamedTuple):
    """What comes out of a block, where its events are from, and how symbols and bands stand at its end."""

    batch: TickBatch
    origin: Origin
    standing: Standings
    shown: Shown
    bands: dict[int, Bands]


def keep(
    batch: TickBatch,
    origin: Origin,
    state: State,
    end_us: int,
    taking: Taking,
    rules: UsRules | None,
    *,
    quoted: bool,
) -> Kept:
    """
    Give what comes out of a block; its prices may be changed in place.

    Args:
        batch: all events, without numbers.
        origin: where each is from.
        state: where things are at its start.
        end_us: when it ends.
        taking: takes trades off the quotes.
        rules: those of the US market, if it has them.
        quoted: whether the walk makes quotes at all.
    """
    counts = rules.counts(batch) if rules is not None else None
    batch, origin, bands, edges = limited(batch, origin, state.bands, end_us, counts)
    out, status, standing = _coming_out(batch, origin, state, quoted=quoted)
    behind = behind_trades(batch, origin) & ~_limited(batch, status)
    batch, shown = taking.take(batch, origin, behind, state.shown)
    batch, origin, status = batch[out], origin[out], status[out]
    if rules is not None:
        stands = edges[:, out], state.standing, standing
        batch, origin, status, standing = straddling(batch, origin, status, *stands)
    batch = replace(batch, seq=sequences(batch, state.seq))
    if rules is not None:
        rules.mark(batch, origin, status)
    return Kept(batch, origin, standing, shown, bands)


def _limited(batch: TickBatch, status: I64) -> Flags:
    """Tell at which events a symbol is in a limit state, or comes into one: orders queue at the band then, and none runs out."""
    limited: Flags = status == _LIMIT_STATE
    begins = (batch.channel[1:] == STATUS) & (batch.price[1:] == _LIMIT_STATE)
    begins &= (batch.symbol[1:] == batch.symbol[:-1]) & (batch.time[1:] == batch.time[:-1])
    limited[:-1] |= begins
    return limited


def _coming_out(
    batch: TickBatch, origin: Origin, state: State, *, quoted: bool
) -> tuple[Flags, I64, Standings]:
    """Tell which events come out, in which status each one's symbol is then, and how symbols stand at the end."""
    standing = state.standing
    scripted, out = origin == SCRIPT, np.ones(len(batch), dtype=bool)
    status: I64 = np.zeros(len(batch), dtype=np.int64)
    for play in state.plays:
        if play.scenario.silences:
            out &= ~play.silent(batch.symbol, batch.time)
    if standing.unusual() or STATUS in batch.channel:
        status, standing = statuses(batch, standing)
        out &= _MADE[status, batch.channel]
        quotes = (batch.channel == QUOTES) & (out | scripted)
        wait, waits = waiting(batch, ~_MADE[status, QUOTES], quotes, standing.waits)
        standing = standing._replace(waits=waits & quoted)
        # The print of an auction has its mark already, and needs no quote.
        out &= ~(wait & quoted) | (batch.channel != TRADES) | (batch.ask != 0)
    return out | scripted, status, standing
