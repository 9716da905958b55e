"""A scenario that has been given a market, a time and symbols."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticker.scenario import Scenario
from ticker.universe import Universe

__all__ = ["Staged"]


@dataclass(frozen=True, slots=True)
class Staged:
    """What a play is made from."""

    scenario: Scenario
    """What happens."""
    at_us: int
    """When it begins, Unix time in microseconds."""
    symbols: NDArray[np.int64]
    """The ids of the symbols to which it happens, each once, in order."""
    universe: Universe
    """The market's instruments."""
    flow: tuple[float, float]
    """The market's events per second and symbol, and the fraction of them that are trades."""
    marked: bool = False
    """Whether the prints of auctions carry the conditions that say so."""
