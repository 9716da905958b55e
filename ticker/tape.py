"""
A tape: recorded trades and quotes as arrays, chunk by chunk, and what has to be known of the whole before it plays.

Where the chunks come from (files, formats) isn't its concern: see :class:`Tape`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from math import gcd
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNIT", "Survey", "Tape", "TapeError", "TapeRows"]

I64 = NDArray[np.int64]

UNIT = 10_000_000
"""Prices of a tape are whole numbers of 1 / so many; no tick size is finer."""

_SECOND_US = 1_000_000
_COARSEST = 100  # ticks in a price, at least, where the tick size can be made finer


class TapeError(ValueError):
    """A tape can't be used; the message names the file, the line or row, and the value."""


@dataclass(slots=True)
class TapeRows:
    """Trades and quotes in the order of time; every array has the shape (rows,)."""

    symbol: NDArray[np.int32]
    """The symbol's place in :attr:`Tape.symbols`."""
    quote: NDArray[np.bool_]
    """Whether the row is a quote; else it is a trade."""
    time: I64
    """Unix time in microseconds."""
    price: I64
    """The price, or the bid, in 1 / :data:`UNIT`."""
    size: I64
    """Shares."""
    ask: I64
    """As ``price``; 0 for a trade."""
    ask_size: I64
    """Shares; of a trade, its mark (:mod:`ticker.reference.marks`)."""

    def __len__(self) -> int:
        return len(self.symbol)

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> "TapeRows":
        """Give some of the rows, in this order; for a slice, as views."""
        return TapeRows(*(getattr(self, f.name)[rows] for f in fields(self)))

    @staticmethod
    def join(parts: Sequence["TapeRows"]) -> "TapeRows":
        """Give the rows of several chunks, at least one, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return TapeRows(
            *(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(TapeRows))
        )


class Tape(Protocol):
    """A tape that can be played from its start, again and again."""

    @property
    def symbols(self) -> Sequence[str]:
        """The symbols in the order in which they appear; complete once all chunks were read."""
        ...

    def chunks(self) -> Iterator[TapeRows]:
        """
        Read the tape from its start, in the order of time; no chunk is empty.

        Raises:
            TapeError: the tape can't be read, or a value on it isn't allowed.
        """
        ...


class Survey:
    """
    What one pass over a tape tells: memory of a few numbers a symbol, however long the tape.

    Args:
        tape: what to go through.

    Raises:
        TapeError: as the tape; or there is nothing on it.
    """

    def __init__(self, tape: Tape) -> None:
        self.trades = self.quotes = 0
        self.first_us = self.last_us = 0
        """The times of the first and the last row."""
        self._gcd: list[int] = []
        self._trade: list[int] = []
        self._bid: list[int] = []
        self._ask: list[int] = []
        self._quoted: list[int] = []
        self._shares: list[int] = []
        digest = hashlib.blake2b(digest_size=8)
        for rows in tape.chunks():
            self._add(rows, len(tape.symbols))
            # Row by row, so that chunks don't matter.
            columns = [getattr(rows, field.name) for field in fields(TapeRows)]
            digest.update(np.column_stack(columns).astype("<i8", copy=False).tobytes())
        if not len(self):
            raise TapeError("there is no trade and no quote on the tape")
        digest.update("\x1f".join(tape.symbols).encode())
        self.digest = digest.hexdigest()
        """Names what is on the tape."""

    def __len__(self) -> int:
        return self.trades + self.quotes

    @property
    def start_us(self) -> int:
        """The whole second in which the tape begins."""
        return self.first_us // _SECOND_US * _SECOND_US

    @property
    def period_us(self) -> int:
        """The whole seconds that the tape takes up, after which it can start over."""
        return (self.last_us - self.start_us) // _SECOND_US * _SECOND_US + _SECOND_US

    def _add(self, rows: TapeRows, symbols: int) -> None:
        if not len(self):
            self.first_us = int(rows.time[0])
        self.last_us = int(rows.time[-1])
        quotes = int(rows.quote.sum())
        self.quotes += quotes
        self.trades += len(rows) - quotes
        for column in (self._gcd, self._trade, self._bid, self._ask, self._quoted, self._shares):
            column += [0] * (symbols - len(column))
        for i, size in zip(
            rows.symbol[rows.quote].tolist(), rows.size[rows.quote].tolist(), strict=True
        ):
            self._quoted[i] += 1
            self._shares[i] += size
        order = np.argsort(rows.symbol, kind="stable")
        symbol = rows.symbol[order]
        starts = np.flatnonzero(np.diff(symbol, prepend=-1))
        # A trade's ask is 0, which changes no greatest common divisor.
        divisors = np.gcd.reduceat(np.gcd(rows.price, rows.ask)[order], starts)
        for i, divisor in zip(symbol[starts].tolist(), divisors.tolist(), strict=True):
            self._gcd[i] = gcd(self._gcd[i], divisor)
        for wanted, columns in (
            (~rows.quote, ((self._trade, rows.price),)),
            (rows.quote, ((self._bid, rows.price), (self._ask, rows.ask))),
        ):
            at = np.flatnonzero(wanted)
            found, first = np.unique(rows.symbol[at], return_index=True)
            for column, values in columns:
                for i, value in zip(found.tolist(), values[at[first]].tolist(), strict=True):
                    column[i] = column[i] or value

    def first_price(self, symbol: int) -> int:
        """Give the first trade's price, or without one the middle of the first quote, in 1 / :data:`UNIT`."""
        return self._trade[symbol] or (self._bid[symbol] + self._ask[symbol]) // 2

    def quote_size(self, symbol: int) -> float:
        """Give how many shares a bid has, in the mean of all quotes; 0 without quotes."""
        return self._shares[symbol] / max(1, self._quoted[symbol])

    def tick(self, symbol: int, smallest: int) -> int:
        """
        Give the tick size, in 1 / :data:`UNIT`: the largest 1/n, n whole, of which all prices of a symbol are multiples.

        Args:
            symbol: the symbol's place.
            smallest: a price that must be many ticks, in 1 / :data:`UNIT`.
        """
        tick = gcd(self._gcd[symbol], UNIT)
        while smallest < _COARSEST * tick and tick % 10 == 0:
            tick //= 10
        return tick
