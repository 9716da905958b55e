"""
The loops over connections: a message to a group, a message to each of many groups of one.

A *flowing* member has nothing unread, so its bytes go straight to the kernel, and what the kernel
didn't take is all there is to know about its backlog: it isn't looked at otherwise. A *clogged* one has something
unread; its bytes queue behind that, and its backlog is looked at each time.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TypeVar

from feeds.counters.stats import HubStats
from feeds.fanout.group import Flow, Group, Member
from feeds.fanout.groups_of_one import GroupOfOne, GroupsOfOne
from feeds.fanout.roster import Roster
from feeds.fanout.slow_consumers import SlowConsumers
from feeds.wire.transport import Data

__all__ = ["Delivery", "slices"]

T = TypeVar("T")

Seal = Callable[[Iterable[bytes]], Data]


class Delivery:
    """
    Writes to the live members of one hub.

    Args:
        roster: who they are.
        slow: takes those over the soft limit.
        stats: counts.
    """

    def __init__(self, roster: Roster, slow: SlowConsumers, stats: HubStats) -> None:
        self._roster, self._slow, self.stats = roster, slow, stats

    def to_groups_of_one(
        self, phase: int, now: float, most: int
    ) -> Generator[None, None, list[Group]]:
        """Write to a phase's groups of one; gives its groups that are still to be written to. Pauses as ``Hub.flush``."""
        plan = self._roster.plan(phase)
        others = plan.groups
        done = 0
        for ones in plan.groups_of_one:
            for symbol, portion in ones.portions():
                if symbol is None and not ones.picking(
                    portion
                ):  # few events: taken the other way round
                    if ones.part.board.happened:
                        others = [*others, *(one[2] for one in portion)]
                    continue
                for some in slices(portion, most):
                    if not self._roster.stands(plan, phase):  # somebody left while we paused
                        some = [one for one in some if one[2].live]
                    self._portion(ones, symbol, some, now)
                    if (done := done + len(some)) >= most:
                        done = 0
                        yield
        return others

    def _portion(
        self, ones: GroupsOfOne, symbol: int | None, some: Sequence[GroupOfOne], now: float
    ) -> None:
        """Write to some groups of one: to all of them what there is of one symbol, or, for None, to each what it picks."""
        seal, part = ones.envelope.seal, ones.part
        if symbol is None:
            self.own_messages(seal, part.board.entries, some, now)
        elif some:
            for one in some:
                one[2].written = now
            self.flows(seal(part.take_one(symbol)), [one[3] for one in some], now)

    def to_groups(self, groups: list[Group], now: float, most: int) -> Iterator[None]:
        """Write to groups, to each its own message. Pauses as ``Hub.flush``."""
        done = 0
        for group in groups:
            if not (data := group.envelope.seal(group.take())):
                continue
            group.written = now
            if group.envelope.saved:
                self.stats.saved += group.envelope.saved * len(group.live)
            flows = group.flows()
            if group.clogged:
                self.clogged(data, group, now)
            for some in slices(flows, most):
                if not group.stands(flows):  # somebody clogged, or left while we paused
                    there = [flow for flow in some if flow[1].flowing]
                    if gone := len(some) - len(there):
                        self._roster.deliveries.take_back(gone * group.pending())
                    some = there
                self.flows(data, some, now)
                if (done := done + len(some)) >= most:
                    done = 0
                    yield

    def own_messages(
        self, seal: Seal, entries: Sequence[bytes], ones: Sequence[GroupOfOne], now: float
    ) -> None:
        """Make and write each one's own message. About 10 ns an entry that it picks, 0.6 us beside, and the write."""
        size = writes = 0
        for pick, send, group, _ in ones:
            if not (data := seal(pick(entries))):
                continue
            group.written = now
            length = len(data)
            size += length
            writes += 1
            try:
                sent = send(data)
            except BlockingIOError:
                sent = 0
            except (OSError, RuntimeError):
                self._slow.drop(next(iter(group.live)), broken=True)
                continue
            if sent != length:
                self._clogs(next(iter(group.live)), data, sent, now)
        self.stats.writes += writes
        self.stats.bytes += size

    def flows(self, data: Data, flows: Sequence[Flow], now: float) -> None:
        """Write one message to flowing members of a group. About 50 ns beside the write."""
        length = len(data)
        for send, member in flows:
            try:
                sent = send(data)
            except BlockingIOError:
                sent = 0
            except (OSError, RuntimeError):
                self._slow.drop(member, broken=True)
                continue
            if sent != length:
                self._clogs(member, data, sent, now)
        self.stats.writes += len(flows)
        self.stats.bytes += length * len(flows)

    def clogged(self, data: Data, group: Group, now: float) -> None:
        """Write one message to the clogged members of a group. Must come before it goes to those that flow."""
        for member in list(group.clogged):
            self.one(data, member, now)

    def one(self, data: Data, member: Member, now: float) -> None:
        """Write to one member, wherever it stands."""
        transport, group = member.transport, member.group
        if group is not None and member in group.clogged and not transport.unread():
            self._roster.flow(member)
        if member.flowing:
            self.flows(data, ((transport.send, member),), now)
            return
        self.stats.writes += 1
        self.stats.bytes += len(data)
        try:
            transport.write(data)
        except (OSError, RuntimeError):
            self._slow.drop(member, broken=True)
            return
        self._weigh(member, now)

    def settle(self, member: Member, now: float) -> None:
        """Write to one live member what is pending for it; it goes on in the phase with nothing pending."""
        group = member.group
        if group is None or member not in group.live or self._roster.settled(group):
            return
        fragments = b"".join(group.take()[1:])
        self._roster.move(member)
        if fragments:
            self.one(member.envelope.wrap(b"[" + fragments[:-1] + b"]"), member, now)
        else:
            self._weigh(member, now)

    def _clogs(self, member: Member, data: Data, sent: int, now: float) -> None:
        self._roster.clog(member)
        try:
            member.transport.rest(data, sent)
        except (OSError, RuntimeError):
            self._slow.drop(member, broken=True)
            return
        self._weigh(member, now)

    def _weigh(self, member: Member, now: float) -> None:
        group = member.group
        if group is None or member not in group.live:
            return
        if member.transport.unread() > member.backlog.policy.soft_limit:
            if not self._roster.settled(group):
                self.settle(member, now)  # which weighs it again, with nothing pending
            else:
                self._slow.fall_behind(group, (member,), now)


def slices(members: Sequence[T], most: int) -> Iterable[Sequence[T]]:
    """Cut some members into parts of at most so many; what is no more isn't copied."""
    if len(members) <= most:
        return (members,)
    return [members[i : i + most] for i in range(0, len(members), most)]
