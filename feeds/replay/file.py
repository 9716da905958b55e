"""A file as a tape."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from feeds.errors import ConfigError
from feeds.replay.columns import Converter, Raw
from feeds.replay.lines import CsvFile, NdjsonFile
from feeds.replay.mapping import ColumnMap
from feeds.replay.order import MOST_ROWS, InOrder
from feeds.replay.parquet import ParquetFile
from ticker.instruments import SYMBOL_PATTERN
from ticker.tape import TapeError, TapeRows

__all__ = ["SUFFIXES", "FileTape"]

SUFFIXES = (".ndjson", ".jsonl", ".json", ".csv", ".tsv", ".txt", ".parquet", ".pq")
"""What the name of a tape's file may end in; ``.gz`` may follow, but for Parquet."""


class _Reader(Protocol):
    place: str
    synthetic: bool

    def done(self) -> float: ...
    def chunks(self) -> Iterator[Raw]: ...


class FileTape:
    """
    A file of trades and quotes, about in the order of time, as a :class:`~ticker.tape.Tape`.

    Memory: some thousand rows, however long the file.

    Args:
        path: the file; the end of its name tells its format.
        columns: which of its columns is what.
        size_scale: multiplies each size, which is then rounded to whole shares.
        most_late: how many rows late a row may be; that many are held in memory.
        places: by how many decimal places prices move to the left; below 0: to the right.

    Raises:
        ConfigError: the format is unknown, or what reads it isn't installed.
        TapeError: the file isn't there.
    """

    def __init__(
        self,
        path: Path,
        columns: ColumnMap | None = None,
        size_scale: float = 1.0,
        most_late: int = MOST_ROWS,
        places: int = 0,
    ) -> None:
        self.path, self._columns = path, columns or ColumnMap()
        self._size_scale, self._most_late, self._places = size_scale, most_late, places
        self.left_out: Counter[str] = Counter()
        """What was left out in the last pass, and how often."""
        self._ids: dict[str, int] = {}
        try:
            self._reader = _reader(path, self._columns, self.left_out)
            self.stamp = _stamp(path)
            """Changes when the file does."""
        except OSError as error:
            raise TapeError(f"can't read {str(path)!r}: {error.strerror or error}") from error

    def again(self) -> "FileTape | None":
        """Give another tape of the same file, which knows what this one saw; None if the file has changed."""
        try:
            if _stamp(self.path) != self.stamp:
                return None
        except OSError:
            return None
        tape = FileTape(self.path, self._columns, self._size_scale, self._most_late, self._places)
        tape._ids.update(self._ids)
        tape._reader.synthetic = self.synthetic
        return tape

    @property
    def symbols(self) -> Sequence[str]:
        """The symbols that were seen until now, in the order in which they appeared."""
        return list(self._ids)

    @property
    def synthetic(self) -> bool:
        """Whether the file says that its market was invented."""
        return self._reader.synthetic

    def done(self) -> float:
        """Tell how far the pass under way is, from 0 to 1."""
        return self._reader.done()

    def chunks(self) -> Iterator[TapeRows]:
        """
        Read the file from its start.

        Raises:
            TapeError: the file can't be read, or a value isn't allowed; the message names the file, the line or row,
                and the value.
        """
        self.left_out.clear()
        name = self.path.name.split(".")[0].upper()
        only = name if SYMBOL_PATTERN.fullmatch(name) else ""
        converter = Converter(
            self._ids,
            self._reader.place,
            self._size_scale,
            self._places,
            only,
            left_out=self.left_out,
        )
        order = InOrder(self._reader.place, self._most_late)
        try:
            for raw in self._reader.chunks():
                rows, where = converter.convert(raw)
                if len(rows) and (given := order.add(rows, where)) is not None:
                    yield given
            if (given := order.rest()) is not None:
                yield given
        except OSError as error:
            raise TapeError(f"can't read {str(self.path)!r}: {error.strerror or error}") from error
        except TapeError as error:
            raise TapeError(f"{self.path}: {error}") from error


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


def _reader(path: Path, columns: ColumnMap, left_out: Counter[str]) -> _Reader:
    """Choose the reader by the end of the file's name."""
    suffix = Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()
    if suffix in (".parquet", ".pq") and path.suffix.lower() != ".gz":
        return ParquetFile(path, columns, left_out)
    if suffix in (".csv", ".tsv", ".txt"):
        return CsvFile(path, columns, left_out)
    if suffix in (".ndjson", ".jsonl", ".json"):
        return NdjsonFile(path, columns, left_out)
    raise ConfigError(
        f"can't tell what {str(path)!r} holds; its name must end in one of {', '.join(SUFFIXES)},"
        " and .gz after it if it is compressed, but for Parquet"
    )
