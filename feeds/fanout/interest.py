"""What a connection is subscribed to: an immutable value, so that connections with equal ones can share a group."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from feeds.fanout.symbols import Symbols

__all__ = ["NOTHING", "Interest"]

_KEPT = 2_048
"""Up to so many slots are kept; more are worked out again when they are asked for, at some ns each."""


@dataclass(frozen=True, slots=True)
class Interest:
    """
    Symbols by channel.

    A *slot* is the place of one symbol on one channel in a flat table: channel number times symbols, plus symbol id.
    """

    channels: tuple[tuple[int, Symbols], ...] = ()
    """Channel numbers in order, each with its symbol ids; none of them empty."""
    _slots: list[NDArray[np.int64]] = field(default_factory=list, compare=False, repr=False)

    def __bool__(self) -> bool:
        return bool(self.channels)

    def has(self, channel: int) -> bool:
        """Tell whether there are symbols on a channel."""
        return any(number == channel for number, _ in self.channels)

    def __len__(self) -> int:
        """How many slots there are."""
        return sum(len(symbols) for _, symbols in self.channels)

    def add(self, symbols: Iterable[int], channels: Iterable[int]) -> "Interest":
        """Give the interest with more symbols on some channels."""
        table = dict(self.channels)
        more = Symbols.of(symbols)
        merged: dict[int, Symbols] = {}  # channels with one set of symbols keep having one
        for channel in channels:
            have = table.get(channel, more)
            if id(have) not in merged:
                merged[id(have)] = have if more <= have else have | more
            table[channel] = merged[id(have)]
        return Interest(tuple(sorted(((c, s) for c, s in table.items() if s), key=itemgetter(0))))

    def remove(self, symbols: Iterable[int], channels: Iterable[int]) -> "Interest":
        """Give the interest without some symbols on some channels."""
        table = dict(self.channels)
        less = Symbols.of(symbols)
        rest: dict[int, Symbols] = {}
        for channel in channels:
            if (have := table.get(channel)) is not None:
                if id(have) not in rest:
                    rest[id(have)] = have - less
                table[channel] = rest[id(have)]
        return Interest(tuple((c, s) for c, s in table.items() if s))

    def slots(self, symbols: int) -> NDArray[np.int64]:
        """Give the slots, in order, where the market has so many symbols."""
        if self._slots:
            return self._slots[0]
        parts = [channel * symbols + some.ids() for channel, some in self.channels]
        found = np.concatenate(parts) if parts else np.empty(0, np.int64)
        if len(found) <= _KEPT:
            self._slots.append(found)
        return found

    def parts(self, most: float = math.inf) -> list[tuple[frozenset[int], Symbols]]:
        """
        Give the interest as pairs of channels and symbols, as few as there are different sets of channels.

        Each symbol is in one of them, with all of its channels. Nothing, if there would be more than ``most``.
        """
        by_symbols: dict[Symbols, frozenset[int]] = {}
        for channel, symbols in self.channels:
            by_symbols[symbols] = by_symbols.get(symbols, frozenset()) | {channel}
        parts: list[tuple[frozenset[int], Symbols]] = []
        for symbols, channels in by_symbols.items():
            split: list[tuple[frozenset[int], Symbols]] = []
            for others, some in parts:
                rest = some - symbols
                split += [(others, rest), (others | channels, some - rest)]
                symbols = symbols - some
            parts = [pair for pair in (*split, (channels, symbols)) if pair[1]]
            if len(parts) > most:
                return []
        return parts


NOTHING = Interest()
"""The interest of a connection that subscribed to nothing."""
