"""
Who wants what: members in groups, groups on boards, and the number of members for each slot.

When turns are short of time, not everybody is written to in each: members are in *phases*, and each turn writes to one phase
all that is pending for it (see :mod:`feeds.fanout.stagger`). A phase has boards of its own. A member that joins, changes groups
or comes back does so in the phase with nothing pending, so that it gets nothing twice.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from feeds.counters.deliveries import Deliveries
from feeds.fanout.board import Board, Part
from feeds.fanout.boards import Boards
from feeds.fanout.group import Group, Member
from feeds.fanout.groups_of_one import GroupsOfOne
from feeds.fanout.interest import Interest
from feeds.fanout.paced import Lanes
from feeds.wire.envelope import Envelope

__all__ = ["PHASES", "Plan", "Roster"]

PHASES = 4
"""Of a staggered turn. More make latency little better, and each has its own copy of what is shared."""

_Key = tuple[Interest, Envelope, int]


@dataclass(slots=True)
class Plan:
    """In which order, and which way, to write a turn; good until the roster changes."""

    groups_of_one: list[GroupsOfOne] = field(default_factory=list)
    """The groups of one, by board and envelope."""
    groups: list[Group] = field(default_factory=list)
    """All others that have live members."""


class Roster:
    """
    The members of one hub.

    Args:
        symbols: how many symbols the market has.
        seq: the newest sequence published, by slot; its owner goes on writing it.
    """

    def __init__(self, symbols: int, seq: NDArray[np.int64]) -> None:
        self.symbols = symbols
        self.groups: dict[_Key, Group] = {}
        """By interest, envelope and phase."""
        self.boards = Boards(symbols)
        self.phase = 0
        """The phase that has nothing pending."""
        self.flushing: float | None = None
        """The time with which a flush is under way, the object: a group that has it as ``written`` was written to in this one."""
        self.wanted: NDArray[np.int32] = np.zeros(len(seq), dtype=np.int32)
        """How many groups and lanes want each slot: what nobody wants needs no encoding."""
        self.lanes = Lanes(symbols, seq, self.wanted)
        """What members want at a pace, beside what they want in full."""
        self.deliveries = Deliveries(seq)
        self._seq = seq
        self._plans: list[Plan | None] = [None] * PHASES

    @property
    def interested(self) -> bool:
        """Whether any member is subscribed to anything."""
        return bool(self.lanes) or any(interest for interest, _, _ in self.groups)

    def renew(self, member: Member, slots: NDArray[np.int64]) -> None:
        """Note that a member has of some slots what there was by now."""
        if member.laggard is not None:
            member.laggard.renew(slots, self._seq)
        self.lanes.renew(member, slots)

    def place(self, member: Member, interest: Interest, now: float) -> None:
        """Put a member that has no group into one. Linear in the slots of a group that begins with it."""
        phase = self.phase if interest else 0
        key = interest, member.envelope, phase
        group = self.groups.get(key)
        if group is None:
            head, wanted = member.envelope.number, self.boards.parts(interest)
            parts = [
                Part(self.boards.read(channels, phase, some), some, self.symbols, head)
                for channels, some in wanted
            ]
            group = Group(interest, member.envelope, self.symbols, parts, now, phase)
            group.wanted = wanted
            self.groups[key] = group
            self.wanted[group.slots()] += 1
        member.group = group
        group.members += 1

    def displace(self, member: Member) -> None:
        """Take a member out of its group, if it has one. Linear in the slots of a group that ends with it."""
        group = member.group
        if group is None:
            return
        self.silence(member)
        member.group = None
        group.members -= 1
        if group.members:
            return
        del self.groups[group.interest, member.envelope, group.phase]
        self.wanted[group.slots()] -= 1
        for channels, symbols in group.wanted:
            self.boards.drop(channels, group.phase, symbols)

    def dismiss(self, member: Member, *, broken: bool = False) -> None:
        """
        Take a member out for good, and don't count as delivered what is pending for it.

        Args:
            member: who goes.
            broken: whether writing to it has just failed, so that the message under way counts as pending.
        """
        group = member.group
        if group is not None and member in group.live:
            unwritten = broken or group.written is not self.flushing
            self.deliveries.take_back(group.pending() if unwritten else 0)
        self.displace(member)

    def settled(self, group: Group) -> bool:
        """Tell whether nothing can be pending for a group, between turns."""
        return group.phase == self.phase or not group.parts

    def move(self, member: Member) -> None:
        """
        Put a live member into the phase with nothing pending; what is pending for it must have been given to it.

        Linear in the slots of a group that begins or ends with that, else in the parts of the group.
        """
        group = member.group
        assert group is not None
        if group.members == 1 and self._shift(group, self.phase):
            return
        self.displace(member)
        self.place(member, group.interest, group.written)
        self.enliven(member)

    def spread(self) -> None:
        """Spread groups over the phases, each with about as many members; nothing may be pending. Linear in groups."""
        sizes = [0] * PHASES
        for group in sorted(self.groups.values(), key=lambda group: -len(group.live)):
            if group.parts:
                self._shift(group, sizes.index(min(sizes)))
                sizes[group.phase] += len(group.live)

    def sizes(self) -> list[int]:
        """Give how many live members each phase has. Linear in groups."""
        sizes = [0] * PHASES
        for group in self.groups.values():
            if group.parts:
                sizes[group.phase] += len(group.live)
        return sizes

    def _shift(self, group: Group, phase: int) -> bool:
        """Put a whole group into another phase, for which nothing may be pending either; tell whether it is there now."""
        if group.phase == phase:
            return True
        key = group.interest, group.agreed, phase
        if key in self.groups:
            return False
        del self.groups[group.interest, group.agreed, group.phase]
        self.groups[key] = group
        for part, (channels, symbols) in zip(group.parts, group.wanted, strict=True):
            self.boards.drop(channels, group.phase, symbols)
            part.board = self.boards.read(channels, phase, symbols)
        self._plans[group.phase] = self._plans[phase] = None
        group.phase = phase
        return True

    def enliven(self, member: Member) -> None:
        """Let a member get the events of its group."""
        assert member.group is not None
        if not self.settled(member.group):  # what is pending there isn't for it
            interest, now = member.group.interest, member.group.written
            self.displace(member)
            self.place(member, interest, now)
        self._plans[member.group.phase] = None
        member.group.enter(member)
        self.deliveries.change(member.group.slots(), 1)

    def silence(self, member: Member) -> None:
        """Let a member get no more events of its group, if it did."""
        assert member.group is not None
        self._plans[member.group.phase] = None
        if member.group.exit(member):
            self.deliveries.change(member.group.slots(), -1)

    def clog(self, member: Member) -> None:
        """Note that something is unread of a live member."""
        assert member.group is not None
        self._plans[member.group.phase] = None
        member.group.clog(member)

    def flow(self, member: Member) -> None:
        """Note that nothing is unread of a live member."""
        assert member.group is not None
        self._plans[member.group.phase] = None
        member.group.flow(member)

    def plan(self, phase: int) -> Plan:
        """Give the plan of a phase. After a change linear in groups, about 0.2 us each."""
        plan = self._plans[phase]
        if plan is None:
            plan = self._plans[phase] = self._make_plan(phase)
        return plan

    def stands(self, plan: Plan, phase: int) -> bool:
        """Tell whether the plan of a phase is good still; makes no other one."""
        return self._plans[phase] is plan

    def _make_plan(self, phase: int) -> Plan:
        plan = Plan()
        ones: dict[tuple[Board, Envelope], GroupsOfOne] = {}
        for group in self.groups.values():
            if group.phase != phase:
                continue
            flows = group.flows()
            part = group.parts[0] if len(group.parts) == 1 else None
            alone = len(flows) == len(group.live) == 1 and group.envelope.shareable
            if alone and part is not None and part.pick is not None:
                key = part.board, group.envelope
                if key not in ones:
                    ones[key] = GroupsOfOne(group.envelope, part)
                    plan.groups_of_one.append(ones[key])
                ones[key].add((part.pick, flows[0][0], group, flows[0]))
            elif group.live:
                plan.groups.append(group)
        return plan
