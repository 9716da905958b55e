"""Slow consumers: who is behind, what they missed, when they are back, and who is cut off."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from feeds.backlog import Eviction, State
from feeds.dialects import Dialect
from feeds.group import Group, Member
from feeds.laggard import Laggard
from feeds.roster import Roster
from feeds.stats import HubStats

__all__ = ["SlowConsumers"]


class SlowConsumers:
    """
    The members of a hub that don't read as fast as it writes.

    Args:
        roster: who wants what.
        seq: the newest sequence published, by slot; the hub goes on writing it.
        dialect: says in an event how many it replaces.
        stats: the hub's counters.
        conflate: False: never conflate; who is over the soft limit is ``congested``, for the pump to wait.
    """

    def __init__(
        self,
        roster: Roster,
        seq: NDArray[np.int64],
        dialect: Dialect,
        stats: HubStats,
        *,
        conflate: bool,
    ) -> None:
        self.laggards: dict[Member, None] = {}
        """Members that are conflated."""
        self.congested: dict[Member, None] = {}
        """Members over the soft limit that aren't conflated, because ``conflate`` is off."""
        self.newest: dict[int, bytes] = {}
        """By slot, the newest fragment published since somebody fell behind."""
        self._roster, self._seq, self._stats = roster, seq, stats
        self._dialect, self._conflate = dialect, conflate

    def fall_behind(self, group: Group, members: Iterable[Member], now: float) -> None:
        """Take live members of a group that are over the soft limit out of the loop."""
        marks = self._seq[group.slots]  # one row for all of them
        for member in members:
            if member.group is not group:
                continue  # left while the flush paused
            if not self._conflate:
                self.congested[member] = None
            elif self._admit(member, now) and member.backlog.state is State.CONFLATING:
                self._roster.silence(member)
                member.laggard = Laggard(group.slots, marks)
                self.laggards[member] = None

    def forget(self, member: Member) -> None:
        """Let go of a member, if it is here."""
        self.laggards.pop(member, None)
        self.congested.pop(member, None)

    def tend(self, now: float) -> None:
        """
        Look after the members that fell behind, once a turn, whether it had events or not.

        Cost: one look at each backlog; bytes only for those that have drained.
        """
        for member in list(self.laggards):
            if self._admit(member, now) and member.backlog.state is State.LIVE:
                self._catch_up(member, now)
        if not self.laggards:
            self.newest.clear()

    def relieved(self, now: float) -> bool:
        """Tell whether nobody is congested any more; evict who makes no progress."""
        for member in list(self.congested):
            if self._admit(member, now) and member.backlog.state is State.LIVE:
                self.congested.pop(member, None)
        return not self.congested

    def _catch_up(self, member: Member, now: float) -> None:
        """Send a member the newest of what it missed, and let it live again if that was all."""
        laggard, policy = member.laggard, member.backlog.policy
        assert laggard is not None
        fragments, merged = laggard.catch_up(
            self._seq, self.newest, self._dialect.with_merged, policy.soft_limit
        )
        if fragments:
            array = b"[" + b"".join(fragments)[:-1] + b"]"
            data = member.envelope.wrap(array, whole=not laggard.behind)
            try:
                member.transport.write(data)
            except (OSError, RuntimeError):  # closed under our hands: its own task does the rest
                self.forget(member)
                self._roster.displace(member)
                member.transport.abort()
                return
            self._stats.catch_up(len(fragments), len(data), merged)
        if laggard.behind:
            member.backlog.conflate(member.transport.unread(), now)
            return
        del self.laggards[member]
        member.laggard = None
        self._roster.enliven(member)

    def _admit(self, member: Member, now: float) -> bool:
        """Ask the policy; evict if it says so. Tells whether the member is still there."""
        reason = member.backlog.admit(member.transport.unread(), now)
        if reason is None:
            return True
        self.evict(member, reason)
        return False

    def evict(self, member: Member, reason: Eviction) -> None:
        """Cut a member off, and count why."""
        self._stats.evicted[reason] += 1
        self.forget(member)
        self._roster.displace(member)
        member.transport.abort()
        member.on_evict(reason)
