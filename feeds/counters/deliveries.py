"""Counts deliveries when somebody asks, not when they are made."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Deliveries"]

I64 = NDArray[np.int64]


class Deliveries:
    """
    How many live members each slot has, and what that makes in deliveries.

    A slot's sequence counts its events, so what its members got since the last time is how far it went on, times
    how many they are. That is worked out for a slot when its members change, and for all when the sum is asked for.

    Args:
        seq: the newest sequence published, by slot; its owner goes on writing it.
    """

    def __init__(self, seq: I64) -> None:
        self.members: NDArray[np.int32] = np.zeros(len(seq), dtype=np.int32)
        """How many live members each slot has."""
        self._seq = seq
        self._counted = seq.copy()
        self._deliveries = self._told = 0

    def change(self, slots: I64, by: int) -> None:
        """Let some slots have more live members, or fewer. Linear in slots."""
        seq = self._seq[slots]
        self._deliveries += int(self.members[slots] @ (seq - self._counted[slots]))
        self._counted[slots] = seq
        self.members[slots] += by

    def take_back(self, deliveries: int) -> None:
        """Count some less, as those were published and not written: who should have got them is gone."""
        self._deliveries -= deliveries

    def total(self) -> int:
        """
        Give how many events were handed to a live member: one event to a thousand of them is a thousand.

        What is published counts, though it may be a turn until it is written. It never gets less.
        """
        self._deliveries += int(self.members @ (self._seq - self._counted))
        self._counted[:] = self._seq
        self._told = max(self._told, self._deliveries)
        return self._told
