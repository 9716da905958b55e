"""What is traded: an :class:`Instrument` is one symbol's static data."""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from ticker.reference.exchanges import tape_of

__all__ = [
    "MAX_TICKS",
    "SYMBOL_PATTERN",
    "Instrument",
    "UniverseError",
    "on_grid",
    "tick_fraction",
]

SYMBOL_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-/=^_]{0,19}")
"""What a symbol may look like: no character that means something in a pattern, a list or JSON."""

MAX_TICKS = 10**11
"""The highest price at the start, in ticks: a hundred times more is still exact as a float."""


class UniverseError(ValueError):
    """A universe can't be built; the message names the file, the place and the value."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """The static data of one symbol."""

    symbol: str
    """The key, such as ``AAPL``."""
    price: float
    """The price at the start, in currency units."""
    name: str = ""
    """The company's name."""
    sector: str = "Other"
    """Symbols of one sector move together."""
    volatility: float = 0.3
    """Annualised volatility, a fraction: 0.3 is 30 % a year."""
    spread: float = 1.5
    """The mean quoted spread, in ticks, at least 1."""
    tick_size: float = 0.01
    """The price grid, in currency units: one over a whole number, or a whole number (17 CFR 242.612 for US stocks)."""
    round_lot: int = 100
    """Quote sizes are multiples of this, in shares (17 CFR 242.600(b)(93))."""
    activity: float = 1.0
    """Events a second relative to the market's rate."""
    # Without the rules of the US market these change no event, so they are no part of an epoch.
    exchange: str = field(default="", repr=False)
    """Where it is listed, one of :data:`~ticker.reference.exchanges.LISTING`; ``""``: not known."""
    tier: int = field(default=2, repr=False)
    """Tier of limit up, limit down: 1 (S&P 500, Russell 1000, some funds) or 2 (the others)."""

    def __post_init__(self) -> None:
        if not SYMBOL_PATTERN.fullmatch(self.symbol):
            raise UniverseError(
                f"symbol {self.symbol!r}: 1 to 20 letters, digits or any of . - / = ^ _ are allowed,"
                " beginning with a letter or digit"
            )
        ranges = {
            "price": (1e-4, 1e7),
            "volatility": (0.0, 10.0),
            "spread": (1.0, 10_000.0),
            "round_lot": (1, 1_000_000),
            "activity": (0.0, 1_000.0),
            "tier": (1, 2),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UniverseError(
                    f"{self.symbol}: {name} {value!r} is not between {low:g} and {high:g}"
                )
        try:
            tape_of(self.exchange)
        except ValueError as error:
            raise UniverseError(f"{self.symbol}: {error}") from error
        # Rounded, because 0.29 / 0.01 is a little less than 29.
        ticks = round(self.price / tick_fraction(self.tick_size), 6)
        if ticks < 4 * self.spread:
            raise UniverseError(
                f"{self.symbol}: price {self.price!r} is only {ticks:g} ticks of {self.tick_size!r};"
                " it must be at least four spreads"
            )
        if ticks > MAX_TICKS:
            raise UniverseError(
                f"{self.symbol}: price {self.price!r} is {ticks:g} ticks of {self.tick_size!r};"
                f" at most {MAX_TICKS:g} are allowed"
            )

    @property
    def tape(self) -> str:
        """The tape of its trades and quotes: ``A``, ``B`` or ``C``; ``""``: its listing isn't known."""
        return tape_of(self.exchange)


@lru_cache(maxsize=1024)
def tick_fraction(tick_size: float) -> Fraction:
    """
    Give the tick size as an exact fraction, so that a price in ticks becomes the nearest float to its decimal.

    Raises:
        UniverseError: the tick size is neither a whole number nor one over a whole number up to 10,000,000.
    """
    exact = Fraction(repr(float(tick_size))) if 0 < tick_size < float("inf") else Fraction(0)
    if (
        exact > 0
        and (exact.denominator == 1 or exact.numerator == 1)
        and exact.denominator <= 10**7
    ):
        return exact
    raise UniverseError(
        f"tick size {tick_size!r} must be a whole number, or one over a whole number (0.01, 0.005, 0.25)"
    )


def on_grid(price: float, tick_size: float) -> int:
    """
    Give a price in ticks.

    Raises:
        ValueError: it is not on the grid.
    """
    ticks = Fraction(repr(price)) / tick_fraction(tick_size)
    if ticks.denominator != 1:
        raise ValueError(f"price {price!r} is not on the grid of {tick_size:g}")
    return int(ticks)
