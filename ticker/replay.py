"""
A replay: a tape played as a market, with sequences and bars of its own.

Of the tape, only the chunk that is being played is kept. When it ends, time goes on without events, or the tape starts
over, with later times.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticker.batch import TickBatch
from ticker.bookkeeping.daybook import DayBook
from ticker.bookkeeping.outlet import Outlet
from ticker.generator.source import Block
from ticker.instruments import Instrument, UniverseError
from ticker.names import FAMOUS
from ticker.tape import UNIT, Survey, Tape, TapeError, TapeRows
from ticker.universe import Universe

__all__ = ["MOST_AT_ONCE", "Replay", "Terms"]

I64 = NDArray[np.int64]

MOST_AT_ONCE = 200_000
"""The most rows of one microsecond, which a feed gives together."""

_FOREVER = 2**62


@dataclass(frozen=True, slots=True)
class Terms:
    """How to play a tape."""

    loop: bool = False
    """Whether to start over at its end."""
    scale: float = 1.0
    """Multiplies each price, which is then put on the grid of the tape's tick size; a tape may have been scaled before."""
    rename: Mapping[str, str] | None = None
    """Other names, by the symbol on the tape."""
    synthetic: bool = False
    """Whether what is on the tape was invented."""
    seed: int = 0
    """The seed to report; only the books behind the quotes depend on it."""


