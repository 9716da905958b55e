"""The loop over subscriptions to the latest only: each one that is due gets the newest of what changed, in one message."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from feeds.fanout.conflation import Newest
from feeds.fanout.delivery import Delivery, slices
from feeds.fanout.group import Member
from feeds.fanout.paced import Lane
from feeds.fanout.roster import Roster
from feeds.fanout.slow_consumers import SlowConsumers

__all__ = ["Pacer"]


class Pacer:
    """
    Writes to the paced members of one hub.

    Args:
        roster: who they are.
        seq: the newest sequence published, by slot; the hub goes on writing it.
        newest: the newest events.
        slow: tells what must follow an event that doesn't say what it stands for.
        delivery: does the writing.
    """

    def __init__(
        self,
        roster: Roster,
        seq: NDArray[np.int64],
        newest: Newest,
        slow: SlowConsumers,
        delivery: Delivery,
    ) -> None:
        self._roster, self._seq, self._newest = roster, seq, newest
        self._slow, self._delivery = slow, delivery

    def send_due(self, now: float, most: int) -> Iterator[None]:
        """
        Write to all that are due up to now, in the clock's seconds; pause after about so many writes.

        A member that is behind gets its update when it has drained. While it pauses, members may leave, or wish for something else.
        """
        for lanes in slices(self._roster.lanes.due(round(now * 1e6)), most):
            self._send([lane for lane in lanes if lane.placed], now)
            yield

    def settle(self, member: Member, slots: NDArray[np.int64], now: float) -> None:
        """
        Write to a live member, at once, what is dirty of its lanes in some slots: about to be given in full, or as a snapshot.

        The window goes on as if nothing had happened.
        """
        lanes = self._roster.lanes.of(member)
        if member.laggard is not None or not lanes:
            return  # one that is behind gets that when it has drained
        some = np.zeros(len(self._seq), dtype=bool)
        some[slots] = True
        for lane in lanes:
            at = some[lane.slots] & (self._seq[lane.slots] != lane.marks)
            if at.any():
                waiting = Lane(member, lane.slots[at], lane.marks[at], 0)
                lane.marks[at] = self._seq[
                    waiting.slots
                ]  # else what must follow would tell of it as lost
                self._send([waiting], now, whole=True)

    def hurry(self, member: Member, now: float) -> bool:
        """Write to a live member, at once, all that is dirty of a lane that is; tells whether one was."""
        for lane in self._roster.lanes.of(member):
            if member.laggard is None and (self._seq[lane.slots] != lane.marks).any():
                self._send([lane], now)
                return True
        return False

    def _send(self, lanes: Sequence[Lane], now: float, *, whole: bool = False) -> None:
        """Write to each lane's member, where the lane has something to send still; if ``whole``, though it falls behind meanwhile."""
        if not lanes:
            return
        slots = np.concatenate([lane.slots for lane in lanes])
        missed = self._seq[slots] - np.concatenate([lane.marks for lane in lanes])
        dirty = np.flatnonzero(missed)
        sizes = np.cumsum([len(lane.slots) for lane in lanes])
        ends = np.searchsorted(dirty, sizes).tolist()
        pieces = self._newest.pieces(slots[dirty], missed[dirty])
        fragments, replaced, now_us = pieces.fragments, pieces.replaced, round(now * 1e6)
        start, sent = 0, []
        for lane, end in zip(lanes, ends, strict=True):
            member = lane.member
            may = member.group is not None and (whole or member.laggard is None)
            sent.append(start < end and may)
            if sent[-1]:  # a lane before may have been too much for it
                payload = b"[" + b"".join(fragments[start:end])[:-1] + b"]"
                self._delivery.stats.tell(end - start, sum(replaced[start:end]))
                lane.sent(self._seq, now_us)
                self._delivery.one(member.envelope.wrap(payload), member, now)
            start = end
        unsure: dict[Member, list[int]] = {}
        for i in pieces.unsure:
            at = bisect_right(ends, i)
            if sent[at]:
                unsure.setdefault(lanes[at].member, []).append(int(slots[dirty[i]]))
        self._restore(unsure, now)

    def _restore(self, unsure: Mapping[Member, list[int]], now: float) -> None:
        """Send the snapshots that must follow."""
        for member, some in unsure.items():
            self._delivery.settle(member, now)  # they tell of what is pending, too
            snapshots = self._slow.restore(member, some)
            if snapshots and member.group is not None:
                payload = b"[" + b",".join(snapshots) + b"]"
                self._delivery.one(member.envelope.wrap(payload), member, now)
