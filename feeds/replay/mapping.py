"""Which column of a file is what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from feeds.errors import ConfigError
from ticker.tape import TapeError

__all__ = ["FIELDS", "MARKS", "ColumnMap"]

FIELDS = ("time", "symbol", "price", "size", "bid", "bid_size", "ask", "ask_size")
"""What a column of a file can be."""

MARKS = ("exchange", "conditions")
"""And of trades. Others use these names for something else, so such columns count only where they are mapped, and in recordings of ours."""


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """The columns of some fields, by field; any other field's column has its name."""

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
        return cls(given)

    def among(self, columns: Sequence[str], *, ours: bool = False) -> dict[str, str]:
        """
        Give the fields that a file with these columns has, with their columns.

        Args:
            columns: the names of all of them.
            ours: whether it is a recording of ours.

        Raises:
            TapeError: one that was given isn't there, or there is no time, or neither price nor bid and ask.
        """
        there = "its columns are " + (", ".join(map(repr, columns[:40])) or "none")
        for name, column in self.given.items():
            if column not in columns:
                raise TapeError(
                    f"there is no column {column!r}, which {name} was mapped to; {there}"
                )
        marks = MARKS if ours else [name for name in MARKS if name in self.given]
        found = {name: self[name] for name in (*FIELDS, *marks) if self[name] in columns}
        if "time" not in found:
            raise TapeError(f"there is no column 'time' and none was mapped to it; {there}")
        if "price" not in found and not {"bid", "ask"} <= found.keys():
            raise TapeError(
                f"there is neither a column 'price' nor 'bid' and 'ask', and none was mapped to them; {there}"
            )
        return found
