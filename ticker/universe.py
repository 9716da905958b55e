"""The set of instruments of one market: built in, synthetic, or from a CSV or TOML file."""

import csv
import fnmatch
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ticker.instruments import Instrument, UniverseError, tick_fraction
from ticker.names import FAMOUS, synthetic
from ticker.reference.rules import round_lot, tick_size

__all__ = ["MAX_SYMBOLS", "Universe"]

MAX_SYMBOLS = 100_000
"""The most symbols of one market."""

_LONGEST_SLIP, _LETTERS = 12, 64
"""What a suggestion is made for: names so long, and letters so many."""

_COLUMNS = {field.name: field.type for field in fields(Instrument)}


class Universe(Sequence[Instrument]):
    """
    Instruments in a fixed order, with their columns as arrays.

    Raises:
        UniverseError: no instrument, too many, or a symbol twice.
    """

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self.instruments: tuple[Instrument, ...] = tuple(instruments)
        self.symbols: tuple[str, ...] = tuple(i.symbol for i in self.instruments)
        """The symbols, in order; their position is the symbol id of a :class:`~ticker.batch.TickBatch`."""
        self._ids = {symbol: i for i, symbol in enumerate(self.symbols)}
        self._letters = sorted({letter for symbol in self.symbols for letter in symbol})[:_LETTERS]
        if not self.instruments:
            raise UniverseError("a universe needs at least one symbol")
        if len(self.instruments) > MAX_SYMBOLS:
            raise UniverseError(
                f"{len(self.instruments)} symbols; at most {MAX_SYMBOLS} are allowed"
            )
        if len(self._ids) < len(self.instruments):
            twice = next(s for i, s in enumerate(self.symbols) if self._ids[s] != i)
            raise UniverseError(f"symbol {twice!r} is there twice")
        ticks = [tick_fraction(i.tick_size) for i in self.instruments]
        self.tick_numerator: NDArray[np.int64] = np.array(
            [t.numerator for t in ticks], dtype=np.int64
        )
        self.tick_denominator: NDArray[np.float64] = np.array(
            [t.denominator for t in ticks], dtype=np.float64
        )
        """A price in ticks times numerator, over denominator, is the price in currency units."""

    def __len__(self) -> int:
        return len(self.instruments)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self.instruments)

    def __getitem__(self, index: Any) -> Any:
        return self.instruments[index]

    def __repr__(self) -> str:
        shown = ", ".join(self.symbols[:4]) + (", ..." if len(self) > 4 else "")
        return f"<Universe of {len(self)}: {shown}>"

    def column(self, name: str) -> NDArray[np.float64]:
        """Give one numeric field of all instruments as an array, shape (symbols,)."""
        return np.array([getattr(i, name) for i in self.instruments], dtype=np.float64)

    def prices(
        self, symbol: NDArray[np.int32], ticks: NDArray[np.int64] | NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Turn prices in ticks into the floats nearest to their decimals (``187.43``, never ``187.43000000000001``)."""
        return ticks * self.tick_numerator[symbol] / self.tick_denominator[symbol]

    def start_ticks(self) -> NDArray[np.float64]:
        """Give the instruments' prices in ticks, each at the nearest whole number, shape (symbols,)."""
        return np.rint(self.column("price") * self.tick_denominator / self.tick_numerator)

    def find(self, symbol: str) -> int | None:
        """Give the symbol's id, or None."""
        return self._ids.get(symbol)

    def match(self, pattern: str) -> list[int]:
        """Give the ids that a pattern such as ``A*`` matches, in order (``*`` any characters, ``?`` one)."""
        if pattern == "*":
            return list(range(len(self)))
        matches = re.compile(fnmatch.translate(pattern.replace("[", "[[]"))).match
        return [i for i, symbol in enumerate(self.symbols) if matches(symbol)]

    def suggest(self, symbol: str) -> str | None:
        """
        Give the first known symbol that is one typing error away from an unknown one.

        A typing error is another case, a letter too many or too few, a wrong letter, or two that are swapped (Damerau
        1964). Each is looked up, so the cost, some 50 µs, doesn't depend on how many symbols there are.
        """
        upper = symbol.upper()
        if upper in self._ids:
            return upper
        if not 2 <= len(upper) <= _LONGEST_SLIP:
            return None
        cuts = [(upper[:i], upper[i:]) for i in range(len(upper) + 1)]
        slips = [a + b[1:] for a, b in cuts if b]
        slips += [a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1]
        for letter in self._letters:
            slips += [a + letter + b for a, b in cuts]
            slips += [a + letter + b[1:] for a, b in cuts if b]
        found = [self._ids[slip] for slip in slips if slip in self._ids]
        return self.symbols[min(found)] if found else None

    @classmethod
    def of_size(cls, size: int) -> Self:
        """Build a universe of ``size`` symbols: well-known US names first, then synthetic ones."""
        if not 1 <= size <= MAX_SYMBOLS:
            raise UniverseError(f"{size} symbols: 1 to {MAX_SYMBOLS} are allowed")
        return cls([*FAMOUS[:size], *(synthetic(i) for i in range(size - len(FAMOUS)))])

    @classmethod
    def of_symbols(cls, symbols: Sequence[str]) -> Self:
        """Build a universe of named symbols: well-known ones with their data, others with invented data."""
        famous = {i.symbol: i for i in FAMOUS}
        return cls([famous.get(s) or famous.get(s.upper()) or synthetic(s) for s in symbols])

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """
        Read a universe from CSV (a header line of field names) or TOML (``[[instrument]]`` tables).

        ``symbol`` and ``price`` are required; the other fields of :class:`~ticker.instruments.Instrument` have defaults,
        the tick size the one that Rule 612 has for the price.

        Raises:
            UniverseError: the file can't be read, or a value in it isn't allowed; the message says which.
        """
        path = Path(path)
        try:
            rows = _read_toml(path) if path.suffix.lower() == ".toml" else _read_csv(path)
        except UniverseError:
            raise
        except (OSError, ValueError, csv.Error) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise UniverseError(f"can't read the universe file {str(path)!r}: {reason}") from error
        instruments = []
        for place, row in rows:
            try:
                instruments.append(_instrument(row))
            except UniverseError as error:
                raise UniverseError(f"{path}, {place}: {error}") from error
        try:
            return cls(instruments)
        except UniverseError as error:
            raise UniverseError(f"{path}: {error}") from error

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Build a universe from what a user typed: a number, symbols with commas between, or a file's path.

        Raises:
            UniverseError: the text is none of these.
        """
        text = text.strip()
        if text.isdecimal():
            return cls.of_size(int(text[:20]))
        if text.lower().endswith((".csv", ".toml")) or _is_file(text):
            return cls.from_file(text)
        return cls.of_symbols([part.strip() for part in text.split(",") if part.strip()])


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # a long list of symbols is no name of a file
        return False


def _read_csv(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, skipinitialspace=True, strict=True)
        columns = reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        for i, name in enumerate(columns):
            if name and name in columns[:i]:
                raise UniverseError(f"{path}, line 1: the column {name!r} is there twice")
        return [
            (f"line {reader.line_num}", {k: v for k, v in row.items() if v not in ("", None)})
            for row in reader
        ]


def _read_toml(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    tables = content.pop("instrument", [])
    if content:
        raise UniverseError(
            f"{path}: unknown key {next(iter(content))!r}; the tables are written [[instrument]]"
        )
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise UniverseError(
            f"{path}: 'instrument' must be an array of tables, written [[instrument]]"
        )
    return [(f"instrument {n}", table) for n, table in enumerate(tables, 1)]


def _instrument(row: Mapping[Any, Any]) -> Instrument:
    values: dict[str, Any] = {}
    for name, value in row.items():
        if name is None:  # what csv calls the rest of a line
            raise UniverseError(f"there are more values than columns: {', '.join(value)}")
        if name not in _COLUMNS:
            raise UniverseError(f"unknown field {name!r}; known fields: {', '.join(_COLUMNS)}")
        values[name] = _value(name, value)
    missing = [name for name in ("symbol", "price") if name not in values]
    if missing:
        raise UniverseError(f"the field {missing[0]!r} is missing")
    values.setdefault("tick_size", tick_size(values["price"]))
    values.setdefault("round_lot", round_lot(values["price"]))
    return Instrument(**values)


def _value(name: str, value: Any) -> Any:
    kind = _COLUMNS[name]
    try:
        if kind is str:
            return value.strip()
        if isinstance(value, bool) or (kind is int and isinstance(value, float) and value % 1):
            raise ValueError
        return kind(value)  # type: ignore[operator]
    except (ValueError, TypeError, AttributeError, OverflowError):
        wanted = {str: "text", int: "a whole number", float: "a number"}[kind]  # type: ignore[index]
        raise UniverseError(f"{name} {value!r} is not {wanted}") from None
