"""
The prelude: the last trades and quotes from before the market started, of one symbol, made when somebody asks.

The trades are those of the seconds of the :class:`~ticker.backfill.past.Past`: the first, highest, lowest and last price of each second,
its number of trades and its volume are known, and the trades are made to fit. Quotes are then put around them, so that each trade
prints at the standing bid, at the standing ask, or between them, and behind them, so that each takes its shares off the standing quote
(:mod:`ticker.backfill.leaving`). The last quote is the one that stands at the start, the last trade is at the first price, and sequences
end with 0, so that the market's own events follow on.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.leaving import leaving, shown
from ticker.backfill.quoting import PLACE_BITS, Hours, Quotes, Standing, Traded, quotes_around
from ticker.backfill.refine import refine
from ticker.backfill.spans import Spans, halved
from ticker.batch import QUOTES, TRADES, TickBatch
from ticker.cents import rounded
from ticker.instruments import Instrument
from ticker.ladder import Ladders
from ticker.processes.mix import mix_of
from ticker.randomness.draws import trade_sizes
from ticker.randomness.noise import Stream, bits

__all__ = [
    "MOST_EVENTS",
    "MOST_SECONDS",
    "moments",
    "prelude",
    "seconds_of",
    "shares_of",
    "traded",
]

I64 = NDArray[np.int64]
Draws = NDArray[np.uint16]

MOST_EVENTS = 2_000
"""About how many events to go back, trades and quotes together, as long as these are a second or more."""

MOST_SECONDS = 3_600
"""The most seconds to go back."""

_FASTEST = 50_000.0  # events a second beyond which a single second would take too long
_SECOND_US = 1_000_000
_WALKS = 12  # to choose from for the trades of a second


def seconds_of(rate: float) -> int:
    """Tell how many seconds to go back at some rate of events a second; 0 if there are too many."""
    if rate > _FASTEST:
        return 0
    return max(1, min(MOST_SECONDS, math.ceil(MOST_EVENTS / max(rate, 1e-9))))


def traded(stream: Stream, seconds: Spans, lot: int) -> Traded:
    """
    Make the trades of some seconds.

    Args:
        stream: the symbol's.
        seconds: one a row, each with a trade.
        lot: the round lot.
    """
    count = seconds.trades
    if not len(count):
        return Traded.none()
    number = np.arange(int(count.max(initial=0)))
    place = (seconds.start[:, None] << PLACE_BITS) + number
    counter = ((1 + _WALKS) * place)[..., None] + np.arange(1 + _WALKS)
    draws = halved(bits(stream.keys, counter.astype(np.uint64)))
    edges = np.minimum(np.arange(len(number) + 1), count[:, None])
    start = np.broadcast_to(seconds.start[:, None], place.shape)
    prices = refine(seconds, start, edges, draws).open
    there = number < count[:, None]
    sizes = shares_of(seconds.volume, np.where(there, trade_sizes()[draws[1]], 0), lot)
    return Traded(moments(draws, seconds.start, there)[there], prices[there], sizes[there])


def moments(draws: Draws, second: I64, there: NDArray[np.bool_]) -> I64:
    """Give times in some seconds, a row each, in order, by draws of which the first and the third are used; what isn't there comes last."""
    moment = np.where(there, draws[0].astype(np.int64) << 4 | draws[2] >> 12, 1 << 20)
    moment.sort(axis=1)
    time: I64 = second[:, None] * _SECOND_US + (moment * _SECOND_US >> 20)
    return time


def shares_of(volume: I64, draws: I64, lot: int) -> I64:
    """Make sizes like the draws with the sum of the volume: round lots, or less; what is left over joins two of them."""
    there = draws > 0
    rest = (volume - there.sum(axis=1))[:, None]
    whole = np.maximum(1, draws.sum(axis=1, keepdims=True))
    size: I64 = there + np.floor(rest * (draws / whole)).astype(np.int64)
    size -= np.where(size >= lot, size % lot, 0)
    row = np.arange(len(size))
    left = volume - size.sum(axis=1)
    size[row, size.argmax(axis=1)] += left // lot * lot
    size[row, np.where(there, size, np.iinfo(np.int64).max).argmin(axis=1)] += left % lot
    return size


def prelude(
    stream: Stream,
    symbol: int,
    instrument: Instrument,
    trades: Traded,
    window: tuple[int, int],
    *,
    trade_share: float,
    standing: Standing,
    ladders: Ladders,
    hours: Hours | None = None,
) -> TickBatch:
    """
    Put quotes around trades and behind them, and give all of them in the order of time.

    Args:
        stream: the symbol's.
        symbol: the symbol id, to write into the rows.
        instrument: the symbol's static data.
        trades: the trades.
        window: from when to when, in microseconds.
        trade_share: the fraction of events that are trades; with 0, each trade is a quote instead.
        standing: what stands at the end.
        ladders: tells which price is behind the best one.
        hours: those in which the market was open; None: always.

    Cost: about a microsecond an event.
    """
    quotes = quotes_around(stream, trades, window[0], instrument, trade_share, standing, hours)
    if hours is not None:
        trades = replace(trades, price=rounded(trades.price, np.int64(hours.cent)))
    left = Quotes.none()
    if not trade_share:
        trades = Traded.none()
    elif len(quotes.time):
        takes, lot = mix_of(trade_share).followed, instrument.round_lot
        quotes, taken = shown(trades, quotes, lot, takes=takes)
        if takes:
            left = leaving(stream, symbol, quotes, taken, trades.time, standing, lot, ladders)
    return _in_order(symbol, quotes, trades, left)


def _in_order(symbol: int, quotes: Quotes, trades: Traded, left: Quotes) -> TickBatch:
    """Put quotes before the trades that they are around, and those that trades leave behind them."""
    count = len(trades.time)
    nothing = np.zeros(count, dtype=np.int64)
    parts = 2 * quotes.before, 2 * np.arange(count) + 1, 2 * left.before + 1
    order = np.argsort(np.concatenate(parts), kind="stable")
    mark = nothing if trades.mark is None else trades.mark
    channel = np.repeat([QUOTES, TRADES, QUOTES], [len(part) for part in parts])[order]
    quoted = channel == QUOTES
    seq = np.where(quoted, np.cumsum(quoted) - quoted.sum(), np.cumsum(~quoted) - count)
    columns = (
        (quotes.time, trades.time, left.time),
        (quotes.bid, trades.price, left.bid),
        (quotes.size[0], trades.size, left.size[0]),
        (quotes.ask, mark, left.ask),
        (quotes.size[1], nothing, left.size[1]),
    )
    time, price, size, ask, ask_size = (np.concatenate(column)[order] for column in columns)
    symbols = np.full(len(order), symbol, dtype=np.int32)
    return TickBatch(symbols, channel.astype(np.uint8), seq, time, price, size, ask, ask_size)
