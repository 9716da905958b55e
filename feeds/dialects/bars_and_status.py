"""The native protocol's bars, changes of status, and marks of trades: rare, hence objects for JSON, one by one."""

from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ticker.batch import BARS, INTERVALS, BarTable, TickBatch
from ticker.reference.marks import marked
from ticker.reference.status import REASONS, STATUSES
from ticker.universe import Universe

__all__ = ["bar_objects", "bars", "changes", "tail"]

_INTERVAL_NAMES = tuple(INTERVALS)
_REASON_NAMES = tuple(REASONS)


@lru_cache(maxsize=4096)
def tail(mark: int) -> bytes:
    """Give the end of a trade's fragment: its exchange and its conditions, if it has any."""
    exchange, conditions = marked(mark)
    told: dict[str, Any] = {"exchange": exchange} if exchange else {}
    if conditions:
        told["conditions"] = conditions
    return b",%b," % orjson.dumps(told)[1:] if told else b"},"


def bars(universe: Universe, batch: TickBatch, rows: NDArray[np.intp]) -> list[bytes]:
    """Encode the bars among a batch's events, a fragment each."""
    fragments = []
    objects = bar_objects(universe, batch.bars.take(batch.price[rows]))
    for row, seq, channel in zip(
        objects, batch.seq[rows].tolist(), batch.channel[rows].tolist(), strict=True
    ):
        interval = _INTERVAL_NAMES[channel - BARS]
        head = {"type": "bar", "symbol": row.pop("symbol"), "seq": seq, "time": row.pop("time")}
        fragments.append(orjson.dumps(head | {"interval": interval} | row) + b",")
    return fragments


def bar_objects(universe: Universe, bars: BarTable) -> list[dict[str, Any]]:
    """Give bars as objects for JSON, without ``type``, ``seq`` and ``interval``."""
    prices = universe.prices
    columns = zip(
        [universe.symbols[i] for i in bars.symbol.tolist()],
        (bars.start / 1000).tolist(),
        *(prices(bars.symbol, c).tolist() for c in (bars.open, bars.high, bars.low, bars.close)),
        bars.volume.tolist(),
        (prices(bars.symbol, bars.notional) / bars.volume).round(6).tolist(),
        bars.trades.tolist(),
        strict=True,
    )
    keys = ("symbol", "time", "open", "high", "low", "close", "volume", "vwap", "trades")
    return [dict(zip(keys, row, strict=True)) for row in columns]


def changes(universe: Universe, batch: TickBatch, rows: NDArray[np.intp]) -> list[bytes]:
    """Encode the changes of status among a batch's events, a fragment each."""
    columns = (batch.symbol, batch.seq, batch.time / 1000, batch.price, batch.size, batch.ask)
    return [
        orjson.dumps(
            {
                "type": "status",
                "symbol": universe.symbols[symbol],
                "seq": seq,
                "time": time,
                "status": STATUSES[status],
                "reason": _REASON_NAMES[reason],
            }
            | ({"opens": opens * 1000} if opens else {})
        )
        + b","
        for symbol, seq, time, status, reason, opens in zip(
            *(column[rows].tolist() for column in columns), strict=True
        )
    ]
