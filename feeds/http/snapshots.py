"""
Snapshots of many symbols, as of one moment, without holding anybody up.

They are made in slices, between which turns go on; then those that have changed meanwhile are made again, at once. Only
one such answer is made at a time: further requests wait, and all that wait for the same one share the next.
"""

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from feeds.engine.feed import Feed
from feeds.engine.pump import Pump
from feeds.fanout.cursor import Place
from feeds.fanout.snapshots import ALWAYS

__all__ = ["SLICE", "SnapshotMaker", "SnapshotsAt"]

I64 = NDArray[np.int64]

SLICE = 500
"""Snapshots made in one go: about 5 ms."""

_ROUNDS = 3  # then all that has changed is made at once, however much that is

SnapshotsAt = tuple[list[bytes], Place]
"""Snapshots, in order, and how far the market was."""


class SnapshotMaker:
    """
    Makes them for one feed.

    Args:
        feed: of what.
        pump: tells when no turn is under way.
    """

    def __init__(self, feed: Feed, pump: Pump) -> None:
        self._feed, self._pump = feed, pump
        self._making = asyncio.Lock()
        self._coming: dict[tuple[int, ...], asyncio.Task[SnapshotsAt]] = {}

    async def take(self, symbols: Sequence[int]) -> SnapshotsAt:
        """Give the snapshots of some symbols, and the place as of which all of them are."""
        if len(symbols) <= SLICE:
            await self._pump.between_turns()
            return self._feed.snapshots(symbols, ()), self._feed.hub.place
        key = tuple(symbols)
        coming = self._coming.get(key)
        if coming is None:
            coming = self._coming[key] = asyncio.create_task(self._next(key), name="snapshots")
        return await asyncio.shield(coming)

    async def _next(self, symbols: tuple[int, ...]) -> SnapshotsAt:
        async with self._making:
            del self._coming[symbols]  # requests from now on get one that begins later
            return await self._make(symbols)

    async def _make(self, symbols: tuple[int, ...]) -> SnapshotsAt:
        ids = np.array(symbols)
        made: list[bytes] = [b""] * len(ids)
        seen = np.full((len(ALWAYS), len(ids)), -1, dtype=np.int64)
        for _ in range(_ROUNDS):
            changed = np.flatnonzero((seen != self._sequences(ids)).any(axis=0))
            if len(changed) <= SLICE:
                break
            for start in range(0, len(changed), SLICE):
                await self._pump.between_turns()
                self._renew(ids, changed[start : start + SLICE], made, seen)
                await asyncio.sleep(0)
        await self._pump.between_turns()
        changed = np.flatnonzero((seen != self._sequences(ids)).any(axis=0))
        self._renew(ids, changed, made, seen)
        return made, self._feed.hub.place

    def _renew(self, ids: I64, at: I64, made: list[bytes], seen: I64) -> None:
        seen[:, at] = self._sequences(ids[at])
        fresh = self._feed.snapshots(ids[at].tolist(), ())
        for i, snapshot in zip(at.tolist(), fresh, strict=True):
            made[i] = snapshot

    def _sequences(self, ids: I64) -> I64:
        sequences: I64 = self._feed.market.sequences()[np.array(ALWAYS)[:, None], ids]
        return sequences
