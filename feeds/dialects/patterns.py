"""Which symbols a pattern stands for; looked up once and in slices, as one pattern over many symbols takes 20 ms."""

from array import array
from collections.abc import Collection, Sequence

from ticker.universe import Universe

__all__ = ["LONGEST", "MOST_KEPT", "WORK", "Patterns"]

LONGEST = 64
"""
Characters of a pattern. A symbol has 20, so that no pattern needs more than 41.

It takes some 20 µs a character to make of a pattern what compares, and quadratically more with very long ones.
"""

WORK = 50_000
"""How many symbols to look at before pausing, while resolving a list: about 10 ms."""

MOST_KEPT = 1_000_000
"""Symbol ids kept of patterns that were asked for, 4 bytes each; beyond them the oldest pattern is forgotten."""

_CHARACTER = 100
"""As how many symbols looked at a character of a pattern counts that isn't known yet."""

_ENTRY = 100
"""What the entry of a pattern itself counts for."""


class Patterns:
    """
    The patterns of one market.

    Args:
        universe: its symbols.
    """

    def __init__(self, universe: Universe) -> None:
        self.work = 0
        """How many symbols were looked at, since the start; what else there was to do counts likewise."""
        self._universe = universe
        # So that whoever keeps some doesn't keep numbers of his own.
        self._ids = tuple(range(len(universe)))
        self._known: dict[str, Sequence[int]] = {}
        self._kept = 0

    def match(self, pattern: str) -> Sequence[int]:
        """Give the ids that a pattern matches, in order."""
        found = self._known.get(pattern)
        if found is None:
            found = array("I", self._universe.match(pattern))
            self.work += len(self._universe)
            if pattern != "*":
                self.work += _CHARACTER * len(pattern)
            self._known[pattern] = found
            self._kept += len(found) + _ENTRY
            while self._kept > MOST_KEPT and len(self._known) > 1:
                self._kept -= len(self._known.pop(next(iter(self._known)))) + _ENTRY
        self.work += len(found)
        if len(found) == len(self._ids):
            return self._ids
        return list(map(self._ids.__getitem__, found))

    def keep(self, found: Collection[int]) -> Sequence[int]:
        """Give ids as what takes little memory, as long answers go on for a while: all of them in order are kept once."""
        if len(found) == len(self._ids) and tuple(found) == self._ids:
            return self._ids
        return list(found)
