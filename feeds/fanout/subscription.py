"""What a connection is subscribed to and how: every event, or the newest at a pace. An immutable value."""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter

from feeds.fanout.interest import NOTHING, Interest
from feeds.fanout.symbols import Symbols

__all__ = ["Paced", "Subscription"]

Paced = tuple[tuple[int, Interest], ...]
"""Windows in microseconds, in order, each with what gets at most one update in it; no interest empty, no two overlap."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Symbols by channel, each either in full or paced."""

    full: Interest = NOTHING
    """What gets every event."""
    paced: Paced = ()
    """What gets the newest event, at most once a window."""

    def interests(self) -> tuple[Interest, ...]:
        """Give what it is made of."""
        return (self.full, *(interest for _, interest in self.paced))

    def add(
        self, symbols: Iterable[int], channels: Iterable[int], window_us: int | None
    ) -> "Subscription":
        """Give the subscription with some symbols on some channels: in full, or, with a window, paced."""
        symbols, channels = Symbols.of(symbols), tuple(channels)
        if not symbols or not channels:
            return self
        if window_us is None:
            paced = _without(self.paced, symbols, channels)
            return Subscription(self.full.add(symbols, channels), paced)
        there = dict(self.paced).get(window_us, NOTHING)
        others = tuple(pair for pair in self.paced if pair[0] != window_us)
        more = (window_us, there.add(symbols, channels))
        paced = tuple(sorted((*_without(others, symbols, channels), more), key=itemgetter(0)))
        return Subscription(self.full.remove(symbols, channels), paced)

    def remove(self, symbols: Iterable[int], channels: Iterable[int]) -> "Subscription":
        """Give the subscription without some symbols on some channels."""
        symbols, channels = Symbols.of(symbols), tuple(channels)
        paced = _without(self.paced, symbols, channels)
        return Subscription(self.full.remove(symbols, channels), paced)


def _without(paced: Paced, symbols: Symbols, channels: tuple[int, ...]) -> Paced:
    rest = ((window, interest.remove(symbols, channels)) for window, interest in paced)
    return tuple(pair for pair in rest if pair[1])
