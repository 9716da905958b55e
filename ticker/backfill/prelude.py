"""
The prelude: the last trades and quotes from before the market started, of one symbol, made when somebody asks.

The trades are those of the seconds of the :class:`~ticker.backfill.past.Past`: the first, highest, lowest and last price of each second,
its number of trades and its volume are known, and the trades are made to fit. Quotes are then put around them, so that each trade
prints at the standing bid, at the standing ask, or between them. The last quote is the one that stands at the start, the last trade
is at the first price, and sequences end with 0, so that the market's own events follow on.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.refine import refine
from ticker.backfill.spans import Spans, halved
from ticker.batch import QUOTES, TRADES, TickBatch
from ticker.instruments import Instrument
from ticker.randomness.draws import lots, poisson, trade_sizes
from ticker.randomness.noise import Stream, bits, halves

__all__ = ["MOST_EVENTS", "MOST_SECONDS", "Standing", "Traded", "prelude", "seconds_of", "traded"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Draws = NDArray[np.uint16]

MOST_EVENTS = 2_000
"""About how many events to go back, trades and quotes together, as long as these are a second or more."""

MOST_SECONDS = 3_600
"""The most seconds to go back."""

_FASTEST = 50_000.0  # events a second beyond which a single second would take too long
_SECOND_US = 1_000_000
_MOST_A_SECOND = 20  # bits of the number of a trade in its second
_WALKS = 12  # to choose from for the trades of a second
_INSIDE = np.uint16(0x00F0)


class Standing(NamedTuple):
    """The quote that stands at the market's start, in ticks."""

    bid: int
    ask: int


@dataclass(frozen=True, slots=True)
class Traded:
    """Trades, in the order of time."""

    time: I64
    """Unix time in microseconds."""
    price: I64
    """Ticks."""
    size: I64
    """Shares."""


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
        return Traded(*(np.empty(0, np.int64) for _ in range(3)))
    number = np.arange(int(count.max(initial=0)))
    place = (seconds.start[:, None] << _MOST_A_SECOND) + number
    counter = ((1 + _WALKS) * place)[..., None] + np.arange(1 + _WALKS)
    draws = halved(bits(stream.keys, counter.astype(np.uint64)))
    edges = np.minimum(np.arange(len(number) + 1), count[:, None])
    start = np.broadcast_to(seconds.start[:, None], place.shape)
    prices = refine(seconds, start, edges, draws).open
    there = number < count[:, None]
    sizes = _sizes(seconds.volume, np.where(there, trade_sizes()[draws[1]], 0), lot)
    # In the order of time: the draws of a second, sorted; what isn't there comes last.
    moment = np.where(there, draws[0].astype(np.int64) << 4 | draws[2] >> 12, 1 << 20)
    moment.sort(axis=1)
    time = start * _SECOND_US + (moment * _SECOND_US >> 20)
    return Traded(time[there], prices[there], sizes[there])


def _sizes(volume: I64, draws: I64, lot: int) -> I64:
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
) -> TickBatch:
    """
    Put quotes around trades, and give all of them in the order of time.

    Args:
        stream: the symbol's.
        symbol: the symbol id, to write into the rows.
        instrument: the symbol's static data.
        trades: the trades.
        window: from when to when, in microseconds.
        trade_share: the fraction of events that are trades; with 0, each trade is a quote instead.
        standing: what stands at the end.

    Cost: about a microsecond an event.
    """
    quotes = _quotes(stream, trades, window[0], instrument, trade_share, standing)
    if not trade_share:
        trades = Traded(*(np.empty(0, np.int64) for _ in range(3)))
    count, quoted = len(trades.time), len(quotes.time)
    # A quote comes before the trade that it is put around.
    order = np.argsort(np.concatenate((2 * quotes.before, 2 * np.arange(count) + 1)), kind="stable")
    nothing = np.zeros(count, dtype=np.int64)
    columns = (
        (np.full(quoted, QUOTES), np.full(count, TRADES)),
        (np.arange(1 - quoted, 1), np.arange(1 - count, 1)),
        (quotes.time, trades.time),
        (quotes.bid, trades.price),
        (quotes.size[0], trades.size),
        (quotes.ask, nothing),
        (quotes.size[1], nothing),
    )
    channel, seq, time, price, size, ask, ask_size = (
        np.concatenate(column)[order] for column in columns
    )
    symbols = np.full(len(order), symbol, dtype=np.int32)
    return TickBatch(symbols, channel.astype(np.uint8), seq, time, price, size, ask, ask_size)


