"""Puts rows that are a little out of the order of time into it, in bounded memory."""

import numpy as np
from numpy.typing import NDArray

from ticker.tape import TapeError, TapeRows

__all__ = ["MOST_ROWS", "InOrder"]

MOST_ROWS = 8_192
"""
How many rows too late a row may come: more than a message of the feed has, in which events are in the order of symbols.
"""


class InOrder:
    """
    Takes rows, and gives them back in the order of time; of one time, in the order in which they came.

    Args:
        place: what a row is called: ``line`` or ``row``.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._held: TapeRows | None = None
        self._given_us: int | None = None

    def add(self, rows: TapeRows, where: NDArray[np.int64]) -> TapeRows | None:
        """
        Take rows, and give those that no later one can come before.

        Args:
            rows: at least one.
            where: the number of each row's line, or of the row.

        Raises:
            TapeError: a row comes too late.
        """
        if self._given_us is not None and (late := rows.time < self._given_us).any():
            row = int(late.argmax())
            raise TapeError(
                f"{self._place} {int(where[row])}: its time is"
                f" {(self._given_us - int(rows.time[row])) / 1e6:g} s before that of a {self._place}"
                f" {MOST_ROWS:,} or more above; sort the file by time"
            )
        held = rows if self._held is None else TapeRows.join([self._held, rows])
        if (np.diff(held.time) < 0).any():
            held = held.take(np.argsort(held.time, kind="stable"))
        ready = len(held) - MOST_ROWS
        if ready <= 0:
            self._held = held
            return None
        self._held, given = held[ready:], held[:ready]
        self._given_us = int(given.time[-1])
        return given

    def rest(self) -> TapeRows | None:
        """Give what is left."""
        held, self._held = self._held, None
        return held
