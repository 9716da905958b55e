"""Snapshots, and gaps that say what is missing: where a client stands that doesn't have every event."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import orjson

from feeds.dialects.native import NativeEncoder
from feeds.fanout.depth import Depth
from ticker.batch import DEPTH, QUOTES, STATUS, TRADES, channel_name
from ticker.venue import Venue

__all__ = ["ALWAYS", "MarketSnapshots", "Snapshots", "gap_object"]

ALWAYS = (TRADES, QUOTES, STATUS)
"""Channels whose sequence every snapshot tells."""


class Snapshots(Protocol):
    """What the hub needs to tell a client of what it won't get. Objects, not fragments: no comma at the end."""

    def snapshots(self, symbols: Sequence[int], channels: Iterable[int], /) -> list[bytes]:
        """Give the snapshots of some symbols, with the sequences of :data:`ALWAYS` and some more channels."""
        ...

    def gap(self, symbol: int, channel: int, first: int, last: int, /) -> bytes:
        """Give what says that a slow consumer won't get some events."""
        ...


class MarketSnapshots:
    """
    The snapshots of one market, in the native protocol.

    Args:
        market: whose.
        encoder: encodes them.
        depth: makes the books; None: there are none.
    """

    def __init__(self, market: Venue, encoder: NativeEncoder, depth: Depth | None = None) -> None:
        self._market, self._encoder, self._depth = market, encoder, depth

    def snapshots(
        self,
        symbols: Sequence[int],
        channels: Iterable[int],
        request_id: str | int | None = None,
    ) -> list[bytes]:
        """Give the snapshots of some symbols, and behind each, where the channel of books is among the channels, its book."""
        told = sorted({*ALWAYS, *channels})
        seq = self._market.sequences()
        market, encode = self._market, self._encoder.snapshot
        states = [market.snapshot(i) for i in symbols]
        objects = [encode(state, seq[:, state.symbol], told, request_id) for state in states]
        if DEPTH not in told or self._depth is None:
            return objects
        both = zip(objects, self._depth.snapshots(states), strict=True)
        return [told for pair in both for told in pair]

    def gap(self, symbol: int, channel: int, first: int, last: int) -> bytes:
        """Give what says that a slow consumer won't get some events."""
        name = self._market.universe.symbols[symbol]
        return gap_object(name, channel, first, last, "slow")


def gap_object(name: str, channel: int, first: int | None, last: int, reason: str) -> bytes:
    """Encode what says that a client won't get some events of a symbol, and why; None: from which on isn't known."""
    gap = {"type": "gap", "symbol": name, "channel": channel_name(channel)}
    bounds = {"to": last} if first is None else {"from": first, "to": last}
    return orjson.dumps(gap | bounds | {"reason": reason})
