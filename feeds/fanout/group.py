"""The hub's two nouns: a member is a connection, a group is the members with one interest."""

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from feeds.fanout.board import Part
from feeds.fanout.interest import Interest
from feeds.fanout.laggard import Laggard
from feeds.fanout.symbols import Symbols
from feeds.wire.backlog import Backlog, BacklogPolicy, Eviction
from feeds.wire.envelope import Envelope
from feeds.wire.transport import Data, Transport

__all__ = ["Flow", "Group", "Member"]


class Member:
    """A connection that is in the hub."""

    __slots__ = ("backlog", "envelope", "flowing", "group", "laggard", "on_evict", "transport")

    def __init__(
        self,
        transport: Transport,
        envelope: Envelope,
        policy: BacklogPolicy,
        on_evict: Callable[[Eviction], object],
    ) -> None:
        self.transport, self.envelope = transport, envelope
        self.backlog = Backlog(policy)
        self.on_evict = on_evict
        self.laggard: Laggard | None = None
        self.group: Group | None = None
        self.flowing = False
        """Whether it is live and nothing is unread, so that the short way (``transport.send``) is open."""

    def __repr__(self) -> str:
        return f"<Member {self.backlog.state.value}, {self.transport.unread()} bytes unread>"


Flow = tuple[Callable[[Data], int], Member]
"""What the loop over members needs of one: how to send, and who it is."""


class Group:
    """
    The members with one interest and one envelope.

    Args:
        interest: what they are subscribed to.
        envelope: what makes their messages.
        symbols: how many symbols the market has.
        parts: where to take its events from.
        now: the time, in the clock's seconds.
        phase: in which it is written to (see :mod:`feeds.fanout.roster`).
    """

    __slots__ = (
        "_flows",
        "_symbols",
        "agreed",
        "clogged",
        "envelope",
        "interest",
        "live",
        "members",
        "parts",
        "phase",
        "wanted",
        "written",
    )

    def __init__(
        self,
        interest: Interest,
        envelope: Envelope,
        symbols: int,
        parts: Sequence[Part],
        now: float,
        phase: int = 0,
    ) -> None:
        self.interest = interest
        self.phase = phase
        self.agreed = envelope
        """What its members have."""
        self.envelope = envelope if envelope.shareable else envelope.open()
        self._symbols = symbols
        self.parts = parts
        self.wanted: Sequence[tuple[frozenset[int], Symbols]] = ()
        """What each part is: channels, and the symbols on them."""
        self.live: dict[Member, None] = {}
        """Members that get every event."""
        self.clogged: dict[Member, None] = {}
        """Those of them that have something unread, and aren't conflated for that yet."""
        self.members = 0
        """How many connections have this interest, live or not."""
        self.written = now
        """When the group was last written to, in the clock's seconds."""
        self._flows: list[Flow] | None = []

    def __repr__(self) -> str:
        return f"<Group of {self.members}, {len(self.live)} live, {len(self.interest)} slots>"

    def slots(self) -> NDArray[np.int64]:
        """Give the slots of its interest, in order; many are worked out each time."""
        return self.interest.slots(self._symbols)

    def enter(self, member: Member) -> None:
        """Add a live member."""
        self.live[member] = None
        self.envelope.restart()
        self.envelope.audience(len(self.live))
        if member.transport.unread():
            self.clogged[member] = None
        else:
            self.flow(member)

    def exit(self, member: Member) -> bool:
        """Take a live member out; tell whether it was in."""
        if member not in self.live:
            return False
        del self.live[member]
        self.envelope.audience(len(self.live))
        self.clog(member)
        del self.clogged[member]
        return True

    def clog(self, member: Member) -> None:
        """Note that something is unread of a live member."""
        self.clogged[member] = None
        member.flowing = False
        self._flows = None

    def flow(self, member: Member) -> None:
        """Note that nothing is unread of a live member."""
        self.clogged.pop(member, None)
        member.flowing = True
        self._flows = None

    def flows(self) -> list[Flow]:
        """Give the way to each live member with nothing unread. The list is never changed; another takes its place."""
        if self._flows is None:
            self._flows = [(m.transport.send, m) for m in self.live if m.flowing]
        return self._flows

    def stands(self, flows: list[Flow]) -> bool:
        """Tell whether the list of the ways is good still; makes no other one."""
        return self._flows is flows

    def take(self) -> Sequence[bytes]:
        """Give the head and the pending fragments, ready to be sealed; nothing if there are none."""
        if len(self.parts) == 1:
            return self.parts[0].take()
        taken = [pieces for part in self.parts if (pieces := part.take())]
        if len(taken) < 2:
            return taken[0] if taken else ()
        return tuple(chain(taken[0], *(pieces[1:] for pieces in taken[1:])))

    def pending(self) -> int:
        """Give how many events it would take. Linear in those that are pending for anybody."""
        return sum(part.pending() for part in self.parts)
