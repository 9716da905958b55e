"""
What a conflated connection has missed.

While a connection is behind, nothing happens for it: when it fell behind, the sequences of its slots were noted (the
*marks*, one row shared by all members of a group that fell behind in the same turn). When it has drained, a slot whose
newest sequence is beyond its mark is dirty; its newest event goes out, and the difference says how many that replaces.

A row is kept as small distances from a row shared by all connections that are behind: two bytes a slot, instead of eight.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CaughtUp", "Laggard", "Narrow", "narrow"]

I64 = NDArray[np.int64]
Narrow = NDArray[np.int64] | NDArray[np.int32] | NDArray[np.int16]

MakePieces = Callable[[I64, I64], tuple[list[bytes], list[int], list[int]]]
"""For some slots, and how many events of each were missed: fragments, how many each replaces, which are unsure."""

_BLOCK = 256  # slots to make fragments for at a time: more may not fit the budget


def narrow(values: I64) -> Narrow:
    """Give the same numbers in as few bytes as they need."""
    low, high = values.min(initial=0), values.max(initial=0)
    if -(2**15) <= low <= high < 2**15:
        return values.astype(np.int16)
    if -(2**31) <= low <= high < 2**31:
        return values.astype(np.int32)
    return values


@dataclass(slots=True)
class CaughtUp:
    """What to send of what was missed."""

    fragments: list[bytes]
    replaced: int
    """How many events they replace."""
    unsure: list[int]
    """The slots whose event doesn't say what it stands for (see :mod:`feeds.fanout.conflation`)."""


class Laggard:
    """
    The marks of one connection.

    Args:
        slots: gives its slots, in order; they may be many, so it keeps none.
        above: the sequence of each slot up to which it got everything, less that of ``base``.
        base: a sequence for each slot of the hub, which never changes; None: zeros.
    """

    __slots__ = ("_above", "_base", "_next", "_slots", "behind")

    def __init__(self, slots: Callable[[], I64], above: Narrow, base: I64 | None = None) -> None:
        self._slots, self._above, self._base = slots, above, base
        self._next = 0  # the slot, or the symbol, with which to go on
        self.behind = True
        """Whether something is left to send after :meth:`catch_up`."""

    def move(self, slots: Callable[[], I64], marks: I64) -> None:
        """Go over to other slots, with a row of marks for them."""
        self._slots = slots
        self._above = narrow(self._distances(marks, slots()))

    def fill(self, marks: I64) -> None:
        """Write the marks into a row with one mark for each slot of the hub."""
        slots = self._slots()
        marks[slots] = self._above
        if self._base is not None:
            marks[slots] += self._base[slots]

    def renew(self, slots: I64, seq: I64) -> None:
        """Take some slots as got up to the newest sequence of every slot of the hub."""
        above = self._above.astype(np.int64)  # a copy: the row may be shared
        got = np.zeros(len(seq), dtype=bool)
        got[slots] = True
        mine = self._slots()
        at = got[mine]
        mine = mine[at]
        above[at] = self._distances(seq[mine], mine)
        self._above = narrow(above)

    def missed(self, seq: I64) -> tuple[I64, I64]:
        """Give the dirty slots, and how many events of each were missed."""
        slots = self._slots()
        missed = self._distances(seq[slots], slots) - self._above
        dirty = np.flatnonzero(missed)
        return slots[dirty], missed[dirty]

    def _distances(self, seq: I64, slots: I64) -> I64:
        return seq if self._base is None else seq - self._base[slots]

    def next_symbols(self, symbols: I64, most: int) -> list[int]:
        """Choose so many of some symbols; what is left over comes first the next time."""
        distinct = np.unique(symbols)
        distinct = np.roll(distinct, -int(np.searchsorted(distinct, self._next)))
        self.behind = len(distinct) > most
        self._next = int(distinct[most]) if self.behind else 0
        chosen: list[int] = distinct[:most].tolist()
        return chosen

    def catch_up(self, seq: I64, pieces: MakePieces, budget: int) -> CaughtUp:
        """
        Give the newest event of each dirty slot, up to about ``budget`` bytes, and move the marks.

        What the budget leaves over comes first the next time: no slot waits for ever, however much is published.

        Args:
            seq: the newest sequence of every slot of the hub.
            pieces: makes what to send.
            budget: bytes after which to stop; ``behind`` tells whether that happened.
        """
        slots, counts = self.missed(seq)
        turn = -int(np.searchsorted(slots, self._next))
        slots, counts = np.roll(slots, turn), np.roll(counts, turn)
        told = CaughtUp([], 0, [])
        size = 0
        while len(told.fragments) < len(slots) and size <= budget:
            sent = len(told.fragments)
            block = slice(sent, sent + _BLOCK)
            fragments, replaced, unsure = pieces(slots[block], counts[block])
            for fragment, n in zip(fragments, replaced, strict=True):
                if size > budget:
                    break
                told.fragments.append(fragment)
                told.replaced += n
                size += len(fragment)
            told.unsure += [int(slots[sent + i]) for i in unsure if sent + i < len(told.fragments)]
        sent = len(told.fragments)
        self.renew(slots[:sent], seq)
        self.behind = sent < len(slots)
        self._next = int(slots[sent]) if self.behind else 0
        return told
