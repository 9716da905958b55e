"""
Limiting: keeps the prices of whole blocks inside the bands of :mod:`ticker.regulation.bands`.

Most symbols are well inside their bands all the time, and are done together in a few passes over a block; only those that
reach a band or change their status are gone through one by one.
"""

from collections.abc import Mapping
from dataclasses import fields
from operator import attrgetter, itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, STATUS, TRADES, TickBatch
from ticker.regulation.bandrows import SymbolRows
from ticker.regulation.bands import Bands
from ticker.rows import EXTRA, SCRIPT, grouped, insert

__all__ = ["Limited", "limited"]

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Limited(NamedTuple):
    """What the bands make of a block."""

    batch: TickBatch
    """Its events, with what the rules make happen."""
    origin: NDArray[np.uint8]
    """Where they are from."""
    bands: dict[int, Bands]
    """Those at its end."""
    edges: I64
    """The bands at each event while its symbol trades, shape (2, events); 0 where nobody asks whether a quote straddles them."""


_every = attrgetter(*(field.name for field in fields(Bands)))


def limited(
    batch: TickBatch,
    origin: NDArray[np.uint8],
    bands: Mapping[int, Bands],
    end_us: int,
    counts: Flags | None = None,
) -> Limited:
    """
    Keep the symbols that have bands inside them; prices are changed in place.

    Args:
        batch: the events of a block.
        origin: where each is from.
        bands: by symbol.
        end_us: when the block ends.
        counts: which trades count for reference prices; None: all.
    """
    edges = np.zeros((2, len(batch)), dtype=np.int64)
    if not bands:
        return Limited(batch, origin, {}, edges)
    made: list[tuple[int, ...]] = []
    after = dict(bands)
    counts = np.ones(len(batch), dtype=bool) if counts is None else counts
    busy = _inside(batch, origin, after, end_us, counts, edges)
    if not busy:
        return Limited(batch, origin, after, edges)
    order, first = grouped(batch.symbol, max(*bands, int(batch.symbol.max(initial=0))) + 1)
    for symbol in busy:
        at = order[first[symbol] : first[symbol + 1]]
        rows = SymbolRows(
            batch.time[at],
            batch.channel[at],
            origin[at],
            batch.price[at],
            batch.ask[at],
            counts[at],
            np.zeros((2, len(at)), dtype=np.int64),
        )
        after[symbol] = _copy(bands[symbol])
        after[symbol].run(rows, end_us)
        batch.price[at], batch.ask[at], edges[:, at] = rows.price, rows.ask, rows.edges
        for row, values in rows.made:
            behind = np.searchsorted(batch.time, values[0], "right") if row is None else at[row] + 1
            made.append((int(behind), symbol, *values))
    if made:
        batch, origin, edges = _put(batch, origin, edges, made)
    return Limited(batch, origin, after, edges)


def _put(
    batch: TickBatch, origin: NDArray[np.uint8], edges: I64, made: list[tuple[int, ...]]
) -> tuple[TickBatch, NDArray[np.uint8], I64]:
    """Put what the rules make happen, without numbers, before some rows; before the same one, in the order of time."""
    made = sorted(made, key=itemgetter(2))
    columns = np.array(made, dtype=np.int64).T
    place, symbol, time, channel, price, size, ask, ask_size = columns[:8]
    rows = TickBatch.unnumbered(
        symbol=symbol,
        channel=channel,
        time=time,
        price=price,
        size=size,
        ask=ask,
        ask_size=ask_size,
    )
    return *insert(batch, origin, rows, EXTRA, place), np.insert(edges, place, columns[8:], axis=1)


def _inside(
    batch: TickBatch,
    origin: NDArray[np.uint8],
    bands: dict[int, Bands],
    end_us: int,
    counts: Flags,
    edges: I64,
) -> list[int]:
    """Enter the events of the symbols that stay inside their bands, and in their mode, and the bands at them; give the others."""
    every = np.array(list(bands), dtype=np.int64)
    calm = [symbol for symbol, one in bands.items() if one.calm(end_us)]
    count = max(int(every.max()), int(batch.symbol.max(initial=0))) + 1
    low, high = np.full((2, count), -1, dtype=np.int64)
    low[calm], high[calm] = [bands[i].low for i in calm], [bands[i].high for i in calm]
    free, symbol = origin != SCRIPT, batch.symbol
    quote = batch.channel == QUOTES
    trade = (batch.channel == TRADES) & free
    hit = quote & free & ((batch.price >= high[symbol]) | (batch.ask <= low[symbol]))
    hit |= trade & ((batch.price < low[symbol]) | (batch.price > high[symbol]))
    hit |= batch.channel == STATUS
    turning = low < 0
    turning[symbol[hit]] = True
    if next(iter(bands.values())).us:
        stays = ~turning[symbol]
        edges[:] = low[symbol] * stays, high[symbol] * stays
    trade &= counts
    sums, number, bid, ask = np.zeros((4, count), dtype=np.int64)
    np.add.at(sums, symbol[trade], batch.price[trade])
    np.add.at(number, symbol[trade], 1)
    bid[symbol[quote]], ask[symbol[quote]] = batch.price[quote], batch.ask[quote]
    some = every[~turning[every] & ((number[every] > 0) | (ask[every] > 0))]
    columns = (column[some].tolist() for column in (sums, number, bid, ask))
    for i, *values in zip(some.tolist(), *columns, strict=True):
        bands[i] = _entered(bands[i], *values)
    busy: list[int] = every[turning[every]].tolist()
    return busy


def _copy(one: Bands) -> Bands:
    return Bands(*_every(one))  # several times as fast as dataclasses.replace


def _entered(one: Bands, prices: int, trades: int, bid: int, ask: int) -> Bands:
    """Give the bands after some trades inside of them and a quote; an ask of 0: none."""
    after = _copy(one)
    after.sums = (*one.sums[:-1], one.sums[-1] + prices)
    after.counts = (*one.counts[:-1], one.counts[-1] + trades)
    if ask:
        after.bid, after.ask = bid, ask
    return after
