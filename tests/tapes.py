"""Tapes for the tests of replays: a market's own as NDJSON, rows in memory, small files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from feeds.dialects.native import NativeEncoder
from feeds.replay import ColumnMap, FileTape, ReplayOptions
from ticker.batch import BARS, TickBatch
from ticker.market import Market
from ticker.replay import Replay
from ticker.tape import UNIT, TapeRows

__all__ = [
    "NOON_US",
    "MemoryTape",
    "market_tape",
    "quote",
    "replay_of",
    "rows_of",
    "trade",
    "write",
]

START_S = 1_700_000_000
NOON_US = 1_700_049_600_000_000

Row = tuple[int, bool, float, float, int, float, int]


def trade(symbol: int, second: float, price: float, size: int = 100) -> Row:
    """A trade so many seconds after the tape's start."""
    return (symbol, False, second, price, size, 0.0, 0)


def quote(symbol: int, second: float, bid: float, ask: float) -> Row:
    """A quote of 200 shares a side."""
    return (symbol, True, second, bid, 200, ask, 200)


class MemoryTape:
    """Rows in memory, in chunks of some length."""

    def __init__(self, symbols: Sequence[str], rows: Sequence[Row], chunk: int = 3) -> None:
        self.symbols = symbols
        self.rows, self._chunk = rows, chunk

    def chunks(self) -> Iterator[TapeRows]:
        for start in range(0, len(self.rows), self._chunk):
            symbol, is_quote, second, price, size, ask, ask_size = zip(
                *self.rows[start : start + self._chunk], strict=True
            )
            yield TapeRows(
                np.array(symbol, dtype=np.int32),
                np.array(is_quote),
                np.rint((np.array(second) + START_S) * 1e6).astype(np.int64),
                np.rint(np.array(price) * UNIT).astype(np.int64),
                np.array(size, dtype=np.int64),
                np.rint(np.array(ask) * UNIT).astype(np.int64),
                np.array(ask_size, dtype=np.int64),
            )


def market_tape(market: Market, seconds: float, path: Path) -> TickBatch:
    """Write what a market gives, as `tickerplant record` would; give its trades and quotes."""
    batch = market.step(market.now_us + round(seconds * 1e6))
    hello = b'{"type":"hello","synthetic":true}\n'
    lines = [fragment[:-1] for fragment in NativeEncoder(market.universe).encode(batch)]
    path.write_bytes(hello + b"\n".join(lines) + b"\n")
    return batch[batch.channel < BARS]


def write(path: Path, text: str) -> Path:
    """Write a small file."""
    path.write_text(text)
    return path


def replay_of(path: Path, columns: str = "", **options: Any) -> Replay:
    prepared = ReplayOptions(path, ColumnMap.parse(columns), **options).prepare()
    return prepared.replay(prepared.survey.start_us, 0)


def rows_of(path: Path, columns: str = "", size_scale: float = 1.0) -> list[tuple[Any, ...]]:
    """Read a file: symbol, kind, microseconds after noon, prices and sizes."""
    tape = FileTape(path, ColumnMap.parse(columns), size_scale)
    every = TapeRows.join(list(tape.chunks()))
    return [
        (tape.symbols[s], "quote", t - NOON_US, p / UNIT, n, a / UNIT, m)
        if q
        else (tape.symbols[s], "trade", t - NOON_US, p / UNIT, n)
        for s, q, t, p, n, a, m in zip(
            *(getattr(every, name).tolist() for name in TapeRows.__slots__), strict=True
        )
    ]
