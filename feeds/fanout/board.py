"""
The board: what has happened on some channels since they were last written (usually one turn), by symbol.

Fragments of one symbol are put together once, whoever wants them. A group then *takes* its symbols off the board: for a
subscription to twenty symbols that is one C call that picks twenty entries, where handing each event to each subscriber
would be twenty calls. A turn with few events is taken the other way round: by going through what happened, and asking
the subscription whether it wants that. Both ways give the same bytes: by symbol id, each symbol's events in order.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from itertools import chain, compress
from operator import itemgetter

from feeds.fanout.symbols import Symbols

__all__ = ["Board", "Part", "Pick"]

_SPARSE = 4
"""Less than one in so many is picked one by one: quicker than through a mask, and at most twice as long."""

Pick = Callable[[Sequence[bytes]], Sequence[bytes]]


class Board:
    """
    The pending fragments on some channels.

    Args:
        channels: the channel numbers.
        symbols: how many symbols the market has.
        heads: what messages begin with, by the number of the head (see :mod:`feeds.wire.envelope`).
    """

    __slots__ = (
        "channels",
        "entries",
        "fragments",
        "happened",
        "partial",
        "parts",
        "symbols",
        "total",
    )

    def __init__(self, channels: frozenset[int], symbols: int, heads: Sequence[bytes]) -> None:
        self.channels, self.total = channels, symbols
        self.entries: list[bytes] = [b""] * symbols + list(heads)
        """By symbol id, the pending fragments, put together; then the heads."""
        self.happened: list[int] = []
        """The symbols that have an entry, in order."""
        self.fragments: Sequence[bytes] = ()
        """All pending fragments, in the order of the market."""
        self.symbols: list[Sequence[int]] = []
        """Of each of them, the symbol, turn by turn; nothing where nobody reads less than the whole."""
        self.parts = 0
        """How many parts of groups read this board."""
        self.partial = 0
        """How many of them read less than the whole of it; without any, the board needs no symbols."""

    def read(self, whole: bool) -> None:
        """Note that one more part reads this board: the whole of it, or some symbols."""
        self.parts += 1
        self.partial += not whole

    def drop(self, whole: bool) -> None:
        """Note that a part reads this board no more."""
        self.parts -= 1
        self.partial -= not whole

    def fill(self, symbols: Sequence[int], fragments: Sequence[bytes]) -> None:
        """Put a turn's fragments on the board. Linear in fragments, where anybody reads less than the whole."""
        self.fragments = [*self.fragments, *fragments] if self.fragments else fragments
        self.symbols.append(symbols)
        if not self.partial:
            return
        entries, happened = self.entries, self.happened
        for symbol, fragment in zip(symbols, fragments, strict=True):
            if entry := entries[symbol]:
                entries[symbol] = entry + fragment
            else:
                entries[symbol] = fragment
                happened.append(symbol)
        happened.sort()

    def arrived(self) -> Sequence[int]:
        """Give the symbols that have an entry, those whose first event is oldest first. Linear in the events of the board."""
        return list(dict.fromkeys(chain.from_iterable(self.symbols)))

    def wipe(self) -> None:
        """Take everything off. Linear in symbols that have an entry."""
        entries = self.entries
        for symbol in self.happened:
            entries[symbol] = b""
        self.happened.clear()
        self.symbols.clear()
        self.fragments = ()


class Part:
    """
    The part of a subscription that one board serves: some symbols, on the board's channels.

    Args:
        board: where the events are.
        symbols: the symbol ids.
        total: how many symbols the market has.
        head: the number of the head.
    """

    __slots__ = ("_few", "_head", "_mask", "board", "pick", "work")

    def __init__(
        self, board: Board, symbols: Iterable[int] | Symbols, total: int, head: int = 0
    ) -> None:
        self.board = board
        wanted = Symbols.of(symbols)
        self.work = len(wanted)
        """How many entries it takes to pick every symbol's."""
        self._head = total + head
        self._few, self._mask = wanted.few, b""
        self.pick: Pick | None = None
        """Gives the head and the entries of the symbols; None where the part is the whole board."""
        if len(wanted) == total:
            return
        # Where one is picked by itself, the head comes first, and makes sure that there are two: itemgetter of one gives no tuple.
        if wanted.few is not None:
            self.pick = itemgetter(self._head, *sorted(wanted.few))
            return
        self._mask = wanted.mask(total)
        if _SPARSE * len(wanted) <= total:
            self.pick = itemgetter(self._head, *compress(_numbers(total), self._mask))
        else:
            self.pick = partial(_pick_many, self._head, self._mask)
            self.work = total

    @property
    def picking(self) -> bool:
        """Whether in this turn to pick every symbol's entry is quicker than to go through what happened."""
        return self.pick is not None and self.work < 4 * len(self.board.happened)

    def reads(self, symbol: int) -> bool:
        """Tell whether a symbol is among those of a part that isn't the whole board."""
        return bool(self._mask[symbol]) if self._few is None else symbol in self._few

    def take_one(self, symbol: int) -> Sequence[bytes]:
        """Give the head, then what there is of one symbol."""
        return (self.board.entries[self._head], self.board.entries[symbol])

    def take(self) -> Sequence[bytes]:
        """
        Give the head, then the fragments that are wanted; nothing at all, or nothing but empty entries, if none are.

        Cost: about 10 ns a symbol of the part or 40 ns a symbol of the turn, whichever is less.
        """
        board = self.board
        if self.pick is None:
            return (board.entries[self._head], *board.fragments) if board.fragments else ()
        if self.picking:
            return self.pick(board.entries)
        few, mask, entries = self._few, self._mask, board.entries
        if few is None:
            wanted = [entries[symbol] for symbol in board.happened if mask[symbol]]
        else:
            wanted = [entries[symbol] for symbol in board.happened if symbol in few]
        return (entries[self._head], *wanted) if wanted else ()

    def pending(self) -> int:
        """Give how many events it would take. Linear in the events of the board."""
        board, few, mask = self.board, self._few, self._mask
        if self.pick is None or not board.fragments:
            return len(board.fragments)
        wanted = mask.__getitem__ if few is None else few.__contains__
        return sum(map(wanted, chain.from_iterable(board.symbols)))


@lru_cache(maxsize=8)
def _numbers(total: int) -> tuple[int, ...]:
    """Give the numbers below some number: the same objects each time, of 32 bytes each."""
    return tuple(range(total))


def _pick_many(head: int, mask: bytes, entries: Sequence[bytes]) -> Sequence[bytes]:
    """Give the head and the entries that a mask chooses; in no method, as a part that has one of its own is a cycle."""
    return (entries[head], *compress(entries, mask))
