"""An encoder that gives some events values that the books don't have: off the grid, for tests that want them."""

from typing import Any

import numpy as np
import orjson

from feeds.dialects.native import NativeEncoder
from ticker.batch import QUOTES, TRADES, TickBatch
from ticker.reference.marks import mark_of
from ticker.script import ScriptedEvent, ScriptedQuote, ScriptedTrade
from ticker.universe import Universe

__all__ = ["RawEncoder"]

_MOST = 10_000
_Key = tuple[int, int, int, int, int, int, int]


class RawFragment(bytes):
    """An event that says something else than the market's books: nothing can be worked out from it."""


class RawEncoder(NativeEncoder):
    """The native encoder; costs one look at an empty table while nothing is raw."""

    def __init__(self, universe: Universe) -> None:
        super().__init__(universe)
        self._raw: dict[_Key, list[dict[str, Any]]] = {}

    def overrule(self, time_us: int, event: ScriptedEvent, fields: dict[str, Any]) -> None:
        """Say of an event that comes at a time what the fields say."""
        match event:
            case ScriptedTrade(symbol, price, size, exchange, conditions):
                mark = mark_of(exchange, conditions)
                key = (TRADES, symbol, time_us, price, size, mark, 0)
            case ScriptedQuote(symbol, bid, bid_size, ask, ask_size):
                key = (QUOTES, symbol, time_us, bid, bid_size, ask, ask_size)
            case _:
                raise AssertionError("a status has no values that could be raw")
        self._raw.setdefault(key, []).append(fields)
        while len(self._raw) > _MOST:
            del self._raw[next(iter(self._raw))]

    def encode(self, batch: TickBatch) -> list[bytes]:
        fragments = super().encode(batch)
        if self._raw:
            times = np.fromiter((key[2] for key in self._raw), np.int64, len(self._raw))
            for row in np.flatnonzero(np.isin(batch.time, times)).tolist():
                fields = self._fields(batch, row)
                if fields is not None:
                    told = orjson.loads(fragments[row][:-1]) | fields
                    fragments[row] = RawFragment(orjson.dumps(told) + b",")
        return fragments

    def _fields(self, batch: TickBatch, row: int) -> dict[str, Any] | None:
        columns = (batch.channel, batch.symbol, batch.time, batch.price, batch.size)
        more = (batch.ask, batch.ask_size)
        key: Any = tuple(int(column[row]) for column in (*columns, *more))
        waiting = self._raw.get(key)
        if not waiting:
            return None
        fields = waiting.pop(0)
        if not waiting:
            del self._raw[key]
        return fields
