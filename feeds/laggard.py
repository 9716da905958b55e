"""
What a conflated connection has missed.

While a connection is behind, nothing happens for it: when it fell behind, the sequences of its slots were noted (the
*marks*, one row shared by all members of a group that fell behind in the same turn). When it has drained, a slot whose
newest sequence is beyond its mark is dirty; its newest event goes out, and the difference says how many that replaces.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["Laggard"]

I64 = NDArray[np.int64]


class Laggard:
    """
    The marks of one connection.

    Args:
        slots: its slots, in order.
        marks: the sequence of each slot up to which it got everything.
    """

    __slots__ = ("_marks", "_next", "_slots", "behind")

    def __init__(self, slots: I64, marks: I64) -> None:
        self._slots = slots
        self._marks = marks
        self._next = 0  # the slot with which to go on
        self.behind = True
        """Whether something is left to send after :meth:`catch_up`."""

    def move(self, slots: I64, now: I64) -> None:
        """Go over to other slots: those that stay keep their marks, new ones start from ``now`` (their snapshot's)."""
        marks = now.copy()
        stay, old, new = np.intersect1d(self._slots, slots, assume_unique=True, return_indices=True)
        if len(stay):
            marks[new] = self._marks[old]
        self._slots, self._marks = slots, marks

    def renew(self, slots: I64, seq: I64) -> None:
        """Take some slots as got up to the newest sequence of every slot of the hub."""
        marks = self._marks.copy()
        at = np.isin(self._slots, slots)
        marks[at] = seq[self._slots[at]]
        self._marks = marks

    def catch_up(
        self,
        seq: I64,
        newest: Mapping[int, bytes],
        with_merged: Callable[[bytes, int], bytes],
        budget: int,
    ) -> tuple[list[bytes], int]:
        """
        Give the newest event of each dirty slot, up to about ``budget`` bytes, and move the marks.

        What the budget leaves over comes first the next time: no slot waits for ever, however much is published.

        Args:
            seq: the newest sequence of every slot of the hub.
            newest: the newest fragment by slot.
            with_merged: says in a fragment how many it replaces.
            budget: bytes after which to stop; ``behind`` tells whether that happened.

        Returns:
            The fragments, and how many events they replace in all.
        """
        missed = seq[self._slots] - self._marks
        dirty = np.flatnonzero(missed)
        dirty = np.roll(dirty, -int(np.searchsorted(self._slots[dirty], self._next)))
        fragments: list[bytes] = []
        size = replaced = sent = 0
        for slot, count in zip(self._slots[dirty].tolist(), missed[dirty].tolist(), strict=True):
            if size > budget:
                break
            fragment = newest[slot] if count == 1 else with_merged(newest[slot], count - 1)
            fragments.append(fragment)
            size += len(fragment)
            replaced += count - 1
            sent += 1
        marks = self._marks.copy()  # the row may be shared
        done = dirty[:sent]
        marks[done] += missed[done]
        self._marks = marks
        self.behind = sent < len(dirty)
        self._next = int(self._slots[dirty[sent]]) if self.behind else 0
        return fragments, replaced
