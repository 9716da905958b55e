"""
History: the newest events of every slot, already encoded, so that a client that comes back gets what it missed.

There is one ring for each slot, all of the same length, chosen so that together they stay within a budget. Nothing is
encoded again and nothing is copied: an answer is made of the very fragments that went out live.
"""

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import NamedTuple

__all__ = ["EVENT_BYTES", "MOST_EVENTS", "History", "Usage"]

EVENT_BYTES = 170
"""About what an event takes in memory: its fragment, Python's header, its place in the ring."""

MOST_EVENTS = 2_000
"""The longest ring; it bounds what one symbol and channel can add to an answer."""


class Usage(NamedTuple):
    """What a history keeps."""

    rings: int
    """One for each slot that had an event."""
    events: int
    bytes: int
    """About how much memory the events take."""


class History:
    """
    Rings of encoded events.

    Args:
        symbols: how many symbols the market has.
        budget_bytes: about how much memory to use; 0: keep nothing.
    """

    def __init__(self, symbols: int, budget_bytes: int) -> None:
        # Trades and quotes are what there is much of; bars and status come on top, a few in a hundred.
        self.length = min(MOST_EVENTS, budget_bytes // (2 * symbols * EVENT_BYTES))
        """How many events of each slot are kept."""
        self._rings: defaultdict[int, deque[bytes]] = defaultdict(
            partial(deque[bytes], maxlen=self.length)
        )

    def __bool__(self) -> bool:
        return self.length > 0

    def extend(self, slots: Iterable[int], fragments: Iterable[bytes]) -> None:
        """Keep events, in order. About 50 ns each."""
        rings = self._rings
        for slot, fragment in zip(slots, fragments, strict=True):
            rings[slot].append(fragment)

    def after(self, slot: int, since: int, newest: int) -> list[bytes] | None:
        """
        Give exactly the events of a slot after a sequence, oldest first; None if one of them is gone.

        Args:
            slot: which.
            since: the last sequence that the client has, at most ``newest``.
            newest: the newest sequence of the slot.
        """
        missed = newest - since
        ring = self._rings.get(slot, ())
        if missed > len(ring):
            return None
        return list(islice(ring, len(ring) - missed, None))

    def last(self, slot: int, count: int) -> list[bytes]:
        """Give the newest events of a slot, oldest first, at most ``count``."""
        ring = self._rings.get(slot, ())
        return list(islice(ring, max(0, len(ring) - count), None))

    def usage(self) -> Usage:
        """Give what is kept. Linear in rings, some 50 ns each."""
        events = sum(map(len, self._rings.values()))
        return Usage(len(self._rings), events, events * EVENT_BYTES)

    def split(self, slot: int, has: Callable[[bytes], bool]) -> tuple[int, int]:
        """
        Tell how many events of a slot are kept, and how many of them, the newest, somebody doesn't have.

        Args:
            slot: which.
            has: whether that somebody has an event; true for the oldest ones, if for any. Asked about ten times.
        """
        ring = self._rings.get(slot, ())
        return len(ring), len(ring) - bisect_left(ring, True, key=lambda f: not has(f))
