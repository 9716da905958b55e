"""Who wants what: members in groups, groups on boards, and for each slot how many there are of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from feeds.audience import Audience
from feeds.board import Board, Part, Pick
from feeds.envelope import HEADS, Envelope
from feeds.group import Group, Member
from feeds.interest import Interest
from feeds.lanes import Lanes
from ticker.batch import TickBatch

__all__ = ["Plan", "Roster", "Solo"]

Solo = tuple[Pick, Callable[[bytes | bytearray], int], Group]
"""A group of one flowing member with one part: how to pick its events, how to send them, and the group."""


@dataclass(slots=True)
class Plan:
    """In which order, and which way, to write a turn; good until the roster changes."""

    solos: list[tuple[Envelope, Part, list[Solo]]] = field(default_factory=list)
    """By board and envelope: the groups of one, and the part of one of them, which stands for all."""
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
        self.groups: dict[tuple[Interest, Envelope], Group] = {}
        self.boards: dict[frozenset[int], Board] = {}
        """By channels."""
        self.wanted: NDArray[np.int32] = np.zeros(len(seq), dtype=np.int32)
        """How many groups and lanes want each slot: what nobody wants needs no encoding."""
        self.lanes = Lanes(symbols, seq, self.wanted)
        """What members want at a pace, beside what they want in full."""
        self.audience = Audience(seq)
        self._seq = seq
        self._plan: Plan | None = None

    @property
    def interested(self) -> bool:
        """Whether any member is subscribed to anything."""
        return bool(self.lanes) or any(interest for interest, _ in self.groups)

    def renew(self, member: Member, slots: NDArray[np.int64]) -> None:
        """Note that a member has of some slots what there was by now."""
        if member.laggard is not None:
            member.laggard.renew(slots, self._seq)
        self.lanes.renew(member, slots)

    def place(self, member: Member, interest: Interest, now: float) -> None:
        """Put a member that has no group into one. Linear in the slots of a group that begins with it."""
        key = interest, member.envelope
        group = self.groups.get(key)
        if group is None:
            slots, head = interest.slots(self.symbols), member.envelope.number
            parts = [self._part(channels, symbols, head) for channels, symbols in interest.parts()]
            group = self.groups[key] = Group(interest, member.envelope, slots, parts, now)
            self.wanted[slots] += 1
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
        del self.groups[group.interest, member.envelope]
        self.wanted[group.slots] -= 1
        for channels, symbols in group.interest.parts():
            board = self.boards[channels]
            board.drop(len(symbols) == self.symbols)
            if not board.parts:
                del self.boards[channels]

    def fill(self, batch: TickBatch, fragments: list[bytes]) -> None:
        """Put a turn's events on the boards. For each set of channels that a group has, about 60 ns an event."""
        boards = self.boards.values()
        if len(boards) == 1 and not self.lanes:  # what is wanted is wanted there
            for board in boards:
                board.fill(batch.symbol.tolist() if board.partial else (), fragments)
            return
        for board in boards:
            mine = np.isin(batch.channel, list(board.channels))
            board.fill(batch.symbol[mine].tolist(), list(compress(fragments, mine.tolist())))

    def enliven(self, member: Member) -> None:
        """Let a member get the events of its group."""
        assert member.group is not None
        self._plan = None
        member.group.enter(member)
        self.audience.change(member.group.slots, 1)

    def silence(self, member: Member) -> None:
        """Let a member get no more events of its group, if it did."""
        assert member.group is not None
        self._plan = None
        if member.group.exit(member):
            self.audience.change(member.group.slots, -1)

    def clog(self, member: Member) -> None:
        """Note that something is unread of a live member."""
        assert member.group is not None
        self._plan = None
        member.group.clog(member)

    def flow(self, member: Member) -> None:
        """Note that nothing is unread of a live member."""
        assert member.group is not None
        self._plan = None
        member.group.flow(member)

    def plan(self) -> Plan:
        """Give the plan. After a change linear in groups, about 0.2 us each."""
        if self._plan is None:
            self._plan = self._make_plan()
        return self._plan

    def _make_plan(self) -> Plan:
        plan = Plan()
        solos: dict[tuple[Board, Envelope], list[Solo]] = {}
        for group in self.groups.values():
            flows = group.flows()
            part = group.parts[0] if len(group.parts) == 1 else None
            alone = len(flows) == len(group.live) == 1 and group.envelope.shareable
            if alone and part is not None and part.pick is not None:
                key = part.board, group.envelope
                if key not in solos:
                    solos[key] = []
                    plan.solos.append((group.envelope, part, solos[key]))
                solos[key].append((part.pick, flows[0][0], group))
            elif group.live:
                plan.groups.append(group)
        return plan

    def _part(self, channels: frozenset[int], symbols: frozenset[int], head: int) -> Part:
        board = self.boards.get(channels)
        if board is None:
            board = self.boards[channels] = Board(channels, self.symbols, HEADS)
        board.read(len(symbols) == self.symbols)
        return Part(board, symbols, self.symbols, head)
