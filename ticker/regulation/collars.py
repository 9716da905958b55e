"""
Bands of limit up, limit down around a reference price; and collars of a reopening: between which prices a pause may end, and how they widen while the price is outside of them.

After NYSE Rule 7.35A(e) and Nasdaq Equity 4, 4120(c)(10): 5 % (15 cents up to 3 dollars) around the band that was reached, wider by as
much with each extension on the side on which the price is.
"""

from ticker.reference.rules import collar_ticks

__all__ = ["bands_around", "collar_around", "widened"]


def bands_around(price: int, distance: int, cent: int) -> tuple[int, int]:
    """Give bands at a distance from a price, in ticks; from a dollar on, at the whole cents inside, given how many ticks a cent has."""
    low, high = max(1, price - distance), price + distance
    if low >= 100 * cent:
        low = -(-low // cent) * cent
    if high >= 100 * cent:
        high = high // cent * cent
    return low, high


def collar_around(price: int, tick_size: float) -> tuple[int, int]:
    """Give the first collars, around a band, in ticks."""
    step = collar_ticks(price, tick_size)
    return price - step, price + step


def widened(collar: tuple[int, int], price: int, tick_size: float) -> tuple[int, int]:
    """Give the collars of the next five minutes; the same, where the price is inside them."""
    low, high = collar
    step = collar_ticks((low + high) // 2, tick_size)
    return low - step * (price < low), high + step * (price > high)
