"""Groups of one: most connections have a subscription that nobody else has, and are written to in a loop of nothing else."""

from array import array
from collections.abc import Callable, Sequence

from feeds.fanout.board import Part, Pick
from feeds.fanout.group import Flow, Group
from feeds.wire.envelope import Envelope

__all__ = ["GroupOfOne", "GroupsOfOne"]

GroupOfOne = tuple[Pick, Callable[[bytes | bytearray], int], Group, Flow]
"""A group of one flowing member with one part: how to pick its events, how to send them, the group, and the way to the member."""

_MOST_UNKNOWN = 4  # symbols a turn to find the readers of
_MOST_KNOWN = 1_000_000  # readers of all symbols, of four bytes each
_MOST_PICKED = 200  # entries, in the time that a loop over groups takes more


class GroupsOfOne:
    """
    The groups of one flowing member that read one board, through one envelope.

    Args:
        envelope: theirs.
        part: of one of them; stands for all where a way to take events is chosen.
    """

    __slots__ = ("_entries", "_known", "_readers", "all", "envelope", "part")

    def __init__(self, envelope: Envelope, part: Part) -> None:
        self.envelope, self.part = envelope, part
        self.all: list[GroupOfOne] = []
        self._entries = self._known = 0
        self._readers: dict[int, Sequence[int]] = {}  # by symbol, as positions in the list

    def add(self, one: GroupOfOne) -> None:
        """Take in one more; only before the first turn."""
        self.all.append(one)
        self._entries += one[2].parts[0].work

    def portions(self) -> list[tuple[int | None, list[GroupOfOne]]]:
        """
        Give whom what is on the board may concern: for None, those who want several symbols of it; for each, those who want no other.

        That is the order in which to write: most events first, then the oldest. In any other, an event that waited long for its
        turn may wait long in it as well. Where it is quicker, all that there are, are given for None. Nobody is given twice.

        Cost: about 80 ns each that is given; where a symbol comes up for the first time, as much for each that there is.
        """
        found = self._concerned()
        if found is None:
            return [(None, self.all)]
        ones = self.all
        seen, again = set[int](), set[int]()
        for _, numbers in found:
            again.update(seen.intersection(numbers))
            seen.update(numbers)
        portions: list[tuple[int | None, list[GroupOfOne]]] = [(None, [ones[n] for n in again])]
        for symbol, numbers in found:
            portions.append((symbol, [ones[n] for n in numbers if n not in again]))
        return portions

    def picking(self, some: list[GroupOfOne]) -> bool:
        """Tell whether to pick every symbol's entry is quickest; where some are not all, it is as the loop is shorter."""
        part = self.part
        return part.picking or (some is not self.all and part.work <= _MOST_PICKED)

    def _concerned(self) -> list[tuple[int, Sequence[int]]] | None:
        """Give who reads each symbol that happened, the oldest first; None: they are as many as there are, or it isn't known."""
        board, readers = self.part.board, self._readers
        happened, total = board.happened, len(self.all)
        # On average, so many symbols have more readers than there are.
        if len(happened) * self._entries > board.total * total:
            return None
        unknown = [symbol for symbol in happened if symbol not in readers]
        if unknown:
            self._find_readers(unknown[:_MOST_UNKNOWN])
            if any(symbol not in readers for symbol in unknown):
                return None
        found = [(symbol, readers[symbol]) for symbol in board.arrived()]
        return found if sum(len(numbers) for _, numbers in found) < total else None

    def _find_readers(self, symbols: list[int]) -> None:
        for symbol in symbols:
            if self._known > _MOST_KNOWN:
                return
            numbers = (n for n, one in enumerate(self.all) if one[2].parts[0].reads(symbol))
            self._readers[symbol] = array("I", numbers)
            self._known += len(self._readers[symbol])
