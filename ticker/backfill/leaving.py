"""
What trades from before the market started leave of the quotes around them, by the rule of :mod:`ticker.generator.touch`.

There, a trade is no larger than what is shown; here its size is known, and so at least as much is shown. Right behind it, at its time,
comes the quote that it leaves.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.quoting import RUNS, Quotes, Standing, Traded
from ticker.ladder import Ladders
from ticker.randomness.draws import BLOCK_LOTS, lots
from ticker.randomness.noise import Stream, bits, halves

__all__ = ["leaving", "shown"]

I64 = NDArray[np.int64]


def shown(trades: Traded, quotes: Quotes, lot: int, *, takes: bool) -> tuple[Quotes, I64]:
    """
    Let quotes show what trades at their prices take.

    Args:
        trades: the trades.
        quotes: some around each run of them; the last one before a trade stands then.
        lot: the round lot.
        takes: whether each trade is a run of its own, and takes its shares; else they are only no larger than what is shown.

    Returns:
        The quotes, and how many shares each trade takes of bids and asks, shape (2, trades).
    """
    row = np.searchsorted(quotes.before, np.arange(len(trades.time)), "right") - 1
    whole = -(-trades.size // lot)
    meets = whole < BLOCK_LOTS
    if trades.mark is not None:
        meets &= trades.mark == 0
    price = np.stack((quotes.bid, quotes.ask))[:, row]
    taken = np.where((trades.price == price) & meets, whole * lot, 0)
    size = quotes.size.copy()
    for side in (0, 1):
        np.maximum.at(size[side], row, taken[side])
    if takes:
        # What stands at the market's start is what the last trade has left.
        size[:, -1] = lot + taken[:, -1]
    taken[0] *= price[0] > 1  # there is no level below the lowest price
    return replace(quotes, size=size), taken * takes


def leaving(
    stream: Stream,
    symbol: int,
    quotes: Quotes,
    taken: I64,
    times: I64,
    standing: Standing,
    lot: int,
    ladders: Ladders,
) -> Quotes:
    """
    Give the quote behind each trade.

    Args:
        stream: the symbol's.
        symbol: its id.
        quotes: those around the trades, which are runs of their own.
        taken: the shares that each trade takes of bids and asks, shape (2, trades).
        times: when each trade is, in microseconds.
        standing: the last quote.
        lot: the round lot.
        ladders: tells which price is behind the best one.
    """
    count = len(times)
    row = np.searchsorted(quotes.before, np.arange(count), "right") - 1
    price = np.stack((quotes.bid, quotes.ask))[:, row]
    left = quotes.size[:, row] - taken
    run = np.arange(count)[::-1]
    draws = halves(bits(stream.keys, RUNS + run.astype(np.uint64)))[:, 1]
    side, gone = np.nonzero(left < lot)
    best = price[side, gone]
    behind = ladders.behind(np.full(len(gone), symbol), side, best)
    price[side, gone] = np.where(behind < 1, np.maximum(1, best - 1), behind)
    left[side, gone] = lots()[draws[gone]] * lot
    price[:, -1], left[:, -1] = standing, lot
    return Quotes(np.arange(count), times, price[0], price[1], left)
