"""Symbols and channels as tests name them; the error for a wrong name suggests the one that was meant."""

from difflib import get_close_matches
from typing import Any

from feeds.errors import CommandError, UnknownSymbol
from ticker.batch import CHANNELS, channel_name
from ticker.universe import Universe

__all__ = ["check_channel", "symbol_id"]

_LISTED = 10
_CHANNELS = [*map(channel_name, range(CHANNELS)), "bars"]


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


def check_channel(name: Any) -> None:
    """
    Check that a channel is one: ``trades``, ``quotes``, ``status``, ``depth``, ``bars:1m``, or ``bars`` of any interval.

    Raises:
        CommandError: it is none; nobody will ever be subscribed to it.
    """
    if name in _CHANNELS:
        return
    near = get_close_matches(str(name), _CHANNELS, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"the channels are {', '.join(_CHANNELS)}"
    raise CommandError(f"unknown channel {name!r}; {hint}")


def _some(universe: Universe) -> str:
    more = ", ..." if len(universe) > _LISTED else ""
    return f"the symbols are {', '.join(universe.symbols[:_LISTED])}{more}"
