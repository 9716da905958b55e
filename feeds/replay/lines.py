"""Tapes of lines: NDJSON, as ``tickerplant record`` writes it, and CSV. Either may be compressed with gzip."""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from feeds.replay.columns import Raw
from feeds.replay.mapping import FIELDS, MARKS, ColumnMap
from feeds.replay.marks import marks
from ticker.tape import TapeError

__all__ = ["CHUNK_ROWS", "CsvFile", "NdjsonFile"]

CHUNK_ROWS = 1_024
"""Rows of a chunk: the event loop waits while one is read, two or three milliseconds."""

_MAX_LINE = 1 << 20


class _Lines:
    """
    A file of lines.

    Args:
        path: which.
        columns: which column is what.
        left_out: where to count what is left out, by what it is.
    """

    place = "line"
    synthetic = False
    """Whether the file says that its market was invented."""

    def __init__(self, path: Path, columns: ColumnMap, left_out: Counter[str]) -> None:
        self.path, self._columns, self._left_out = path, columns, left_out
        self._raw: BinaryIO | None = None
        self._size = max(1, path.stat().st_size)

    def done(self) -> float:
        """Tell how much of the file was read, from 0 to 1."""
        return 1.0 if self._raw is None else min(1.0, self._raw.tell() / self._size)

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        with self.path.open("rb") as file:
            self._raw = file
            try:
                if self.path.suffix.lower() == ".gz":
                    with gzip.GzipFile(fileobj=file) as plain:
                        yield plain  # type: ignore[misc]  # which has all that is needed
                else:
                    yield file
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise TapeError(f"it is not whole, or not compressed with gzip: {error}") from error
            finally:
                self._raw = None


class NdjsonFile(_Lines):
    """One JSON object a line. What has neither a price nor a bid and an ask is left out."""

    def chunks(self) -> Iterator[Raw]:
        """
        Read the file from its start.

        Raises:
            TapeError: a line is no JSON object, or has no time or symbol.
        """
        with self._opened() as file:
            numbered = enumerate(file, 1)
            while lines := list(islice(numbered, CHUNK_ROWS)):
                raw = self._raw_of(lines)
                if raw.where:
                    yield raw

    def _raw_of(self, lines: Sequence[tuple[int, bytes]]) -> Raw:
        where: list[int] = []
        items: list[dict[str, Any]] = []
        for number, line in lines:
            if not line.strip():
                continue
            item = _object(line, number)
            kind = item.get("type", "trade")
            if kind not in ("trade", "quote"):
                self._leave_out(item, kind)
                continue
            where.append(number)
            items.append(item)
        columns: dict[str, Any] = {
            field: [item.get(column) for item in items]
            for field, column in ((field, self._columns[field]) for field in FIELDS)
        }
        self._check(columns, where)
        for i, item in enumerate(items):
            if columns["price"][i] is None and item.get("type") == "trade":
                raise TapeError(f"line {where[i]}: there is no {self._columns['price']!r}")
            # A trade that stands for several has the shares of all of them, and their close.
            if "merged" in item and "volume" in item:
                columns["size"][i] = item["volume"]
                columns["price"][i] = item.get("close") or columns["price"][i]
        named = [self._columns[name] for name in MARKS]
        if any(name in item for item in items for name in named):
            columns["mark"] = marks(_told(items, named), columns["price"], self.place, where)
        return Raw(where, columns)

    def _check(self, columns: dict[str, Any], where: list[int]) -> None:
        for field in ("time", "symbol"):
            if None in columns[field]:
                line_number = where[columns[field].index(None)]
                raise TapeError(f"line {line_number}: there is no {self._columns[field]!r}")

    def _leave_out(self, item: dict[str, Any], kind: Any) -> None:
        if kind == "hello":
            self.synthetic = item.get("synthetic") is True
        elif kind not in ("snapshot", "bar", "depth"):  # bars and books are made again
            self._left_out[f"objects of the type {str(kind)[:20]!r}"] += 1


def _told(items: list[dict[str, Any]], named: Sequence[str]) -> dict[str, list[Any]]:
    """Give what lines say of trades; one that stands for several, and moves the last price, has no conditions."""
    exchange, conditions = named
    return {
        "exchange": [item.get(exchange) for item in items],
        "conditions": [
            item.get(conditions) if item.get("close") is None else None for item in items
        ],
    }


def _object(line: bytes, number: int) -> dict[str, Any]:
    try:
        item = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise TapeError(f"line {number} is no JSON: {line[:60]!r}") from error
    if not isinstance(item, dict):
        raise TapeError(f"line {number} is no JSON object: {line[:60]!r}")
    return item


class CsvFile(_Lines):
    """
    A header line, unless columns are numbers, then a row a line; empty lines are passed over.

    Values are separated by the most frequent of ``, ; |`` and tab in the first line.
    """

    def chunks(self) -> Iterator[Raw]:
        """
        Read the file from its start.

        Raises:
            TapeError: a line has not as many values as the header, or the file is no text in UTF-8.
        """
        with self._opened() as file:
            text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
            try:
                yield from self._read(text)
            except UnicodeDecodeError as error:
                raise TapeError(f"it is no text in UTF-8: {error}") from error
            except csv.Error as error:
                raise TapeError(str(error)) from error
            finally:
                text.detach()

    def _read(self, text: io.TextIOWrapper) -> Iterator[Raw]:
        line = text.readline(_MAX_LINE)
        separator = max(",;|\t", key=line.count)
        names = [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]
        headless = self._columns.numbered
        if headless:
            names = [f"#{n + 1}" for n in range(len(names))]
        mapped = self._columns.among(names)
        if unread := self._columns.unread(names):
            self._left_out[unread] += 1
        wanted = [
            (field, [names.index(c) for c in self._columns.parts(field, names)]) for field in mapped
        ]
        reader = csv.reader(
            chain([line], text) if headless else text, delimiter=separator, skipinitialspace=True
        )
        while True:
            first = reader.line_num + (1 if headless else 2)  # the header is line 1
            rows = list(islice(reader, CHUNK_ROWS))
            if not rows:
                return
            where: Sequence[int] = range(first, first + len(rows))
            if not all(rows):
                where = [n for n, row in zip(where, rows, strict=True) if row]
                rows = [row for row in rows if row]
            for n, row in zip(where, rows, strict=True):
                if len(row) != len(names):
                    wide = f"{'first line' if headless else 'header'} {len(names)}"
                    raise TapeError(f"line {n} has {len(row)} values, and the {wide}")
            if rows:
                yield self._raw_of(rows, where, wanted)

    def _raw_of(
        self,
        rows: Sequence[Sequence[str]],
        where: Sequence[int],
        wanted: Sequence[tuple[str, list[int]]],
    ) -> Raw:
        columns = list(zip(*rows, strict=True))
        fields: dict[str, Any] = {
            field: columns[at[0]]
            if len(at) == 1
            else list(map("T".join, zip(*(columns[n] for n in at), strict=True)))
            for field, at in wanted
        }
        if told := {name: fields.pop(name) for name in MARKS if name in fields}:
            price = fields.get("price", [None] * len(rows))
            fields["mark"] = marks(told, price, self.place, where)
        return Raw(where, fields)
