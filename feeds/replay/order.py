"""Sorts rows that are a little out of time order, in bounded memory."""

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
        most_rows: how many rows late a row may be; that many are held.
    """

    def __init__(self, place: str, most_rows: int = MOST_ROWS) -> None:
        self._place, self._most_rows = place, most_rows
        self._held: list[TapeRows] = []
        self._rows = 0
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
                f" {self._most_rows:,} or more above; sort the file by time"
            )
        self._held.append(rows)
        self._rows += len(rows)
        ready = self._rows - self._most_rows
        if ready <= 0:
            return None
        held = self._sorted()
        self._held, self._rows = [held[ready:]], self._most_rows
        given = held[:ready]
        self._given_us = int(given.time[-1])
        return given

    def rest(self) -> TapeRows | None:
        """Give what is left."""
        return self._sorted() if self._held else None

    def _sorted(self) -> TapeRows:
        held = TapeRows.join(self._held)
        if (np.diff(held.time) < 0).any():
            return held[np.argsort(held.time, kind="stable")]
        return held
