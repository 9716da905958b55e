"""Who wants what: members in groups, groups on boards, and for each slot how many there are of them."""

import numpy as np
from numpy.typing import NDArray

from feeds.board import Board, Part
from feeds.group import Group, Member
from feeds.interest import NOTHING, Interest

__all__ = ["Roster"]


class Roster:
    """
    The members of one hub.

    Args:
        symbols: how many symbols the market has.
        channels: how many channels.
        head: what every message begins with.
    """

    def __init__(self, symbols: int, channels: int, head: bytes) -> None:
        self.symbols = symbols
        self.groups: dict[Interest, Group] = {}
        self.boards: dict[frozenset[int], Board] = {}
        """By channels."""
        self.wanted: NDArray[np.int32] = np.zeros(symbols * channels, dtype=np.int32)
        """How many groups want each slot: what nobody wants needs no encoding."""
        self.audience: NDArray[np.int32] = np.zeros(symbols * channels, dtype=np.int32)
        """How many live members each slot has."""
        self._head = head

    @property
    def interested(self) -> bool:
        """Whether any member is subscribed to anything."""
        return len(self.groups) > (NOTHING in self.groups)

    def place(self, member: Member, interest: Interest, now: float) -> None:
        """Put a member that has no group into one. Linear in the slots of a group that begins with it."""
        group = self.groups.get(interest)
        if group is None:
            slots = interest.slots(self.symbols)
            parts = [self._part(channels, symbols) for channels, symbols in interest.parts()]
            group = self.groups[interest] = Group(interest, slots, parts, now)
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
        del self.groups[group.interest]
        self.wanted[group.slots] -= 1
        for channels, symbols in group.interest.parts():
            board = self.boards[channels]
            board.drop(len(symbols) == self.symbols)
            if not board.parts:
                del self.boards[channels]

    def enliven(self, member: Member) -> None:
        """Let a member get the events of its group."""
        assert member.group is not None
        member.group.enter(member)
        self.audience[member.group.slots] += 1

    def silence(self, member: Member) -> None:
        """Let a member get no more events of its group, if it did."""
        assert member.group is not None
        if member.group.exit(member):
            self.audience[member.group.slots] -= 1

    def _part(self, channels: frozenset[int], symbols: frozenset[int]) -> Part:
        board = self.boards.get(channels)
        if board is None:
            board = self.boards[channels] = Board(channels, self.symbols, self._head)
        board.read(len(symbols) == self.symbols)
        return Part(board, symbols, self.symbols)