class _Quotes(NamedTuple):
    before: I64
    """The number of the trade before which each comes."""
    time: I64
    bid: I64
    ask: I64
    size: I64
    """Of bids and asks, shape (2, quotes)."""


def _quotes(
    stream: Stream,
    trades: Traded,
    begin_us: int,
    instrument: Instrument,
    trade_share: float,
    standing: Standing,
) -> _Quotes:
    """Make quotes: one around each run of trades, and others on the way there from the one before."""
    count = len(trades.time)
    share = trade_share or 0.5  # one a trade, where the trades stand for quotes
    if not count or share == 1:
        none = np.empty(0, np.int64)
        return _Quotes(none, none, none, none, np.empty((2, 0), np.int64))
    # Runs are counted from the end; the last trade is one of its own, inside what stands.
    longest = max(1, round(share / (1 - share)))
    run = (np.arange(count)[::-1] + longest - 1) // longest
    starts = np.flatnonzero(np.diff(run, prepend=-1))
    run, length = run[starts], np.diff(starts, append=count)
    uniform = halves(bits(stream.keys, np.uint64(1 << 62) + run.astype(np.uint64)))[:, 0]
    wanted = np.maximum(0.0, length * (1 - share) / share - 1)
    others = poisson(wanted, (uniform + 0.5) / 65536)
    row = np.repeat(np.arange(len(starts)), others + 1)
    number = np.arange(len(row)) - np.repeat(np.cumsum(others + 1) - others - 1, others + 1)
    place = (run[row] << _MOST_A_SECOND) + number
    counter = (2 * place)[:, None] + np.arange(2)
    draws = halved(bits(stream.keys, counter.astype(np.uint64)))
    since = np.concatenate(([begin_us], trades.time[starts[1:] - 1]))
    moment = np.sort((row << _MOST_A_SECOND) + (draws[0].astype(np.int64) << 4 | draws[6] >> 12))
    moment -= row << _MOST_A_SECOND
    time = since[row] + ((trades.time[starts] - since)[row] * moment >> _MOST_A_SECOND)
    bid, ask = _placed(trades.price, starts, row, number / (others + 1)[row], instrument, draws)
    size = lots()[draws[4:6]] * instrument.round_lot
    bid[-1], ask[-1], size[:, -1] = *standing, instrument.round_lot
    return _Quotes(starts[row], time, bid, ask, size)


def _placed(
    price: I64, starts: I64, row: I64, way: F64, instrument: Instrument, draws: Draws
) -> tuple[I64, I64]:
    """Put quotes on the tick grid: the last of each run around its trades, the others on the way from those before."""
    low, high = np.minimum.reduceat(price, starts), np.maximum.reduceat(price, starts)
    last = np.diff(row, append=-1) != 0
    wide = np.maximum(1, np.floor(instrument.spread + draws[1] / 65536)).astype(np.int64)
    wide = np.where(last, np.maximum(wide, (high - low)[row]), wide)
    room = wide - (high - low)[row]
    side = draws[2]
    inside = (room + 1) * draws[3].astype(np.int64) >> 16
    around = low[row] - np.where(side & _INSIDE, np.where(side & 1, room, 0), inside)
    before = price[np.maximum(0, starts - 1)][row]
    middle = before + way * (price[starts][row] - before)
    free = np.floor(middle - wide / 2 + draws[3] / 65536).astype(np.int64)
    bid = np.maximum(1, np.where(last, around, free))
    return bid, bid + wide
