"""
Scenarios: what happens to some symbols for a while, as data.

A :class:`Scenario` says how prices, volatility, spreads and activity change over time, when symbols halt, and when
they fall silent. It is laid over the walk (:mod:`ticker.staging.play`), so that several of them at once add up, and the
market goes on from where they leave it. Those that have a name are in :mod:`ticker.scenarios`.
"""

from dataclasses import dataclass

from ticker.reference.marks import mark_of
from ticker.reference.status import reason_number, status_number
from ticker.script import MAX_SIZE

__all__ = ["LIMITS", "MAX_S", "Change", "Points", "Print", "Scenario", "check_range"]

Points = tuple[tuple[float, float], ...]
"""Seconds since the beginning, and values; straight lines between them."""

LIMITS = {
    "path": (-0.99, 99.0),
    "volatility": (0.0, 100.0),
    "spread": (1.0, 1_000.0),
    "activity": (1.0, 1_000.0),
    "quotes_s": (0.0, 100_000.0),
}
"""Between which values the points of each part of a scenario are."""
MAX_S = 30 * 86_400.0
"""The longest scenario, in seconds."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of status."""

    at_s: float
    """Seconds since the beginning."""
    status: str
    reason: str | None = None
    cross: bool = False
    """Whether there is an auction: one large print at the middle of the quote, when trading begins or just before it ends."""

    def __post_init__(self) -> None:
        check_range("a change's time", self.at_s, 0, MAX_S)
        status_number(self.status)
        reason_number(self.reason)


@dataclass(frozen=True, slots=True)
class Print:
    """A trade of one's own."""

    at_s: float
    """Seconds since the beginning."""
    price: float
    """In currency units, on the grid of its symbols."""
    size: int = 100
    exchange: str | None = None
    """One of :data:`~ticker.reference.exchanges.EXCHANGES`; None: not given."""
    conditions: tuple[str, ...] = ()
    """Codes of :data:`~ticker.reference.conditions.CONDITIONS`."""

    def __post_init__(self) -> None:
        check_range("a trade's time", self.at_s, 0, MAX_S)
        check_range("a trade's price", self.price, 0, 1e12)
        check_range("a trade's size", self.size, 1, MAX_SIZE)
        mark_of(self.exchange, self.conditions)


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    What happens, in seconds since its beginning.

    Raises:
        ValueError: a value is out of range, or points are not in the order of time; the message names it.
    """

    name: str
    path: Points = ()
    """
    Returns since the beginning: -0.1 is 10 % below what the price would be. The last one stays. Of several symbols, they are the
    mean; how much of them reaches each says :mod:`ticker.staging.reach`.
    """
    volatility: Points = ()
    """Multipliers on the volatility; 1 before and after."""
    spread: Points = ()
    """Multipliers on the spread, at least 1; 1 before and after."""
    activity: Points = ()
    """Multipliers on the rate of events, at least 1; 1 before and after. A market without events counts as one of 2 a second."""
    quotes_s: Points = ()
    """Quotes a second and symbol that come on top; 0 before and after."""
    changes: tuple[Change, ...] = ()
    """Changes of status."""
    silences: Points = ()
    """From when to when the symbols are silent, without a status that says so."""
    bands: int | None = None
    """The tier of limit-up/limit-down bands that hold from the beginning on; None: none."""
    trades: tuple[Print, ...] = ()
    """Trades that come on top, as they are, whatever the status."""
    everybody: bool = True
    """Whether it happens to all symbols by default; otherwise to the first one."""
    alike: bool = False
    """Whether the path is that of each of its symbols, and not only their mean."""

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            points = getattr(self, name)
            for seconds, value in points:
                check_range(f"{name}: a time", seconds, 0, MAX_S)
                check_range(f"{name}: a value", value, low, high)
            times = [seconds for seconds, _ in points]
            if times != sorted(times):
                raise ValueError(f"{name}: the times {times} are not in order")
        for begin, end in self.silences:
            if not 0 <= begin < end <= MAX_S:
                raise ValueError(f"silences: {begin:g} to {end:g} is not an interval of time")
        if self.bands not in (None, 1, 2):
            raise ValueError(
                f"bands {self.bands!r} is not 1 or 2, the tiers of limit up, limit down"
            )

    @property
    def duration_s(self) -> float:
        """When the last thing happens, in seconds since the beginning."""
        points = (self.path, self.volatility, self.spread, self.activity, self.quotes_s)
        times = [seconds for part in points for seconds, _ in part]
        times += [change.at_s for change in self.changes] + [end for _, end in self.silences]
        times += [trade.at_s for trade in self.trades]
        return max(times, default=0.0)


def check_range(what: str, value: float, low: float, high: float) -> None:
    """
    Check a number.

    Raises:
        ValueError: it is none, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{what} {value!r} is not a number")
    if not low <= value <= high:  # nor is what is no number
        raise ValueError(f"{what} {value!r} is not between {low:g} and {high:g}")
