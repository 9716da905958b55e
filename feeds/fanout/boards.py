"""All boards of a hub: one for each set of channels that somebody wants alike, in each phase (see :mod:`feeds.fanout.board`)."""

from itertools import compress

import numpy as np
from numpy.typing import NDArray

from feeds.fanout.board import Board
from feeds.fanout.interest import Interest
from feeds.fanout.symbols import Symbols
from feeds.wire.envelope import HEADS
from ticker.batch import TickBatch

__all__ = ["MOST_BOARDS", "MOST_PARTS", "Boards", "Parts"]

MOST_BOARDS = 32
"""Sets of channels that have boards of their own, as each costs some microseconds a turn."""

MOST_PARTS = 16
"""Of one connection's interest."""

Parts = list[tuple[frozenset[int], Symbols]]
"""Channels, each set with the symbols that are wanted on it."""


class Boards:
    """
    The boards of one hub, as long as somebody reads them.

    Args:
        symbols: how many symbols the market has.
    """

    def __init__(self, symbols: int) -> None:
        self.by_channels: dict[frozenset[int], dict[int, Board]] = {}
        """By channels, then by phase."""
        self._symbols = symbols
        self._wanted: dict[frozenset[int], NDArray[np.bool_]] = {}  # by channel number

    def parts(self, interest: Interest) -> Parts:
        """
        Give an interest in parts that there are boards for, or may be.

        Each symbol is in one part, so that its events come in the market's order. Where that would take too many boards, each
        channel is a part, of which there are few: then they come channel by channel, in each message.
        """
        parts = interest.parts(MOST_PARTS)
        more = sum(channels not in self.by_channels for channels, _ in parts)
        if parts and (not more or len(self.by_channels) + more <= MOST_BOARDS):
            return parts
        return [(frozenset((channel,)), symbols) for channel, symbols in interest.channels]

    def read(self, channels: frozenset[int], phase: int, symbols: Symbols) -> Board:
        """Give a board to one more that reads some symbols there."""
        boards = self.by_channels.setdefault(channels, {})
        if phase not in boards:
            boards[phase] = Board(channels, self._symbols, HEADS)
            wanted = self._wanted[channels] = np.zeros(256, dtype=np.bool_)
            wanted[list(channels)] = True
        boards[phase].read(len(symbols) == self._symbols)
        return boards[phase]

    def drop(self, channels: frozenset[int], phase: int, symbols: Symbols) -> None:
        """Let a board go with the last one that reads there."""
        boards = self.by_channels[channels]
        boards[phase].drop(len(symbols) == self._symbols)
        if not boards[phase].parts:
            del boards[phase]
        if not boards:
            del self.by_channels[channels], self._wanted[channels]

    def fill(self, batch: TickBatch, fragments: list[bytes], *, others: bool) -> None:
        """
        Put a turn's events on the boards. For each set of channels that a group has, and each phase, about 60 ns an event.

        Args:
            batch: the events.
            fragments: each as it is sent.
            others: whether some may be there for others than those who read boards.
        """
        if len(self.by_channels) == 1 and not others:  # what is wanted is wanted there
            for boards in self.by_channels.values():
                partial = any(board.partial for board in boards.values())
                symbols = batch.symbol.tolist() if partial else ()
                for board in boards.values():
                    board.fill(symbols, fragments)
            return
        for channels, boards in self.by_channels.items():
            mine = self._wanted[channels][batch.channel]
            symbols = batch.symbol[mine].tolist()
            some = list(compress(fragments, mine.tolist()))
            for board in boards.values():
                board.fill(symbols, some)

    def wipe(self, phase: int) -> None:
        """Take everything off the boards of a phase: it was written."""
        for boards in self.by_channels.values():
            if phase in boards:
                boards[phase].wipe()
