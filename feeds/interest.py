"""What a connection is subscribed to: an immutable value, so that connections with equal ones can share a group."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["NOTHING", "Interest"]


@dataclass(frozen=True, slots=True)
class Interest:
    """
    Symbols by channel.

    A *slot* is the place of one symbol on one channel in a flat table: channel number times symbols, plus symbol id.
    """

    channels: tuple[tuple[int, frozenset[int]], ...] = ()
    """Channel numbers in order, each with its symbol ids; none of them empty."""
    _slots: list[NDArray[np.int64]] = field(default_factory=list, compare=False, repr=False)

    def __bool__(self) -> bool:
        return bool(self.channels)

    def add(self, symbols: Iterable[int], channels: Iterable[int]) -> "Interest":
        """Give the interest with more symbols on some channels."""
        table = dict(self.channels)
        more = frozenset(symbols)
        for channel in channels:
            have = table.get(channel, frozenset())
            table[channel] = have if more <= have else have | more
        return Interest(tuple(sorted((c, s) for c, s in table.items() if s)))

    def remove(self, symbols: Iterable[int], channels: Iterable[int]) -> "Interest":
        """Give the interest without some symbols on some channels."""
        table = dict(self.channels)
        less = frozenset(symbols)
        for channel in channels:
            if channel in table:
                table[channel] -= less
        return Interest(tuple((c, s) for c, s in table.items() if s))

    def slots(self, symbols: int) -> NDArray[np.int64]:
        """Give the slots, in order, where the market has so many symbols. Computed once."""
        if not self._slots:
            parts = [
                c * symbols + np.sort(np.fromiter(s, np.int64, len(s))) for c, s in self.channels
            ]
            self._slots.append(np.concatenate(parts) if parts else np.empty(0, np.int64))
        return self._slots[0]

    def parts(self) -> list[tuple[frozenset[int], frozenset[int]]]:
        """Give the interest as pairs of channels and symbols, in as few as there are different sets of symbols."""
        by_symbols: dict[frozenset[int], list[int]] = {}
        for channel, symbols in self.channels:
            by_symbols.setdefault(symbols, []).append(channel)
        return [(frozenset(channels), symbols) for symbols, channels in by_symbols.items()]


NOTHING = Interest()
"""The interest of a connection that subscribed to nothing."""
