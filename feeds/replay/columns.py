"""Turns columns of a file, as they were read, into the arrays of a tape; errors name the value and its row."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.replay.moments import Unit, is_text, of_iso, unit_of
from ticker.tape import UNIT, TapeError, TapeRows

__all__ = ["Converter", "Raw"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
Values = Sequence[Any] | NDArray[Any]

_MOST_PRICE = 1e9
_MOST_SIZE = 2.0**53


@dataclass(slots=True)
class Raw:
    """Some rows of a file."""

    where: Sequence[int]
    """The number of each row's line, or of the row."""
    columns: dict[str, Values]
    """By field; each value is a number, a text, None, or for times in microseconds an array of integers."""


@dataclass(slots=True)
class Converter:
    """
    Turns the rows of one pass over a file into a tape's.

    Raises:
        TapeError: a value isn't allowed. The message names line or row and value, not the file.
    """

    ids: dict[str, int]
    """The place of each symbol on the tape; new ones are added."""
    place: str
    """What a row is called: ``line`` or ``row``."""
    size_scale: float = 1.0
    """Multiplies each size."""
    places: int = 0
    """By how many decimal places prices move to the left; below 0: to the right."""
    only_symbol: str = ""
    """The symbol of a file that has no column for it."""
    left_out: Counter[str] = field(default_factory=Counter)
    """What was left out, and how often."""
    _unit: Unit | None = None

    def convert(self, raw: Raw) -> tuple[TapeRows, I64]:
        """Give the trades and quotes in some rows, with the number of each one's line or row."""
        columns, where = raw.columns, raw.where
        time = self._times(columns["time"], where)
        price, bid, ask = (self._prices(name, columns, where) for name in ("price", "bid", "ask"))
        trade = np.flatnonzero(~np.isnan(price))
        if (zero := price[trade] == 0).any():
            self._refuse(where, trade[int(zero.argmax())], "price 0 is not above 0")
        quote = (bid > 0) & (ask > 0)  # false where one is missing
        one_sided = ~quote & ((bid > 0) | (ask > 0))
        self.left_out["one-sided quotes"] += int(one_sided.sum())
        neither = np.isnan(price) & ~quote & ~one_sided
        self.left_out["rows without a price"] += int(neither.sum())
        quotes = np.flatnonzero(quote)
        rows = np.concatenate((quotes, trade))
        order = np.argsort(rows, kind="stable")  # of one row, the quote stands before the trade
        rows = rows[order]
        # What is left out brings no symbol along, of which nothing would be known.
        symbol = self._symbols(columns.get("symbol"), where, rows.tolist())
        zeros = np.zeros(len(trade), dtype=np.int64)
        marks = np.array(columns["mark"], dtype=np.int64)[trade] if "mark" in columns else zeros
        size = self._sizes("size", columns, where, trade, 1)
        bid_size, ask_size = (
            self._sizes(name, columns, where, quotes, 0) for name in ("bid_size", "ask_size")
        )

        def put(of_quotes: I64, of_trades: I64) -> I64:
            return np.concatenate((of_quotes, of_trades))[order]

        found = TapeRows(
            symbol=symbol,
            quote=order < len(quotes),
            time=time[rows],
            price=put(_units(bid[quotes]), _units(price[trade])),
            size=put(bid_size, size),
            ask=put(_units(ask[quotes]), zeros),
            ask_size=put(ask_size, marks),
        )
        return found, np.asarray(where)[rows]

    def _refuse(self, where: Sequence[int], row: Any, what: str) -> None:
        raise TapeError(f"{self.place} {where[int(row)]}: {what}")

    def _symbols(
        self, values: Values | None, where: Sequence[int], rows: Sequence[int]
    ) -> NDArray[np.int32]:
        ids = self.ids
        if values is None:
            if not self.only_symbol:
                raise TapeError(
                    "there is no column 'symbol', and the file's name up to its first dot is no symbol:"
                    " name it like AAPL.csv"
                )
            if rows:
                ids.setdefault(self.only_symbol, len(ids))
            return np.full(len(rows), ids.get(self.only_symbol, 0), dtype=np.int32)
        names = [values[row] for row in rows]
        found = list(map(ids.get, names))
        if None in found:
            for i, name in enumerate(names):
                if not isinstance(name, str) or not name:
                    self._refuse(where, rows[i], f"symbol {name!r} is not a text")
                found[i] = ids.setdefault(name, len(ids))
        return np.array(found, dtype=np.int32)

    def _times(self, values: Values, where: Sequence[int]) -> I64:
        if isinstance(values, np.ndarray) and values.dtype == np.int64:
            time: I64 = values
        elif is_text(values[0]):
            time = self._each("time", values, where, of_iso, "not a time (ISO 8601)", np.int64)
        else:
            numbers = self._numbers("time", values, where)
            if (bad := ~((numbers >= 0) & (numbers <= 9e18))).any():
                row = int(bad.argmax())
                self._refuse(where, row, f"time {_shown(values[row])} is not a time")
            if self._unit is None:
                self._unit = unit_of(numbers[0])
            if (bad := numbers >= self._unit.below).any():
                row, unit = int(bad.argmax()), self._unit.name
                self._refuse(
                    where,
                    row,
                    f"time {_shown(values[row])} is too large for {unit}, which the first time is in",
                )
            time = np.rint(numbers * self._unit.us).astype(np.int64)
        return time

    def _prices(self, name: str, columns: Mapping[str, Values], where: Sequence[int]) -> F64:
        if name not in columns:
            return np.full(len(where), np.nan)
        price = self._numbers(name, columns[name], where)
        if self.places:  # tens are exact, and tenths aren't, so what is smaller is divided
            tens = 10.0 ** abs(self.places)
            price = price / tens if self.places > 0 else price * tens
        if (bad := (price < 0) | (price > _MOST_PRICE)).any():
            row = int(bad.argmax())
            value = columns[name][row]
            times = f", times {10.0**-self.places:g}," if self.places else ""
            self._refuse(
                where, row, f"{name} {_shown(value)}{times} is not between 0 and {_MOST_PRICE:g}"
            )
        return price

    def _sizes(
        self,
        name: str,
        columns: Mapping[str, Values],
        where: Sequence[int],
        rows: NDArray[np.intp],
        least: int,
    ) -> I64:
        if name not in columns:
            return np.full(len(rows), least, dtype=np.int64)
        size = self._numbers(name, columns[name], where)[rows] * self.size_scale
        whole = np.rint(size) if self.size_scale != 1 else size
        good = (whole >= least) & (whole <= _MOST_SIZE) & (whole == np.rint(whole))
        if not good.all():
            at = rows[int(good.argmin())]
            self._refuse(
                where,
                at,
                f"{name} {_shown(columns[name][at])} is not a whole number of {least} or more"
                + ("" if self.size_scale == 1 else f", times {self.size_scale:g}"),
            )
        return whole.astype(np.int64)

    def _numbers(self, name: str, values: Values, where: Sequence[int]) -> F64:
        """Give numbers, with NaN where there is none."""
        try:
            numbers = np.array(values, dtype=np.float64)
        except (TypeError, ValueError):
            numbers = np.empty(())
        if numbers.ndim != 1 or (isinstance(values, list) and bool in set(map(type, values))):
            numbers = self._each(name, values, where, _of_text, "not a number", np.float64)
        if (bad := np.isinf(numbers)).any():
            row = int(bad.argmax())
            self._refuse(where, row, f"{name} {_shown(values[row])} is not a number")
        return numbers

    def _each(
        self,
        name: str,
        values: Values,
        where: Sequence[int],
        convert: Callable[[Any], Any],
        is_what: str,
        kind: type[Any],
    ) -> NDArray[Any]:
        """Convert values one by one, so that the first bad one can be named."""
        found = []
        for row, value in enumerate(values):
            try:
                found.append(convert(value))
            except (TypeError, ValueError, OverflowError):
                self._refuse(where, row, f"{name} {_shown(value)} is {is_what}")
        return np.array(found, dtype=kind)


def _units(prices: F64) -> I64:
    return np.maximum(1, np.rint(prices * UNIT)).astype(np.int64)


def _of_text(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError(value)
    return float("nan") if value is None or value == "" else float(value)


def _shown(value: Any) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 60 else text[:57] + "..."
