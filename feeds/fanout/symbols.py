"""
Sets of symbol ids in little memory: ten thousand connections may each want nearly all of ten thousand symbols, all differently.

A few ids are a ``frozenset``, which is quick to look into. Many of them are the bits of one number: 1.3 KB for 10,000
symbols, where a set takes 525. Which of the two depends on nothing but the ids, so equal sets are kept alike.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEW", "Symbols"]

FEW = 64
"""Up to so many ids are a ``frozenset``, and more where they are less than one in 32 of all up to the last."""

_THIN = 32


class Symbols:
    """
    A set of symbol ids, which never changes; equal ones hash the same.

    Args:
        ids: symbol ids, in any order.
    """

    __slots__ = ("_bits", "_count", "_hash", "few")

    few: frozenset[int] | None
    """The ids, as long as they are few; None: they are many."""

    def __init__(self, ids: Iterable[int] = ()) -> None:
        few = ids if isinstance(ids, frozenset) else frozenset(ids)
        if _are_many(len(few), max(few, default=0)):
            self._set(None, _bits_of(few), len(few))
        else:
            self._set(few, 0, len(few))

    @classmethod
    def of(cls, ids: "Iterable[int] | Symbols") -> "Symbols":
        """Give some ids as such a set; one that is, stays the same object."""
        return ids if isinstance(ids, Symbols) else cls(ids)

    @classmethod
    def _from_bits(cls, bits: int) -> "Symbols":
        count = bits.bit_count()
        if not _are_many(count, bits.bit_length() - 1):
            return cls(_ids_of(bits).tolist())
        made = cls.__new__(cls)
        made._set(None, bits, count)
        return made

    def _set(self, few: frozenset[int] | None, bits: int, count: int) -> None:
        self.few, self._bits, self._count = few, bits, count
        self._hash = hash(bits if few is None else few)

    def __repr__(self) -> str:
        return f"Symbols({self.ids().tolist()})"

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return iter(self.ids().tolist())

    def __contains__(self, symbol: int) -> bool:
        return bool(self._bits >> symbol & 1) if self.few is None else symbol in self.few

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Symbols):
            return NotImplemented
        return self._bits == other._bits and self.few == other.few

    def __hash__(self) -> int:
        return self._hash

    def __or__(self, other: "Symbols") -> "Symbols":
        if self.few is not None and other.few is not None:
            return Symbols(self.few | other.few)
        return Symbols._from_bits(self.bits | other.bits)

    def __sub__(self, other: "Symbols") -> "Symbols":
        if self.few is not None and other.few is not None:
            return Symbols(self.few - other.few)
        return Symbols._from_bits(self.bits & ~other.bits)

    def __le__(self, other: "Symbols") -> bool:
        if self.few is not None and other.few is not None:
            return self.few <= other.few
        return not self.bits & ~other.bits

    @property
    def bits(self) -> int:
        """The set as one number: the bit of each id is 1."""
        return self._bits if self.few is None else _bits_of(self.few)

    def ids(self) -> NDArray[np.int64]:
        """Give the ids, in order. About 1 ns for each that there could be, or 60 for each of a few."""
        if self.few is None:
            return _ids_of(self._bits)
        return np.sort(np.fromiter(self.few, np.int64, self._count))

    def mask(self, total: int) -> bytes:
        """Give a byte for each of so many symbols: 1, or 0 where it isn't in the set."""
        packed = np.frombuffer(self.bits.to_bytes(-(-total // 8), "little"), np.uint8)
        return np.unpackbits(packed, count=total, bitorder="little").tobytes()


def _are_many(count: int, last: int) -> bool:
    return count > FEW and last < _THIN * count


def _bits_of(ids: frozenset[int]) -> int:
    mask = np.zeros(max(ids, default=0) + 1, dtype=np.uint8)
    mask[np.fromiter(ids, np.int64, len(ids))] = 1
    return int.from_bytes(np.packbits(mask, bitorder="little").tobytes(), "little")


def _ids_of(bits: int) -> NDArray[np.int64]:
    packed = np.frombuffer(bits.to_bytes(-(-bits.bit_length() // 8), "little"), np.uint8)
    return np.flatnonzero(np.unpackbits(packed, bitorder="little"))
