"""
Rules of the US market, as data.

Tick sizes: 17 CFR 242.612 (Rule 612). Its 0.005 for stocks with narrow spreads, adopted in 2024, isn't in force before November 2027
(SEC Release 34-105656), so only instruments that ask for it have it. Round lots: 17 CFR 242.600(b)(93), by the price (really its mean
over a month), since November 2025. Circuit breakers of the whole market: NYSE Rule 7.12, Nasdaq Equity 4, 4121. Limit up, limit down: the NMS
"Plan to Address Extraordinary Market Volatility" (luldplan.com), sections I, V to VII and appendix A, with the 18th amendment
(SEC Release 34-85623), by which bands are no longer doubled after the opening.
"""

from dataclasses import dataclass

__all__ = [
    "BREAKERS",
    "LIMIT_STATE_S",
    "NO_REOPENING_S",
    "PAUSE_S",
    "REFERENCE_CHECK_S",
    "REFERENCE_MOVE",
    "REFERENCE_S",
    "ROUND_LOTS",
    "TICK_SIZES",
    "Breaker",
    "band_ticks",
    "collar_ticks",
    "doubled",
    "round_lot",
    "tick_size",
]

REFERENCE_S = 300
"""Seconds over which the reference price is the mean price of trades."""

REFERENCE_CHECK_S = 30
"""It is looked at so often,"""

REFERENCE_MOVE = 0.01
"""and replaced when it has moved by so much."""

LIMIT_STATE_S = 15
"""Seconds of a limit state after which a pause comes."""

PAUSE_S = 300
"""The length of a pause."""

NO_REOPENING_S = 600
"""A pause that would last into so many last seconds of the session lasts until its end, and its closing auction."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """A level of the market-wide circuit breakers."""

    decline: float
    """The fall of the S&P 500 from the last close at which it trips."""
    reason: str
    """The reason code of the halts."""
    halt_s: int | None
    """How long the halt is; None: for the rest of the day."""


BREAKERS = (Breaker(0.07, "MWC1", 900), Breaker(0.13, "MWC2", 900), Breaker(0.20, "MWC3", None))
"""The levels, the smallest fall first."""


TICK_SIZES = ((1.0, 0.0001),)
"""Below which price, in dollars, the tick is how large; from the last one on it is a cent."""


def tick_size(price: float) -> float:
    """Give the tick size of a stock at a price in dollars, in dollars."""
    return next((tick for below, tick in TICK_SIZES if price < below), 0.01)


ROUND_LOTS = ((250.0, 100), (1_000.0, 40), (10_000.0, 10))
"""Up to which price, in dollars, a round lot has how many shares; above the last one it has 1."""


def round_lot(price: float) -> int:
    """Give the round lot of a stock at a price in dollars, in shares."""
    return next((shares for most, shares in ROUND_LOTS if price <= most), 1)


def band_ticks(
    reference: float, tick_size: float, *, tier: int, close: float, doubled: bool = False
) -> int:
    """
    Give how far the bands are from a reference price, in whole ticks, at least 1.

    Args:
        reference: the reference price, in ticks.
        tick_size: a tick, in currency units.
        tier: 1 (S&P 500, Russell 1000, some funds) or 2 (the others).
        close: the last close, in ticks, which says for the whole day which percentage it is.
        doubled: whether it is the end of the day.
    """
    price, close = reference * tick_size, close * tick_size
    if close < 0.75:
        distance = min(0.15, 0.75 * price)
    elif close <= 3.0:
        distance = 0.20 * price
    else:
        distance = (0.05 if tier == 1 else 0.10) * price
    return max(1, round((2 if doubled else 1) * distance / tick_size))


def collar_ticks(price: int, tick_size: float) -> int:
    """Give how far the collars of a reopening are from a price in ticks, and by how much they widen: 5 %, or 15 cents up to 3 dollars."""
    distance = 0.15 if price * tick_size <= 3.0 else 0.05 * price * tick_size
    return max(1, round(distance / tick_size))


def doubled(
    time_us: int, day_us: int, tier: int, price: float, *, left_s: int | None = None
) -> bool:
    """
    Tell whether the bands are twice as wide: in the last 25 minutes of a day, of tier 1 and up to 3 dollars.

    Args:
        time_us: the time, in microseconds.
        day_us: when a day of 390 minutes began; every one begins when the one before ends.
        tier: 1 or 2.
        price: the last close, in currency units.
        left_s: how many seconds of the day are left; None: it is one of 390 minutes.
    """
    minute = (time_us - day_us) // 60_000_000
    late = minute % 390 >= 365 if left_s is None else left_s <= 1_500
    return late and (tier == 1 or price <= 3.0)
