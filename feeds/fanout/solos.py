"""Groups of one: most connections have a subscription that nobody else has, and are written to in a loop of nothing else."""

from array import array
from collections.abc import Callable

from feeds.fanout.board import Part, Pick
from feeds.fanout.group import Group
from feeds.wire.envelope import Envelope

__all__ = ["Solo", "Solos"]

Solo = tuple[Pick, Callable[[bytes | bytearray], int], Group]
"""A group of one flowing member with one part: how to pick its events, how to send them, and the group."""

_MOST_UNKNOWN = 4  # symbols a turn to find the readers of
_MOST_KNOWN = 1_000_000  # readers of all symbols, of four bytes each
_MOST_PICKED = 200  # entries, in the time that a loop over groups takes more


class Solos:
    """
    The groups of one flowing member that read one board, through one envelope.

    Args:
        envelope: theirs.
        part: of one of them; stands for all where a way to take events is chosen.
    """

    __slots__ = ("_entries", "_known", "_readers", "all", "envelope", "part")

    def __init__(self, envelope: Envelope, part: Part) -> None:
        self.envelope, self.part = envelope, part
        self.all: list[Solo] = []
        self._entries = self._known = 0
        self._readers: dict[int, array[int]] = {}  # by symbol, as positions in the list

    def add(self, solo: Solo) -> None:
        """Take in one more; only before the first turn."""
        self.all.append(solo)
        self._entries += solo[2].parts[0].work

    def touched(self) -> list[Solo]:
        """
        Give those that what is on the board may concern: all, or, where that is quicker, only those that it does.

        Cost: about 50 ns each that is given; where a symbol comes up for the first time, 80 ns each that there is.
        """
        board, solos, readers = self.part.board, self.all, self._readers
        happened = board.happened
        # On average, so many symbols have more readers than there are.
        if len(happened) * self._entries > board.symbols * len(solos):
            return solos
        unknown = [symbol for symbol in happened if symbol not in readers]
        if unknown:
            self._find_readers(unknown[:_MOST_UNKNOWN])
            if any(symbol not in readers for symbol in unknown):
                return solos
        found = [readers[symbol] for symbol in happened]
        if sum(map(len, found)) >= len(solos):
            return solos
        return [solos[number] for number in set[int]().union(*found)]

    def picking(self, touched: list[Solo]) -> bool:
        """Tell whether to pick every symbol's entry is quickest; where few are touched, it is as the loop is shorter."""
        part = self.part
        return part.picking or (touched is not self.all and part.work <= _MOST_PICKED)

    def _find_readers(self, symbols: list[int]) -> None:
        for symbol in symbols:
            if self._known > _MOST_KNOWN:
                return
            numbers = (n for n, solo in enumerate(self.all) if solo[2].parts[0].reads(symbol))
            self._readers[symbol] = array("I", numbers)
            self._known += len(self._readers[symbol])
