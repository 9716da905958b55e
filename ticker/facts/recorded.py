"""Read a recorded tape: one JSON object a line, as ``tickerplant record`` writes it."""

import json
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ticker.facts.panel import Panel
from ticker.facts.ticks import Ticks
from ticker.shape import DAY_S
from ticker.tape import UNIT, TapeError

__all__ = ["Recording", "read_tape"]

_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Recording:
    """Trades and quotes of a recorded tape, in the order of time."""

    symbols: Sequence[str]
    """In the order in which they appear."""
    tick_sizes: Sequence[float]
    """The largest number of which all prices of a symbol are multiples."""
    ticks: Ticks
    """In the order of time, not of symbols; times are Unix time in microseconds."""

    def panel(self) -> Panel:
        """
        Cut the tape into sessions of a regular day from its start on, or one of as many minutes as it has.

        Raises:
            TapeError: the tape is shorter than a minute.
        """
        ticks = self.ticks
        start, end = int(ticks.time[0]), int(ticks.time[-1])
        minutes = (end - start) // 60_000_000
        if minutes < 1:
            raise TapeError(
                f"the tape lasts {(end - start) / 1e6:.1f} s; at least a minute is needed"
            )
        length = min(DAY_S, minutes * 60)
        panel = Panel([""] * len(self.symbols), length)
        for session in range(minutes * 60 // length):
            begin = start + session * length * 1_000_000
            first, last = np.searchsorted(ticks.time, [begin, begin + length * 1_000_000])
            for at in range(int(first), int(last), _CHUNK):
                rows = slice(at, min(at + _CHUNK, int(last)))
                panel.add(
                    Ticks.sort(
                        ticks.symbol[rows],
                        ticks.time[rows] - begin,
                        ticks.quote[rows],
                        ticks.price[rows],
                        ticks.ask[rows],
                        ticks.size[rows],
                    )
                )
            panel.close_session()
        return panel


def read_tape(lines: Iterable[bytes]) -> Recording:
    """
    Read a tape.

    Raises:
        TapeError: a line is no JSON object or lacks a field, or there is no trade and no quote.
    """
    ids: dict[str, int] = {}
    symbols, times, quotes = array("q"), array("q"), array("b")
    columns: tuple[array[Any], ...] = array("q"), array("q"), array("d")
    for number, line in enumerate(lines, 1):
        item = _object(line, number)
        kind = item.get("type") if item else None
        if kind not in ("trade", "quote"):
            continue
        try:
            quote = kind == "quote"
            price, size = (item["bid"], 0) if quote else (item["price"], item["size"])
            row = (
                round(price * UNIT),
                round(item["ask"] * UNIT) if quote else 0,
                float(size),
            )
            time, symbol = round(item["time"] * 1000), item["symbol"]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise TapeError(f"line {number}: this {kind} has no good {error}") from error
        symbols.append(ids.setdefault(symbol, len(ids)))
        times.append(time)
        quotes.append(quote)
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    if not ids:
        raise TapeError("there is no trade and no quote on the tape")
    symbol = np.array(symbols, dtype=np.int64)
    price, ask = (np.array(c, dtype=np.int64) for c in columns[:2])
    order = np.argsort(np.array(times, dtype=np.int64), kind="stable")
    tick = _ticks(symbol, price, ask, len(ids))
    rows = Ticks(
        symbol[order],
        np.array(times, dtype=np.int64)[order],
        np.array(quotes, dtype=bool)[order],
        (price / tick[symbol])[order],
        (ask / tick[symbol])[order],
        np.array(columns[2])[order],
    )
    return Recording(list(ids), (tick / UNIT).tolist(), rows)


def _object(line: bytes, number: int) -> dict[str, Any]:
    if not line.strip():
        return {}
    try:
        item = json.loads(line)
    except ValueError as error:
        raise TapeError(f"line {number} is no JSON: {line[:60]!r}") from error
    if not isinstance(item, dict):
        raise TapeError(f"line {number} is no object: {line[:60]!r}")
    return item


def _ticks(
    symbol: NDArray[np.int64], price: NDArray[np.int64], ask: NDArray[np.int64], symbols: int
) -> NDArray[np.int64]:
    """Give each symbol's tick size: the greatest common divisor of its prices."""
    found = []
    for i in range(symbols):
        mine = symbol == i
        distinct = np.unique(np.concatenate((price[mine], ask[mine])))
        found.append(max(1, gcd(*distinct.tolist())))
    return np.array(found, dtype=np.int64)
