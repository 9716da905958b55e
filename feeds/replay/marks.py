"""Columns of a file that say where a trade was made and what is special about it, turned into marks."""

from collections.abc import Sequence
from typing import Any

from ticker.reference.marks import mark_of
from ticker.tape import TapeError

__all__ = ["marks"]

_NOTHING = ("", *"@ ,;|")
"""What stands between codes in a text; ``@`` is a regular sale on the US tapes."""


def marks(
    columns: dict[str, Any], price: Sequence[Any], place: str, where: Sequence[int]
) -> list[int]:
    """
    Give the mark of each row that has a price, else 0.

    Args:
        columns: by field, values of ``exchange``, ``conditions`` or both.
        price: of each row.
        place: what a row is called.
        where: the number of each row.

    Raises:
        TapeError: an exchange or a condition is unknown.
    """
    none = [None] * len(where)
    exchanges, conditions = (columns.get(name, none) for name in ("exchange", "conditions"))
    known: dict[Any, int] = {}
    found = []
    for row, (exchange, told) in enumerate(zip(exchanges, conditions, strict=True)):
        if not _is_there(price[row]):
            found.append(0)
            continue
        try:
            key = exchange, told if isinstance(told, str) else tuple(told or ())
            if key not in known:
                known[key] = mark_of(exchange or None, _codes(key[1]))
        except TypeError:
            raise TapeError(
                f"{place} {where[row]}: conditions {told!r} is neither a text nor a list of codes"
            ) from None
        except ValueError as error:
            raise TapeError(f"{place} {where[row]}: {error}") from error
        found.append(known[key])
    return found


def _is_there(price: Any) -> bool:
    return price not in (None, "") and price == price  # not NaN


def _codes(told: Any) -> list[Any]:
    """Give the codes in a text, such as ``@FTI`` or ``F,T,I``, or of a list."""
    return [code for code in told if code not in _NOTHING]
