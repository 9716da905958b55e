"""Symbols as tests name them: a wrong name is told with the one that was meant."""

from typing import Any

from feeds.errors import UnknownSymbol
from ticker.universe import Universe

__all__ = ["symbol_id"]

_LISTED = 10


def symbol_id(universe: Universe, name: Any) -> int:
    """
    Give the id of a symbol.

    Raises:
        UnknownSymbol: there is none of this name.
    """
    if not isinstance(name, str):
        raise UnknownSymbol(f"unknown symbol {name!r}; {_some(universe)}")
    number = universe.find(name)
    if number is None:
        near = universe.suggest(name[:40])
        hint = _some(universe) if near is None else f"did you mean {near!r}?"
        raise UnknownSymbol(f"unknown symbol {name[:40]!r}; {hint}")
    return number


def _some(universe: Universe) -> str:
    more = ", ..." if len(universe) > _LISTED else ""
    return f"the symbols are {', '.join(universe.symbols[:_LISTED])}{more}"
