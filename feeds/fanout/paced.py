"""
Paced subscriptions: lanes of slots that share a window, and when each is due.

A *lane* is some slots of one connection that share a window: it gets the newest of them, in one message, at most once in
each. Nothing is done per event and connection. All lanes lie end to end in two arrays, the slots and the *marks*
(the sequence up to which each slot was sent), so that one look tells, for all connections, which lanes are due and dirty.

Times are whole microseconds: windows end exactly, however many there were.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.fanout.group import Member
from feeds.fanout.subscription import Paced

__all__ = ["LANE_SLOTS", "LONG_AGO", "MOST_SLOTS", "Lane", "Lanes"]

I64 = NDArray[np.int64]

LANE_SLOTS = 256
"""The most slots of a lane: it bounds its message to about 32 KB. What has more is several lanes."""

MOST_SLOTS = 2_000_000
"""The most slots of all lanes together: 32 MB, and 6 ms each time that they are looked at."""

_REST_S = 5e-8  # for a slot, between two looks: so these take a tenth of the time at most, and with new lanes a third

LONG_AGO = -(2**62)


class Lane:
    """
    Some slots of a member, with one window.

    Args:
        member: whose.
        slots: which, in order.
        marks: the sequence up to which each of them was sent.
        window: its length in microseconds; 0: as long as a turn.
        last: when the last update went out.
    """

    __slots__ = ("due", "last", "marks", "member", "placed", "slots", "window")

    def __init__(
        self, member: Member, slots: I64, marks: I64, window: int, last: int = LONG_AGO
    ) -> None:
        self.member, self.slots, self.marks = member, slots, marks
        self.window, self.last = window, last
        self.placed = True
        """Whether it is still one of its member's."""
        self.due = np.array([last + window])
        """When the next update may go out. One number; like ``slots`` and ``marks``, a view of the table that all lanes are in."""

    def sent(self, seq: I64, now_us: int) -> None:
        """Note that all of it was sent; the next window follows on this one, unless that is over already."""
        self.last = now_us
        self.marks[:] = seq[self.slots]
        due = int(self.due[0]) + self.window
        self.due[0] = due if due > now_us else now_us + self.window


class _Table(NamedTuple):
    """All lanes, one after the other."""

    lanes: list[Lane]
    starts: NDArray[np.intp]
    slots: I64
    marks: I64
    due: I64
    """By lane."""


