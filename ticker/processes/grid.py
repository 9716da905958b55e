"""What the price process hands to the order flow: a path on a grid of cells, and the state of each second."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["CELLS_PER_SECOND", "CELL_US", "Grid"]

F64 = NDArray[np.float64]

CELL_US = 100_000
"""The length of a cell of the path, in microseconds."""

CELLS_PER_SECOND = 1_000_000 // CELL_US


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells of all symbols, and the seconds in which they are."""

    first: int
    """The number of the first cell."""
    before: F64
    """The price before it in ticks, shape (symbols,)."""
    path: F64
    """The price at the end of each cell in ticks, shape (symbols, cells)."""
    first_second: int
    """The number of the second that the first column of what follows is about."""
    sigma: F64
    """Standard deviation of a cell's return, shape (symbols, seconds) or (symbols, 1) if it never changes."""
    activity: F64 | None = None
    """The factor on the rate of events, of mean 1; None: always 1."""
    strain: F64 | None = None
    """The factor on what a spread has above one tick, of mean about 1; None: always 1."""

    @property
    def cells(self) -> int:
        """How many cells."""
        return int(self.path.shape[1])

    def second_of(self, cell: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the column of the second in which cells are, which are counted from 0."""
        return (cell + self.first) // CELLS_PER_SECOND - self.first_second

    def cut(self, begin: int, end: int) -> "Grid":
        """Give the cells from ``begin``, counted from 0, to ``end``, excluded."""
        before = self.before if begin == 0 else self.path[:, begin - 1]
        return replace(self, first=self.first + begin, before=before, path=self.path[:, begin:end])
