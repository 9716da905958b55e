"""Which column of a file is what."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from feeds.errors import ConfigError
from ticker.tape import TapeError

__all__ = ["FIELDS", "MARKS", "ColumnMap"]

_ALSO_SYMBOL = frozenset(
    {"instrument", "instrument_id", "pair", "ric", "sym", "sym_root", "symbol", "ticker"}
)
_ALSO_SIZE = frozenset({"amount", "qty", "quantity", "shares", "size", "vol", "volume"})
"""What others call these columns, in whatever case."""

FIELDS = ("time", "symbol", "price", "size", "bid", "bid_size", "ask", "ask_size")
"""What a column of a file can be."""

MARKS = ("exchange", "conditions")
"""And of trades. Others use these names for something else, so such columns count only where they are mapped, and in recordings of ours."""

_NUMBERED = re.compile(r"#[1-9]\d*")


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """
    The columns of some fields, by field; any other field's column has its name.

    ``#2`` is the second column of a file without a header, ``DATE+TIME`` a time in two columns.
    """

    given: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.given.get(name, name)

    @classmethod
    def parse(cls, text: str) -> "ColumnMap":
        """
        Read what a user typed: ``time=ts,symbol=sym,price=px``.

        Raises:
            ConfigError: it is something else, or names a field that there isn't, or one twice.
        """
        given: dict[str, str] = {}
        for part in filter(None, text.split(",")):
            name, _, column = (piece.strip() for piece in part.partition("="))
            if name not in (*FIELDS, *MARKS) or not column:
                fields = ", ".join((*FIELDS, *MARKS))
                raise ConfigError(
                    f"the column map {part!r} is not FIELD=COLUMN; the fields are {fields}"
                )
            if name in given:
                raise ConfigError(f"the column map has {name!r} twice")
            given[name] = column
        numbered = [bool(_NUMBERED.fullmatch(column)) for column in given.values()]
        if any(numbered) and not all(numbered):
            raise ConfigError(
                f"the column map {text!r} has names as well as numbers; a file without a header has only numbers"
            )
        return cls(given)

    @property
    def numbered(self) -> bool:
        """Whether columns are numbers, since the file has no header."""
        return any(map(_NUMBERED.fullmatch, self.given.values()))

    def parts(self, name: str, columns: Sequence[str]) -> list[str]:
        """Give the columns of a field: one, or the two of a time that is in none of these columns alone."""
        column = self[name]
        return column.split("+") if name == "time" and column not in columns else [column]

    def among(self, columns: Sequence[str], *, ours: bool = False) -> dict[str, str]:
        """
        Give the fields that a file with these columns has, with their columns.

        Args:
            columns: the names of all of them.
            ours: whether it is a recording of ours.

        Raises:
            TapeError: one that was given isn't there, or one that is read is there twice, or there is no time, or
                neither price nor bid and ask, or the symbol has another name.
        """
        there = "its columns are " + (", ".join(map(repr, columns[:40])) or "none")
        self._check(columns, there)
        marks = MARKS if ours else [name for name in MARKS if name in self.given]
        found = {
            name: self[name]
            for name in (*FIELDS, *marks)
            if self[name] in columns or name in self.given
        }
        if "time" not in found:
            numbers = any(map(_is_number, columns))
            hint = "; if it has no header, map numbers: time=#1,price=#2" if numbers else ""
            raise TapeError(f"there is no column 'time' and none was mapped to it; {there}{hint}")
        if "price" not in found and not {"bid", "ask"} <= found.keys():
            raise TapeError(
                f"there is neither a column 'price' nor 'bid' and 'ask', and none was mapped to them; {there}"
            )
        if "symbol" not in found and (other := _like(_ALSO_SYMBOL, columns)):
            raise TapeError(
                f"there is no column 'symbol', but {other!r}: map symbol={other}; {there}"
            )
        return found

    def _check(self, columns: Sequence[str], there: str) -> None:
        """
        Look whether a file has each column once.

        Raises:
            TapeError: one that was given isn't there, or one that is read is there twice.
        """
        for name in (*FIELDS, *MARKS):
            for column in self.parts(name, columns):
                count = columns.count(column)
                if not count and name in self.given:
                    raise TapeError(
                        f"there is no column {column!r}, which {name} was mapped to; {there}"
                    )
                if count > 1 and (name not in MARKS or name in self.given):
                    raise TapeError(f"there are {count} columns {column!r}")

    def unread(self, columns: Sequence[str]) -> str:
        """Say which column has sizes, as its name tells, though none is read; empty: there is no such column."""
        other = "" if "size" in self.given or "size" in columns else _like(_ALSO_SIZE, columns)
        return other and f"column {other!r}; where it has sizes, map size={other}"


def _like(names: frozenset[str], columns: Sequence[str]) -> str:
    return next((column for column in columns if column.lower() in names), "")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
