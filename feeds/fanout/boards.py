"""All boards of a hub: one for each set of channels that somebody wants alike, in each phase (see :mod:`feeds.fanout.board`)."""

from itertools import compress

import numpy as np

from feeds.fanout.board import Board
from feeds.fanout.symbols import Symbols
from feeds.wire.envelope import HEADS
from ticker.batch import TickBatch

__all__ = ["Boards"]


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

    def read(self, channels: frozenset[int], phase: int, symbols: Symbols) -> Board:
        """Give a board to one more that reads some symbols there."""
        boards = self.by_channels.setdefault(channels, {})
        if phase not in boards:
            boards[phase] = Board(channels, self._symbols, HEADS)
        boards[phase].read(len(symbols) == self._symbols)
        return boards[phase]

    def drop(self, channels: frozenset[int], phase: int, symbols: Symbols) -> None:
        """Let a board go with the last one that reads there."""
        boards = self.by_channels[channels]
        boards[phase].drop(len(symbols) == self._symbols)
        if not boards[phase].parts:
            del boards[phase]
        if not boards:
            del self.by_channels[channels]

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
            mine = np.isin(batch.channel, list(channels))
            symbols = batch.symbol[mine].tolist()
            some = list(compress(fragments, mine.tolist()))
            for board in boards.values():
                board.fill(symbols, some)

    def wipe(self, phase: int) -> None:
        """Take everything off the boards of a phase: it was written."""
        for boards in self.by_channels.values():
            if phase in boards:
                boards[phase].wipe()
