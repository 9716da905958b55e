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
    _grown: tuple[NDArray[np.int64], frozenset[int], tuple[int, ...]] | None = field(
        default=None, compare=False, repr=False
    )
    """The slots of what it was made of, and the symbols and channels that came on top: to merge is quicker than to sort."""

    def __bool__(self) -> bool:
        return bool(self.channels)

    def has(self, channel: int) -> bool:
        """Tell whether there are symbols on a channel."""
        return any(number == channel for number, _ in self.channels)

    def add(self, symbols: Iterable[int], channels: Iterable[int]) -> "Interest":
        """Give the interest with more symbols on some channels."""
        table = dict(self.channels)
        more, channels = frozenset(symbols), tuple(channels)
        merged: dict[int, frozenset[int]] = {}  # channels with one set of symbols keep having one
        for channel in channels:
            have = table.get(channel, more)
            if id(have) not in merged:
                merged[id(have)] = have if more <= have else have | more
            table[channel] = merged[id(have)]
        grown = (self._slots[0], more, channels) if self._slots else None
        return Interest(tuple(sorted((c, s) for c, s in table.items() if s)), _grown=grown)

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
            if self._grown is not None:
                have, more, channels = self._grown
                object.__setattr__(self, "_grown", None)
                table = [(c, more) for c in sorted(set(channels))]
                both = np.concatenate([have, *_slots(table, symbols)])
                both.sort(kind="stable")  # merges what is in order already
                self._slots.append(both[np.diff(both, prepend=-1) > 0])
            else:
                parts = _slots(self.channels, symbols)
                self._slots.append(np.concatenate(parts) if parts else np.empty(0, np.int64))
        return self._slots[0]

    def parts(self) -> list[tuple[frozenset[int], frozenset[int]]]:
        """Give the interest as pairs of channels and symbols, in as few as there are different sets of symbols."""
        by_symbols: dict[frozenset[int], list[int]] = {}
        for channel, symbols in self.channels:
            by_symbols.setdefault(symbols, []).append(channel)
        return [(frozenset(channels), symbols) for symbols, channels in by_symbols.items()]


def _slots(channels: Iterable[tuple[int, frozenset[int]]], symbols: int) -> list[NDArray[np.int64]]:
    """Give the slots of some channels, each in order. Linear in symbols, some 60 ns each."""
    return [c * symbols + np.sort(np.fromiter(s, np.int64, len(s))) for c, s in channels]


NOTHING = Interest()
"""The interest of a connection that subscribed to nothing."""