class Lanes:
    """
    The lanes of all members of one hub.

    Args:
        symbols: how many symbols the market has.
        seq: the newest sequence published, by slot; the hub goes on writing it.
        wanted: how often each slot is wanted; lanes are counted in it.
    """

    def __init__(self, symbols: int, seq: I64, wanted: NDArray[np.int32]) -> None:
        self.timeless = False
        """Whether every window is as long as a turn."""
        self.slots = 0
        """How many there are, in all lanes."""
        self._seq, self._wanted, self._symbols = seq, wanted, symbols
        self._by_member: dict[Member, list[Lane]] = {}
        self._table: _Table | None = None

    def __bool__(self) -> bool:
        return bool(self._by_member)

    def of(self, member: Member) -> list[Lane]:
        """Give the lanes of a member."""
        return self._by_member.get(member, [])

    @property
    def rest_s(self) -> float:
        """For how long, in seconds, there should be no other look after one, as there are so many slots."""
        return self.slots * _REST_S

    def count(self, member: Member) -> int:
        """Give how many slots a member has in lanes."""
        return sum(len(lane.slots) for lane in self.of(member))

    def added(self, member: Member, slots: I64) -> int:
        """Give how many of some slots a member doesn't have in lanes already."""
        more = np.zeros(len(self._seq), dtype=bool)
        more[slots] = True
        for lane in self.of(member):
            more[lane.slots] = False
        return int(np.count_nonzero(more))

    def place(self, member: Member, paced: Paced, marks: I64) -> None:
        """
        Give a member other lanes. Full ones of which nothing changes stay, so that what comes in pieces costs by the piece.

        Args:
            member: whose.
            paced: what is in them.
            marks: by slot of the hub, up to where the member has it.
        """
        left = dict[int, list[Lane]]()
        for lane in self.of(member):
            left.setdefault(lane.window, []).append(lane)
        kept: list[Lane] = []
        fresh: list[tuple[int, I64]] = []
        for window, interest in paced:
            window = 0 if self.timeless else window
            missing = np.zeros(len(self._seq), dtype=bool)
            missing[interest.slots(self._symbols)] = True
            for lane in left.get(window, ()):
                if len(lane.slots) == LANE_SLOTS and missing[lane.slots].all():
                    missing[lane.slots] = False
                    kept.append(lane)
            fresh.append((window, np.flatnonzero(missing)))
        staying = set(kept)
        gone = [lane for lane in self.of(member) if lane not in staying]
        last = np.full(len(self._seq), LONG_AGO)
        for lane in gone:
            last[lane.slots] = lane.last
        self._drop(gone)
        for window, slots in fresh:
            self._wanted[slots] += 1
            self.slots += len(slots)
            for i in range(0, len(slots), LANE_SLOTS):
                some = slots[i : i + LANE_SLOTS]
                kept.append(Lane(member, some, marks[some], window, int(last[some].max())))
        self._table = None
        self._by_member[member] = kept
        if not kept:
            del self._by_member[member]

    def forget(self, member: Member) -> None:
        """Let go of a member's lanes, if it has any."""
        if member in self._by_member:
            self._drop(self._by_member.pop(member))

    def _drop(self, lanes: Sequence[Lane]) -> None:
        self._table = None
        for lane in lanes:
            lane.placed = False
            self._wanted[lane.slots] -= 1
            self.slots -= len(lane.slots)

    def fill(self, member: Member, marks: I64) -> None:
        """Write the marks of a member's lanes into a row with one mark for each slot of the hub."""
        for lane in self.of(member):
            marks[lane.slots] = lane.marks

    def renew(self, member: Member, slots: I64) -> None:
        """Take some slots of a member as sent."""
        lanes = self.of(member)
        if not lanes:
            return
        sent = np.zeros(len(self._seq), dtype=bool)
        sent[slots] = True
        for lane in lanes:
            at = sent[lane.slots]
            if at.any():
                lane.marks[at] = self._seq[lane.slots[at]]

    def due(self, now_us: int) -> list[Lane]:
        """
        Give the lanes that are due and dirty, the longest due first, without those of members that are behind.

        Cost: nothing but a comparison a lane while none is due; then about 3 ns a slot of all lanes.
        """
        if not self._by_member:
            return []
        table = self._table or self._make_table()
        ready = table.due <= now_us
        if not ready.any():
            return []
        missed = self._seq[table.slots] != table.marks
        dirty = np.logical_or.reduceat(missed, table.starts)
        table.due[ready & ~dirty] = now_us  # the window of what waits for an event begins with it
        at = np.flatnonzero(ready & dirty)
        at = at[np.argsort(table.due[at], kind="stable")]
        lanes = map(table.lanes.__getitem__, at.tolist())
        return [lane for lane in lanes if lane.member.laggard is None]

    def _make_table(self) -> _Table:
        lanes = [lane for some in self._by_member.values() for lane in some]
        sizes = np.array([len(lane.slots) for lane in lanes])
        starts = np.cumsum(sizes) - sizes
        slots = np.concatenate([lane.slots for lane in lanes])
        marks = np.concatenate([lane.marks for lane in lanes])
        due = np.concatenate([lane.due for lane in lanes])
        for i, (lane, start, size) in enumerate(
            zip(lanes, starts.tolist(), sizes.tolist(), strict=True)
        ):
            mine = slice(start, start + size)
            lane.slots, lane.marks, lane.due = slots[mine], marks[mine], due[i : i + 1]
        self._table = _Table(lanes, starts, slots, marks, due)
        return self._table
