"""
Marks: where a trade was made and which conditions it has, as one number; it stands in ``ask`` of the trade's row of a batch.

The lowest six bits are the number of the exchange, the others the conditions. A mark of 0 is a regular trade at no
particular exchange, as are all trades of a market without rules.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.reference.conditions import CONDITIONS, condition_bits, condition_codes
from ticker.reference.exchanges import EXCHANGES, exchange_number

__all__ = ["EXCHANGE", "SHIFT", "Moves", "mark_of", "marked", "moves", "with_conditions"]

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

SHIFT = 6
"""By how many bits the conditions are shifted."""

EXCHANGE = (1 << SHIFT) - 1
"""The bits of the exchange."""

_LETTERS = (None, *EXCHANGES)


def _vetoes(name: str) -> int:
    codes = [c.code for c in CONDITIONS if not getattr(c, name)]
    return condition_bits(codes) << SHIFT


_NOT_LAST, _NOT_RANGE, _NOT_VOLUME = (_vetoes(name) for name in ("last", "range", "volume"))


class Moves(NamedTuple):
    """What trades move, shape (trades,) each; who moves the last price moves high and low, and has volume."""

    last: Flags
    range: Flags
    volume: Flags


def mark_of(exchange: str | None, conditions: Iterable[str] = ()) -> int:
    """
    Give the mark of an exchange and of conditions.

    Raises:
        ValueError: the exchange or a condition is unknown.
    """
    return exchange_number(exchange) | with_conditions(conditions)


def with_conditions(conditions: Iterable[str]) -> int:
    """
    Give the mark of conditions alone.

    Raises:
        ValueError: one is unknown.
    """
    return condition_bits(conditions) << SHIFT


def marked(mark: int) -> tuple[str | None, tuple[str, ...]]:
    """Give the exchange and the conditions of a mark."""
    return _LETTERS[mark & EXCHANGE], condition_codes(mark >> SHIFT)


def moves(marks: I64) -> Moves:
    """Tell what trades with such marks move."""
    return Moves(*((marks & veto) == 0 for veto in (_NOT_LAST, _NOT_RANGE, _NOT_VOLUME)))
