"""Wire dialects: each parses requests and encodes events of one protocol. Bytes in, bytes out; no I/O."""

from typing import Protocol

from feeds.dialects.trades import MergedTrades
from ticker.batch import TickBatch

__all__ = ["Dialect"]


class Dialect(Protocol):
    """What the hub needs of a dialect."""

    def encode(self, batch: TickBatch, /) -> list[bytes]:
        """Give one fragment an event, in the order of the batch; fragments are made to be put one after the other."""
        ...

    def with_merged(
        self, fragment: bytes, merged: int, trades: MergedTrades | None = None, /
    ) -> bytes:
        """Say in a fragment how many earlier ones it replaces, and of a trade, what all of them come to, if known."""
        ...
