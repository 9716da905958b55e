"""
Models: which parts a market is made of.

A :class:`Model` is a set of parts, each a small class with its parameters and its source; None leaves a part out, and what has the
methods of :mod:`ticker.parts` can take the place of one.
:data:`FULL` is the default. :data:`GBM` has none: a geometric Brownian motion with Poisson arrivals and coin-flip
signs, the negative control of :mod:`ticker.facts`.
"""

import math
from dataclasses import dataclass

from ticker.parts import (
    ArrivalPart,
    JumpPart,
    LagPart,
    SignPart,
    SpreadPart,
    TailPart,
    VolatilityPart,
)
from ticker.processes.arrivals import Hawkes
from ticker.processes.shocks import Jumps, LeadLag, StudentT
from ticker.processes.signs import HiddenOrders
from ticker.processes.spreads import TenseSpread
from ticker.processes.volatility import LogVolatility
from ticker.trading_day.hours import SessionShape
from ticker.trading_day.shape import DayShape

__all__ = ["FULL", "GBM", "MODELS", "Model", "model_named"]


@dataclass(frozen=True, slots=True)
class Model:
    """The parts of a market's model; ``dataclasses.replace`` takes one out or puts another in."""

    name: str
    volatility: VolatilityPart | None = None
    """None: constant."""
    shape: DayShape | SessionShape | None = None
    """None: all minutes of a day are alike."""
    tails: TailPart | None = None
    """None: Gaussian."""
    jumps: JumpPart | None = None
    """None: the price is continuous."""
    lags: LagPart | None = None
    """None: all symbols hear the news at once."""
    arrivals: ArrivalPart | None = None
    """None: a Poisson process."""
    signs: SignPart | None = None
    """None: coin flips."""
    spread: SpreadPart | None = None
    """None: spreads know nothing of the volatility."""

    @property
    def wildness(self) -> float:
        """Deviation of the volatility's logarithm, in that of the default; 0: the volatility never changes."""
        if self.volatility is None:
            return 0.0
        return math.sqrt(self.volatility.variance / LogVolatility().variance)

    @property
    def plain(self) -> bool:
        """Whether prices are a geometric random walk of constant volatility."""
        return not (self.volatility or self.shape or self.tails or self.jumps or self.lags)


GBM = Model("gbm")
"""The geometric random walk: what fails the literature's tests."""

FULL = Model(
    "full",
    volatility=LogVolatility(),
    shape=DayShape(),
    tails=StudentT(),
    jumps=Jumps(),
    lags=LeadLag(),
    arrivals=Hawkes(),
    signs=HiddenOrders(),
    spread=TenseSpread(),
)
"""Everything: what passes them."""

MODELS = {model.name: model for model in (FULL, GBM)}
"""The models by their names on the command line."""


def model_named(name: str) -> Model:
    """
    Give a model by its name.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in MODELS:
        raise ValueError(f"model {name!r} is not one of {', '.join(MODELS)}")
    return MODELS[name]
