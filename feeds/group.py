"""The hub's two nouns: a member is a connection, a group is the members with one interest."""

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from feeds.backlog import Backlog, BacklogPolicy, Eviction
from feeds.board import Part
from feeds.interest import Interest
from feeds.laggard import Laggard
from feeds.transport import Transport

__all__ = ["UNCHECKED_BYTES", "Group", "Io", "Member"]

UNCHECKED_BYTES = 16 * 1024
"""A group's backlogs are looked at each time that so much was written to each of its members."""


class Member:
    """A connection that is in the hub."""

    __slots__ = ("backlog", "group", "laggard", "on_evict", "transport")

    def __init__(
        self, transport: Transport, policy: BacklogPolicy, on_evict: Callable[[Eviction], object]
    ) -> None:
        self.transport = transport
        self.backlog = Backlog(policy)
        self.on_evict = on_evict
        self.laggard: Laggard | None = None
        self.group: Group | None = None

    def __repr__(self) -> str:
        return f"<Member {self.backlog.state.value}, {self.transport.unread()} bytes unread>"


Io = tuple[Callable[[bytes], object], Callable[[], int], Member]
"""What the loop over members needs of one: how to write, how much is unread, who it is."""


class Group:
    """
    The members with one interest.

    Args:
        interest: what they are subscribed to.
        slots: its slots.
        parts: where to take its events from.
        now: the time, in the clock's seconds.
    """

    __slots__ = ("_io", "interest", "live", "members", "parts", "slots", "unchecked", "written")

    def __init__(
        self, interest: Interest, slots: NDArray[np.int64], parts: Sequence[Part], now: float
    ) -> None:
        self.interest = interest
        self.slots = slots
        self.parts = parts
        self.live: dict[Member, None] = {}
        self.members = 0
        """How many connections have this interest, live or not."""
        self._io: list[Io] | None = []
        self.unchecked = UNCHECKED_BYTES  # a new group's members may have come with a backlog
        """Bytes written to each live member since their backlogs were looked at."""
        self.written = now
        """When the group was last written to, in the clock's seconds."""

    def __repr__(self) -> str:
        return f"<Group of {self.members}, {len(self.live)} live, {len(self.slots)} slots>"

    def enter(self, member: Member) -> None:
        """Add a live member."""
        self.live[member] = None
        self._io = None

    def exit(self, member: Member) -> bool:
        """Take a live member out; tell whether it was in."""
        if member not in self.live:
            return False
        del self.live[member]
        self._io = None
        return True

    def take(self) -> Sequence[bytes]:
        """Give the head and the turn's fragments, ready to be sealed; nothing if there are none."""
        if len(self.parts) == 1:
            return self.parts[0].take()
        taken = [pieces for part in self.parts if (pieces := part.take())]
        if len(taken) < 2:
            return taken[0] if taken else ()
        return tuple(chain(taken[0], *(pieces[1:] for pieces in taken[1:])))

    def io(self) -> list[Io]:
        """Give what the loop over live members needs of each. The list is never changed; another takes its place."""
        if self._io is None:
            self._io = [(m.transport.write, m.transport.unread, m) for m in self.live]
        return self._io
