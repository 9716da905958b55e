"""The native protocol's books, and their checksums (``PROTOCOL.md``, section 4)."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import orjson
from numpy.typing import NDArray

from ticker.batch import TickBatch
from ticker.ladder import Ladder
from ticker.universe import Universe

__all__ = ["books", "checksums", "deltas"]

I64 = NDArray[np.int64]


def deltas(universe: Universe, batch: TickBatch, rows: NDArray[np.intp]) -> list[bytes]:
    """Encode what has changed of the books among a batch's events, a fragment each. About 5 us each."""
    if not len(rows):
        return []
    assert batch.depth is not None
    places, changes = batch.price[rows], batch.depth.changes
    sums = checksums(batch.depth.books)
    ends = changes.ends.ravel()
    counts = np.diff(ends, prepend=0).reshape(-1, 2).sum(axis=1)
    symbol = np.zeros(len(counts), dtype=batch.symbol.dtype)
    symbol[places] = batch.symbol[rows]
    prices = universe.prices(np.repeat(symbol, counts), changes.price)
    levels = list(zip(prices.tolist(), changes.size.tolist(), strict=True))
    cuts = [0, *ends.tolist()]
    columns = (batch.symbol, batch.seq, batch.time / 1000, batch.price)
    return [
        orjson.dumps(
            {
                "type": "depth",
                "symbol": universe.symbols[symbol],
                "seq": seq,
                "time": time,
                "bids": levels[cuts[2 * i] : cuts[2 * i + 1]],
                "asks": levels[cuts[2 * i + 1] : cuts[2 * i + 2]],
                "checksum": sums[i],
            }
        )
        + b","
        for symbol, seq, time, i in zip(*(c[rows].tolist() for c in columns), strict=True)
    ]


def books(
    universe: Universe, symbols: Sequence[int], seq: I64, time_us: I64, ladder: Ladder
) -> list[bytes]:
    """Encode whole books, one a symbol, as objects. About 10 us each."""
    ids = np.array(symbols, dtype=np.int32)
    prices = universe.prices(ids[:, None, None], ladder.price)
    columns = (seq, time_us / 1000, prices, ladder.size)
    rows = zip(symbols, *(c.tolist() for c in columns), checksums(ladder), strict=True)
    objects = []
    for symbol, number, time, price, size, checksum in rows:
        bids, asks = (
            [level for level in zip(*side, strict=True) if level[1]]
            for side in zip(price, size, strict=True)
        )
        book = {
            "type": "depth",
            "symbol": universe.symbols[symbol],
            "seq": number,
            "time": time,
            "snapshot": True,
            "tick_size": universe[symbol].tick_size,
            "bids": bids,
            "asks": asks,
            "checksum": checksum,
        }
        objects.append(orjson.dumps(book))
    return objects


def checksums(ladder: Ladder) -> list[int]:
    """
    Give the checksum of each book: CRC-32 of its prices in ticks and its sizes, bids and then asks, with commas between.

    Whole numbers, so that nobody's way of writing decimals matters.
    """
    numbers = np.stack((ladder.price, ladder.size), axis=-1)
    numbers = numbers.reshape(len(ladder), 4 * ladder.price.shape[-1])
    return [crc32(text) for text in _texts(numbers)]


def _texts(numbers: I64) -> list[bytes]:
    if len(numbers) and numbers.all():  # no level is missing
        text = orjson.dumps(np.ascontiguousarray(numbers), option=orjson.OPT_SERIALIZE_NUMPY)
        return text[2:-2].split(b"],[")
    return [b",".join(b"%d" % n for n in row if n) for row in numbers.tolist()]
