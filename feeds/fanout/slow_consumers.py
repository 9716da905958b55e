"""Slow consumers: who is behind, what they missed, when they are back, and who is cut off."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from feeds.counters.stats import HubStats
from feeds.fanout.conflation import Newest
from feeds.fanout.group import Group, Member
from feeds.fanout.laggard import Laggard, Narrow, narrow
from feeds.fanout.roster import Roster
from feeds.fanout.snapshots import ALWAYS, Snapshots
from feeds.wire.backlog import Eviction, Slow, State

__all__ = ["SlowConsumers"]

NOTHING = np.zeros(0, dtype=np.int64)

_FAR = 2**15  # what an event more costs is four bytes a slot, so the base is moved up
_SNAPSHOT_BYTES = 400  # about what a symbol adds to a message that tells what was dropped


class SlowConsumers:
    """
    The members of a hub that don't read as fast as it writes.

    Args:
        roster: who wants what.
        seq: the newest sequence published, by slot; the hub goes on writing it.
        newest: the newest events.
        stats: the hub's counters.
        slow: what is done for them; None: nothing, and those over the soft limit are ``congested``, so that the pump waits.
        snapshots: tells where things stand, where events are left out.
    """

    def __init__(
        self,
        roster: Roster,
        seq: NDArray[np.int64],
        newest: Newest,
        stats: HubStats,
        *,
        slow: Slow | None,
        snapshots: Snapshots | None,
    ) -> None:
        self.laggards: dict[Member, None] = {}
        """Members that are conflated."""
        self.congested: dict[Member, None] = {}
        """Members over the soft limit that aren't conflated, because nobody is."""
        self._roster, self._seq, self._newest, self._stats = roster, seq, newest, stats
        self._slow, self._snapshots = slow, snapshots
        self._base = seq[:0]  # what the marks of all laggards are counted from
        self._row: tuple[Group | None, int, Narrow] = None, 0, self._base  # the newest marks

    def fall_behind(self, group: Group, members: Iterable[Member], now: float) -> None:
        """Take live members of a group that are over the soft limit out of the loop."""
        for member in members:
            if member.group is not group:
                continue  # left while the flush paused
            if self._slow is None:
                self.congested[member] = None
            elif self._admit(member, now) and member.backlog.state is State.CONFLATING:
                self._roster.silence(member)
                self._newest.begin()
                above = self._marks(group)
                member.laggard = Laggard(group.slots, above, self._base)
                self.laggards[member] = None

    def _marks(self, group: Group) -> Narrow:
        """Give how far each slot of a group is beyond the base: one row for all of its members in this turn."""
        events = self._stats.events
        if self.laggards and self._row[:2] == (group, events):
            return self._row[2]
        slots = group.slots()
        above = self._seq[slots] - self._base[slots] if self.laggards else NOTHING
        if not self.laggards or above.max(initial=0) >= _FAR:
            self._base = self._seq.copy()
            above = np.zeros(len(slots), dtype=np.int64)
        self._row = group, events, narrow(above)
        return self._row[2]

    def forget(self, member: Member) -> None:
        """Let go of a member that goes, if it is here."""
        self._is_back(member)
        self.congested.pop(member, None)
        self._roster.lanes.forget(member)

    def tend(self, now: float) -> None:
        """
        Look after the members that fell behind, once a turn, whether it had events or not.

        Cost: one look at each backlog; bytes only for those that have drained.
        """
        for member in list(self.laggards):
            if not self._admit(member, now) or member.laggard is None:
                continue
            if self._slow is Slow.DISCONNECT and len(member.laggard.missed(self._seq)[0]):
                self.evict(member, Eviction.SLOW)
            elif member.backlog.state is State.LIVE:
                self._catch_up(member, member.laggard, now)

    def relieved(self, now: float) -> bool:
        """Tell whether nobody is congested any more; evict who makes no progress."""
        for member in list(self.congested):
            if self._admit(member, now) and member.backlog.state is State.LIVE:
                self.congested.pop(member, None)
        return not self.congested

    def restore(self, member: Member, slots: Iterable[int]) -> list[bytes]:
        """Give what must follow events that don't say what they stand for; to be sent at once."""
        symbols = sorted({slot % self._roster.symbols for slot in slots})
        return self._tell(member, symbols, ALWAYS) if symbols else []

    def _catch_up(self, member: Member, laggard: Laggard, now: float) -> None:
        """Send a member what there is for what it missed, and let it live again if that was all."""
        told = None
        if self._slow is Slow.DROP:
            objects = self._dropped(member, laggard)
        else:
            budget = member.backlog.policy.soft_limit
            told = laggard.catch_up(self._seq, self._newest.pieces, budget)
            objects = [fragment[:-1] for fragment in told.fragments]
            objects += self.restore(member, told.unsure)
        if objects and not self._write(member, objects, whole=not laggard.behind):
            return
        if told is not None:
            self._stats.tell(len(told.fragments), told.replaced)
        if laggard.behind:
            member.backlog.conflate(member.transport.unread(), now)
            return
        self._is_back(member)
        member.laggard = None
        self._roster.enliven(member)

    def _is_back(self, member: Member) -> None:
        self.laggards.pop(member, None)
        if not self.laggards and len(self._base):
            self._base = self._seq[:0]
            self._row = None, 0, self._base

    def _dropped(self, member: Member, laggard: Laggard) -> list[bytes]:
        """Give the gaps of some symbols with their snapshots: as many as make a message."""
        total, most = self._roster.symbols, member.backlog.policy.soft_limit // _SNAPSHOT_BYTES
        slots, _ = laggard.missed(self._seq)
        some = laggard.next_symbols(slots % total, 1 + most)
        channels = {*ALWAYS, *(slots[np.isin(slots % total, some)] // total).tolist()}
        assert not some or self._snapshots is not None, "whoever drops has to tell"
        return self._tell(member, some, sorted(channels)) if some else []

    def _tell(self, member: Member, symbols: Sequence[int], channels: Sequence[int]) -> list[bytes]:
        """Give the snapshots of some symbols, after gaps that say what they stand for."""
        if self._snapshots is None:
            return []
        total, marks = self._roster.symbols, self._seq.copy()
        self._roster.lanes.fill(member, marks)
        if member.laggard is not None:
            member.laggard.fill(marks)
        ids = np.array(symbols, dtype=np.int64)
        slots = np.concatenate([channel * total + ids for channel in channels])
        missed = slots[marks[slots] != self._seq[slots]]
        first, last = marks[missed] + 1, self._seq[missed]
        self._stats.skipped += int((last - first + 1).sum())
        rows = zip(missed.tolist(), first.tolist(), last.tolist(), strict=True)
        gaps = [self._snapshots.gap(s % total, s // total, a, b) for s, a, b in rows]
        self._roster.renew(member, slots)
        return gaps + self._snapshots.snapshots(symbols, channels)

    def _write(self, member: Member, objects: list[bytes], *, whole: bool) -> bool:
        """Write a message behind what is unread; tell whether the member is still there."""
        data = member.envelope.wrap(b"[" + b",".join(objects) + b"]", whole=whole)
        self._stats.writes += 1
        self._stats.bytes += len(data)
        try:
            member.transport.write(data)
        except (OSError, RuntimeError):
            self.drop(member)
            return False
        return True

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
        self.drop(member)
        member.on_evict(reason)

    def drop(self, member: Member, *, broken: bool = False) -> None:
        """
        Let go of a connection; its own task learns of it by the abort.

        Args:
            member: whose it is.
            broken: whether it was closed under our hands, as the message under way was written to it.
        """
        self.forget(member)
        self._roster.dismiss(member, broken=broken)
        member.transport.abort()
