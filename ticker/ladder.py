"""
The book of a symbol: the prices and sizes behind its best bid and ask, as many as :data:`LEVELS` a side.

A book is a function of one quote: the symbol, the quote's sequence, its prices and sizes. There is no state, so nothing
is kept or computed before somebody looks, any two who look at the same quote see the same, and looking changes no tape.

* The first level of each side is the quote itself.
* The prices behind it are divided into *blocks* of some ticks, half the symbol's mean spread, and each block has one price
  at which orders rest. So a liquid symbol has orders at every tick, and a thin one has gaps. Where prices from a dollar on
  are whole cents (:mod:`ticker.cents`), blocks there are of cents.
* What rests at a price is drawn by (seed, symbol, side, block, generation). A generation is 8 to 1,024 quotes long, and
  begins at a moment of its own for each block: so what rests there stays for a while, and stays when the touch moves.
* Some of it rests patiently: it is there only while the touch is some blocks away, neither near nor far. So the mean size
  has a hump some levels behind the touch (Bouchaud, Mezard, Potters: "Statistical properties of stock order books",
  Quantitative Finance 2, 2002; Potters, Bouchaud: "More statistical properties of order books and price impact", 2003).
* Whole tens of ticks have twice as much: limit orders cluster at round prices (Osler, J. Finance 58, 2003).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticker.cents import Rungs, ticks_in_a_cent
from ticker.randomness.draws import lots as quote_lots
from ticker.randomness.noise import Stream, bits, halves
from ticker.universe import Universe

__all__ = ["LEVELS", "Changes", "Ladder", "Ladders", "changes"]

I64 = NDArray[np.int64]
U16 = NDArray[np.uint16]

LEVELS = 20
"""How many levels a side has, at most: fewer where the bids come down to the lowest price, one tick."""

_BEHIND = np.array([-1, 1])  # which way the blocks go on: down for bids, up for asks
_SIDES = np.arange(2)[:, None]
_SHORTEST = 3  # the shortest generation has 2**3 quotes, the longest 2**10
_NEAR, _FAR = 8, 16
"""Patient orders are there from 1 to 8 blocks behind the touch on, for 1 to 16 blocks."""

_PATIENT = 2  # how much larger they are
_ROUND = 10
_AT_ONCE = 128  # quotes: larger arrays are fetched from the system anew each time, which takes three times as long
_ODD = 8  # one in so many orders isn't of whole round lots


@dataclass(slots=True)
class Ladder:
    """Books, one a row; arrays of shape (rows, 2, LEVELS): bids, then asks, the best first."""

    price: I64
    """Ticks; 0: there is no such level."""
    size: I64
    """Shares; 0 where there is no level."""

    def __len__(self) -> int:
        return len(self.price)

    def __getitem__(self, rows: NDArray[np.intp] | slice) -> "Ladder":
        """Give some of the books."""
        return Ladder(self.price[rows], self.size[rows])


@dataclass(slots=True)
class Changes:
    """What makes books other books: levels with their new sizes, of all rows one after the other."""

    ends: I64
    """Where the bids and where the asks of each row end, shape (rows, 2); they begin where what is before them ends."""
    price: I64
    """Ticks."""
    size: I64
    """Shares; 0: the level is gone."""


class Ladders:
    """
    Makes the books of a market's quotes.

    Args:
        seed: the market's.
        universe: what is traded.
        lots: how many shares orders are multiples of, by symbol; None: the round lots.
        cents: whether orders from a dollar on are at whole cents, however fine the grid is.
    """

    def __init__(
        self, seed: int, universe: Universe, lots: I64 | None = None, *, cents: bool = False
    ) -> None:
        self._keys = Stream(seed, "ladder", universe.symbols).keys
        self._lot = universe.column("round_lot").astype(np.int64) if lots is None else lots
        cent = ticks_in_a_cent(universe) if cents else np.ones(len(universe), dtype=np.int64)
        self._rungs = Rungs(cent)
        spread = np.stack((universe.column("spread"), universe.column("spread") / cent))
        # Below a dollar, and from there on.
        self._block = np.maximum(1, np.rint(spread / 2)).astype(np.int64)
        self._sizes_in_lots = quote_lots()

    def at(
        self,
        symbol: NDArray[np.integer],
        seq: I64,
        bid: I64,
        bid_size: I64,
        ask: I64,
        ask_size: I64,
    ) -> Ladder:
        """
        Give the book at each of some quotes; where bid and ask are 0, there is none, and the book is empty.

        A side of a quote without shares, as tapes have them, is no level.

        Linear in quotes, about 1.6 us each, and 70 us in all.
        """
        shape = len(symbol), 2, LEVELS
        made = Ladder(np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64))
        made.price[..., 0] = np.stack((bid, ask), axis=1)
        made.size[..., 0] = np.stack((bid_size, ask_size), axis=1)
        for start in range(0, len(symbol), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            self._fill(made[some], symbol[some], seq[some])
        return made

    def behind(self, symbol: NDArray[np.integer], side: I64, best: I64) -> I64:
        """
        Give the price of the level behind the best one: what is the best one when that is gone.

        Args:
            symbol: of each best level.
            side: 0 for bids, 1 for asks.
            best: its price in ticks; one that is between whole cents counts as that of the nearest wider quote.

        Returns:
            Ticks; less than 1 where prices come to an end.
        """
        best = self._rungs.outward(symbol, side, best)
        length = self._block[self._rungs.above(symbol, best).astype(np.intp), symbol]
        rung, way = self._rungs.of(symbol, best), _BEHIND[side]
        block = rung // length
        nearest = _place(block, length, halves(self._words(symbol, block, side)))
        block = np.where((nearest - rung) * way > 0, block, block + way)
        rung = _place(block, length, halves(self._words(symbol, block, side)))
        return self._rungs.ticks(symbol, rung)

    def _fill(self, made: Ladder, symbol: NDArray[np.integer], seq: I64) -> None:
        """Put what is behind the touch into books that have their first levels."""
        price, size = made.price, made.size
        each = symbol[:, None, None]
        length = self._block[self._rungs.above(each, price[..., :1]).astype(np.intp), each]
        blocks = self._blocks_behind(each, price[..., :1], length)
        words = self._words(each, blocks, _SIDES)
        draws = halves(words)
        rungs = _place(blocks, length, draws)
        price[..., 1:] = self._rungs.ticks(each, rungs)
        # Generations are whole powers of two long; each block's begin at a quote of its own.
        lasts = _SHORTEST + (draws[..., 1] >> 13).astype(np.int64)
        late = draws[..., 2].astype(np.int64) & ((1 << lasts) - 1)
        generation = seq[:, None, None] + late >> lasts
        orders = halves(bits(words, generation.astype(np.uint64)))
        size[..., 1:] = self._sizes(each, rungs, orders)
        none = (price < 1) | (price[..., :1] < 1) | (size < 1)
        price[none] = size[none] = 0

    def _blocks_behind(self, each: NDArray[np.integer], touch: I64, length: I64) -> I64:
        """Give the blocks whose prices are behind the touch, nearest first: shape (quotes, 2, LEVELS - 1)."""
        rung = self._rungs.of(each, touch)
        block = rung // length
        nearest = _place(block, length, halves(self._words(each, block, _SIDES)))
        way = _BEHIND[:, None]
        first = np.where((nearest - rung) * way > 0, block, block + way)
        blocks: I64 = first + way * np.arange(LEVELS - 1)
        return blocks

    def _words(self, each: NDArray[np.integer], blocks: I64, side: I64) -> NDArray[np.uint64]:
        """Draw 64 bits for each block of each side."""
        counters = (blocks << 1) + side
        return bits(self._keys[each], counters.astype(np.uint64))

    def _sizes(self, each: NDArray[np.integer], rungs: I64, orders: U16) -> I64:
        lot = self._lot[each]
        base, patient, when, odd = (orders[..., i].astype(np.int64) for i in range(4))
        distance = np.arange(1, LEVELS)
        come = 1 + (when * _NEAR >> 16)
        gone = come + 1 + ((when & 0xFF) * _FAR >> 8)
        there = (come <= distance) & (distance < gone)
        drawn = self._sizes_in_lots
        size: I64 = drawn[base] + there * (_PATIENT * drawn[patient])
        size = np.where(rungs % _ROUND == 0, 2 * size, size) * lot
        size += (odd % _ODD == 0) * (odd * lot >> 16)
        return size


def _place(blocks: I64, length: I64, draws: U16) -> I64:
    """Give the one price in each block at which orders rest, by its number."""
    rungs: I64 = blocks * length + (draws[..., 0] * length >> 16)
    return rungs


def changes(before: Ladder, after: Ladder) -> Changes:
    """
    Give what makes books of one shape those of another, row by row: what is gone, then what is new or has another size.

    Linear in rows, about 2.5 us each, and 20 us in all.
    """
    starts = range(0, len(after), _AT_ONCE) or (0,)
    pieces = [slice(start, start + _AT_ONCE) for start in starts]
    parts = [_changes(before[piece], after[piece]) for piece in pieces]
    counts, price, size = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Changes(np.cumsum(counts).reshape(counts.shape), price, size)


def _changes(before: Ladder, after: Ladder) -> tuple[I64, I64, I64]:
    """Give how many levels of each side have changed, and which."""
    same = before.price[..., :, None] == after.price[..., None, :]
    gone = (before.size > 0) & ~same.any(axis=-1)
    # The size before at each price after: every price is there at most once.
    match = same.argmax(axis=-2)
    was = np.take_along_axis(before.size, match, axis=-1) * same.any(axis=-2)
    new = (after.size > 0) & (after.size != was)
    changed = np.concatenate((gone, new), axis=-1)
    price = np.concatenate((before.price, after.price), axis=-1)
    size = np.concatenate((np.zeros_like(before.size), after.size), axis=-1)
    counts = changed.sum(axis=-1)
    return counts, price[changed], size[changed]