class Replay(Outlet):
    """
    A tape as a :class:`~ticker.venue.Venue`.

    Args:
        tape: what to play.
        survey: what a first pass over the tape found.
        terms: how to play it.
        start_us: the time at which it begins, in place of the tape's first second; whole seconds.

    Raises:
        TapeError: a symbol or price of the tape, or what the terms make of it, is not allowed.
        ValueError: the start is no whole second.
    """

    def __init__(
        self, tape: Tape, survey: Survey, terms: Terms | None = None, start_us: int | None = None
    ) -> None:
        terms = terms or Terms()
        start_us = survey.start_us if start_us is None else start_us
        scale, symbols = terms.scale, range(len(tape.symbols))
        first = [survey.first_price(i) for i in symbols]
        units = [survey.tick(i, round(min(scale, 1) * first[i])) for i in symbols]
        universe = _universe(tape, terms, [p * scale / UNIT for p in first], units)
        self._unit = np.array(units, dtype=np.int64)
        self._scale = scale
        close = self._ticks(np.arange(len(symbols)), np.array(first, dtype=np.int64))
        no_quote = np.zeros(len(symbols), dtype=np.int64)
        super().__init__(universe, start_us, DayBook(close, no_quote, no_quote, universe, start_us))
        self.seed, self.synthetic = terms.seed, terms.synthetic
        self.lots = np.array([_lot(survey.quote_size(i)) for i in symbols], dtype=np.int64)
        run = (
            "replay",
            survey.digest,
            universe.instruments,
            scale,
            terms.loop,
            start_us,
            terms.seed,
        )
        self.epoch = hashlib.blake2b(repr(run).encode(), digest_size=8).hexdigest()
        """Names this run: the same tape, played on the same terms from the same time, has the same one."""
        self.rounds = 0
        """How many times the tape was begun."""
        self._tape, self._survey, self._loop = tape, survey, terms.loop
        self._begun_us, self._shift = start_us, start_us - survey.start_us
        self._given = np.zeros(2 * len(universe), dtype=np.int64)
        self._ended = False
        self._played = self._play()

    @property
    def over(self) -> bool:
        """Whether the tape has come to its end for good."""
        return self._ended and self._at == len(self._block.batch)

    @property
    def played(self) -> float:
        """How much of the tape has been played in this round, by time, from 0 to 1."""
        if self.over:
            return 1.0
        passed = (self.now_us - self._begun_us) % self._survey.period_us
        return passed / self._survey.period_us

    def _next_block(self) -> Block:
        return next(self._played)

    def _play(self) -> Iterator[Block]:
        """
        Give block after block, for ever.

        Raises:
            TapeError: the tape can't be read, or isn't the one that was surveyed.
        """
        while True:
            self.rounds += 1
            held: TapeRows | None = None
            for chunk in self._tape.chunks():
                rows = chunk if held is None else TapeRows.join([held, chunk])
                # Rows of the last microsecond wait: the next chunk may have more of them.
                cut = int(np.searchsorted(rows.time, rows.time[-1]))
                held = rows[cut:]
                if cut:
                    yield Block(self._batch(rows[:cut]), int(rows.time[-1]) + self._shift)
                elif len(held) > MOST_AT_ONCE:
                    raise TapeError(
                        f"more than {MOST_AT_ONCE} rows have the time {int(rows.time[0])} µs"
                    )
            rest = TickBatch.empty() if held is None else self._batch(held)
            self._ended = not self._loop
            self._shift += self._survey.period_us
            yield Block(rest, _FOREVER if self._ended else self._shift + self._survey.start_us)

    def _batch(self, rows: TapeRows) -> TickBatch:
        """Make rows of the tape what they are in this replay: numbered, in ticks, at their time."""
        if int(rows.symbol.max()) >= len(self.universe):
            raise TapeError("the tape has changed since it was looked through")
        quote = rows.quote
        symbol, quoted = rows.symbol[~quote], rows.symbol[quote]
        price, ask = np.empty(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
        price[~quote] = self._ticks(symbol, rows.price[~quote])
        price[quote], ask[quote] = self._quoted(quoted, rows.price[quote], rows.ask[quote])
        ask[~quote] = rows.ask_size[~quote]  # the marks
        return TickBatch(
            symbol=rows.symbol,
            channel=quote.astype(np.uint8),  # TRADES is 0, QUOTES is 1
            seq=self._number(quote, rows.symbol),
            time=rows.time + self._shift,
            price=price,
            size=rows.size,
            ask=ask,
            ask_size=np.where(quote, rows.ask_size, 0),
        )

    def _ticks(self, symbol: NDArray[np.signedinteger], price: I64) -> I64:
        """Scale prices and put them on the grid, at 1 or more."""
        unit = self._unit[symbol]
        exact: I64 = price // unit
        if self._scale == 1:
            return exact
        scaled: I64 = np.maximum(1, np.rint(price * self._scale / unit).astype(np.int64))
        return scaled

    def _quoted(self, symbol: NDArray[np.int32], bid: I64, ask: I64) -> tuple[I64, I64]:
        """Scale quotes; where bid < ask on the tape, it stays so."""
        low, high = self._ticks(symbol, bid), self._ticks(symbol, ask)
        return low, np.where(bid < ask, np.maximum(high, low + 1), high)

    def _number(self, quote: NDArray[np.bool_], symbol: NDArray[np.int32]) -> I64:
        """Give the rows their sequences."""
        slot = quote * len(self.universe) + symbol.astype(np.int64)
        order = np.argsort(slot, kind="stable")
        ordered = slot[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=-1))
        counts = np.diff(starts, append=len(slot))
        seq = np.empty(len(slot), dtype=np.int64)
        place = np.arange(1, len(slot) + 1) - np.repeat(starts, counts)
        seq[order] = self._given[ordered] + place
        self._given[ordered[starts]] += counts
        return seq


def _lot(size: float) -> int:
    """Give what quotes of this mean size have three of, to one digit."""
    return max(1, round(float(f"{size / 3:.0e}")))


def _universe(tape: Tape, terms: Terms, prices: Sequence[float], units: Sequence[int]) -> Universe:
    """Make the instruments of a tape: their names on the terms, and what is known of well-known ones."""
    famous = {i.symbol: i for i in FAMOUS}
    rename = terms.rename or {}
    if unknown := [symbol for symbol in rename if symbol not in tape.symbols]:
        raise TapeError(f"there is no symbol {unknown[0]!r} on the tape to rename")
    instruments = []
    try:
        for symbol, price, unit in zip(tape.symbols, prices, units, strict=True):
            known = famous.get(symbol) if symbol not in rename else None
            instruments.append(
                Instrument(
                    rename.get(symbol, symbol),
                    round(price, 7),
                    known.name if known else "",
                    known.sector if known else "Other",
                    spread=1.0,
                    tick_size=unit / UNIT,
                )
            )
        return Universe(instruments)
    except UniverseError as error:
        raise TapeError(str(error)) from error
