"""
Straddling: tells when a quote has a bid below its bands or an ask above them.

That is a straddle state, unless it is a limit state (NMS "Plan to Address Extraordinary Market Volatility", section VII(A)(2)). It is
told, under the rules of the US market, and trading goes on. The listing exchange may declare a pause then if trading "deviates
from normal trading characteristics"; that is its judgement, and nobody's here.

It goes by the quotes that come out, whose prices are final: one that a trade leaves, when the level behind is beyond a band, straddles it.
"""

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, STATUS, TickBatch
from ticker.reference.status import status_number
from ticker.rows import EXTRA, SCRIPT, Standings, grouped, insert

__all__ = ["straddling"]

I64 = NDArray[np.int64]
Origin = NDArray[np.uint8]
Flags = NDArray[np.bool_]

_TRADING, _STRADDLES = status_number("trading"), status_number("straddle_state")


def straddling(
    batch: TickBatch,
    origin: Origin,
    status: I64,
    edges: I64,
    before: Standings,
    after: Standings,
) -> tuple[TickBatch, Origin, I64, Standings]:
    """
    Tell of the straddle states of a block.

    Args:
        batch: what comes out, without numbers; statuses are changed in place.
        origin: where each is from.
        status: of each event's symbol then, but for straddle states.
        edges: the bands at each event, shape (2, events); 0 where a quote is free to be anywhere.
        before: how symbols stand before the block.
        after: how they stand at its end, but for straddle states.

    Returns:
        The batch with changes of status right behind quotes, where its events are from, their statuses, and how symbols stand.
    """
    told = batch.channel == STATUS
    asked = (batch.channel == QUOTES) & (edges[1] > 0) & (origin != SCRIPT)
    outside = asked & ((batch.price < edges[0]) | (batch.ask > edges[1]))
    if not (outside.any() or (before.status == _STRADDLES).any()):
        return batch, origin, status, after
    ends = _ends(batch, origin, asked)
    batch.price[ends] = np.where(outside[ends - 1], _STRADDLES, batch.price[ends])
    asked[ends - 1] = False
    turns = _turns(batch, told, asked, outside, before)
    none = np.zeros(len(turns), dtype=np.int64)
    rows = TickBatch.unnumbered(
        symbol=batch.symbol[turns],
        channel=none + STATUS,
        time=batch.time[turns],
        price=np.where(outside[turns], _STRADDLES, _TRADING),
        size=none,
        ask=none,
        ask_size=none,
    )
    changed = np.zeros(len(before.status), dtype=bool)
    changed[batch.symbol[turns]] = changed[batch.symbol[ends]] = True
    batch, origin = insert(batch, origin, rows, EXTRA, turns + 1)
    last = np.flatnonzero((batch.channel == STATUS) & changed[batch.symbol])
    stands, reason = after.status.copy(), after.reason.copy()
    stands[batch.symbol[last]], reason[batch.symbol[last]] = batch.price[last], batch.size[last]
    after = after._replace(status=stands, reason=reason)
    return batch, origin, np.insert(status, turns + 1, status[turns]), after


def _ends(batch: TickBatch, origin: Origin, asked: Flags) -> NDArray[np.intp]:
    """Give the changes of status that say of the quote right before them that it ends a limit state."""
    ends = (batch.channel[1:] == STATUS) & (batch.price[1:] == _TRADING) & (origin[1:] == EXTRA)
    ends &= asked[:-1] & (batch.symbol[1:] == batch.symbol[:-1])
    ends &= batch.time[1:] == batch.time[:-1]
    return np.flatnonzero(ends) + 1


def _turns(
    batch: TickBatch, told: Flags, asked: Flags, outside: Flags, before: Standings
) -> NDArray[np.intp]:
    """Give the quotes that begin or end a straddle state."""
    says = np.flatnonzero(told | asked)
    order, first = grouped(batch.symbol[says], len(before.status))
    says = says[order]
    symbol = batch.symbol[says]
    now = np.where(told[says], batch.price[says] == _STRADDLES, outside[says])
    earlier = np.roll(now, 1)
    begins = first[:-1][first[1:] > first[:-1]]
    earlier[begins] = before.status[symbol[begins]] == _STRADDLES
    turns: NDArray[np.intp] = np.sort(says[(now != earlier) & asked[says]])
    return turns
