"""
The scenarios that have a name: functions of how far the price goes, how long it takes, and how wild it is.

They are caricatures with the right order of events, for testing what shows or trades on a feed; sizes and durations are
free. Each names its source.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ticker.reference.rules import BREAKERS
from ticker.scenario import LIMITS, MAX_S, Change, Points, Scenario, check_range

__all__ = ["SCENARIOS", "scenario_named"]


def calm(size: float, duration_s: float, volatility: float) -> Scenario:
    """Hardly anything moves."""
    return Scenario("calm", path=_steps(size, duration_s), volatility=_flat(volatility, duration_s))


def volatile(size: float, duration_s: float, volatility: float) -> Scenario:
    """Wild, wide and busy."""
    return Scenario(
        "volatile",
        path=_steps(size, duration_s),
        volatility=_flat(volatility, duration_s),
        spread=_flat(1.5, duration_s),
        activity=_flat(2.0, duration_s),
    )


def opening_bell(size: float, duration_s: float, volatility: float) -> Scenario:
    """Quotes alone, then the opening cross, a gap, and a market that is wild at first."""
    bell = duration_s / 60
    return Scenario(
        "opening_bell",
        path=((0, 0), (0, size)),
        volatility=((bell, volatility), (duration_s, 1)),
        spread=((0, 4), (bell, 4), (duration_s / 4, 1)),
        activity=((bell, 5), (duration_s, 1)),
        changes=(Change(0, "quoting"), Change(bell, "trading", cross=True)),
    )


def flash_crash(size: float, duration_s: float, volatility: float) -> Scenario:
    """
    Down faster and faster, and most of the way back.

    As on 6 May 2010: minutes down, twice as long up ("Findings regarding the market events of May 6, 2010", CFTC and SEC).
    """
    path = ((0, 0), (0.25, 0.2), (0.35, 0.5), (0.4, 1), (0.45, 0.75), (0.7, 0.3), (1, 0.1))
    return Scenario(
        "flash_crash",
        path=_shape(path, size, duration_s),
        volatility=_times(((0, 1), (0.35, volatility), (0.5, volatility), (1, 1)), duration_s),
        spread=_times(((0.1, 1), (0.35, 6), (0.42, 10), (0.6, 2), (1, 1)), duration_s),
        activity=_times(((0, 1), (0.35, 6), (0.5, 6), (1, 1)), duration_s),
    )


def short_squeeze(size: float, duration_s: float, volatility: float) -> Scenario:
    """Up, ever steeper, into the bands and their pauses, and a part of it down again."""
    path = ((0, 0), (0.3, 0.1), (0.55, 0.3), (0.75, 0.7), (0.85, 1), (0.9, 0.8), (1, 0.6))
    return Scenario(
        "short_squeeze",
        path=_shape(path, size, duration_s),
        volatility=_times(((0, 1), (0.5, volatility), (0.9, volatility), (1, 1)), duration_s),
        spread=_times(((0, 1), (0.7, 4), (1, 1)), duration_s),
        activity=_times(((0, 1), (0.5, 8), (0.9, 8), (1, 1)), duration_s),
        bands=1,
        everybody=False,
    )


def halt_and_reopen(size: float, duration_s: float, volatility: float) -> Scenario:
    """Halted for news, quoted, and reopened with a cross, at another price."""
    return Scenario(
        "halt_and_reopen",
        path=((0, 0), (0, size)),
        volatility=((duration_s, volatility), (1.5 * duration_s, 1)),
        changes=_news(0, duration_s),
        everybody=False,
    )


def earnings_gap(size: float, duration_s: float, volatility: float) -> Scenario:
    """News in a halt, and a gap; then wild and busy for three times as long."""
    return Scenario(
        "earnings_gap",
        path=((0, 0), (0, size)),
        volatility=((duration_s, volatility), (4 * duration_s, 1)),
        spread=((duration_s, 3), (2 * duration_s, 1)),
        activity=((duration_s, 10), (4 * duration_s, 1)),
        changes=_news(0, duration_s),
        everybody=False,
    )


def market_wide_halt(size: float, duration_s: float, volatility: float) -> Scenario:
    """
    Everything falls for a quarter of the time, until the circuit breaker of such a fall trips.

    Trading resumes at the end, but not after the third level, which is for the rest of the day.
    """
    if size >= 0:
        raise ValueError(f"size {size!r} of market_wide_halt is no fall: it must be below 0")
    reached = [level for level in BREAKERS if -size >= level.decline] or BREAKERS[:1]
    level, trips = reached[-1], duration_s / 4
    changes = [Change(trips, "halted", level.reason)]
    if level.halt_s is not None:
        changes += [
            Change(trips + 0.65 * duration_s, "quoting", "MWCQ"),
            Change(trips + 0.75 * duration_s, "trading", "MWCQ", cross=True),
        ]
    return Scenario(
        "market_wide_halt",
        path=((0, 0), (0.6 * trips, 0.5 * size), (trips, size), (duration_s, 0.8 * size)),
        volatility=((0, 1), (trips, volatility), (duration_s, volatility), (2 * duration_s, 1)),
        spread=((0, 1), (trips, 3), (duration_s, 3), (2 * duration_s, 1)),
        activity=((0, 1), (trips, 4), (duration_s, 4), (2 * duration_s, 1)),
        changes=tuple(changes),
    )


def microburst(size: float, duration_s: float, volatility: float) -> Scenario:
    """So many quotes of one symbol at once; 20,000 in a second is what Nanex counted 411 times in ten years to 2013."""
    low, high = LIMITS["quotes_s"]
    check_range("size", size, low * duration_s, high * duration_s)
    rate = size / duration_s
    return Scenario(
        "microburst",
        quotes_s=_flat(rate, duration_s),
        volatility=_flat(volatility, duration_s),
        everybody=False,
    )


def closing_auction(size: float, duration_s: float, volatility: float) -> Scenario:
    """Busier and busier, the closing cross, and closed for a tenth of the time; no imbalance is published."""
    return Scenario(
        "closing_auction",
        path=_shape(((0, 0), (1, 1)), size, duration_s),
        volatility=((0, 1), (duration_s, volatility)),
        activity=((0, 1), (0.8 * duration_s, 3), (duration_s, 10)),
        changes=(
            Change(duration_s, "closed", cross=True),
            Change(1.1 * duration_s, "trading", cross=True),
        ),
    )


def stale_feed(size: float, duration_s: float, volatility: float) -> Scenario:
    """Nothing comes, and nothing says so; then it goes on somewhere else."""
    return Scenario(
        "stale_feed",
        path=_shape(((0, 0), (1, 1)), size, duration_s),
        volatility=_flat(volatility, duration_s),
        silences=((0, duration_s),),
        everybody=False,
    )


@dataclass(frozen=True, slots=True)
class _Named:
    make: Callable[[float, float, float], Scenario]
    size: float
    duration_s: float
    volatility: float


_SCENARIOS = (
    _Named(calm, 0.0, 1_800, 0.3),
    _Named(volatile, 0.0, 1_800, 3.0),
    _Named(opening_bell, 0.005, 600, 4.0),
    _Named(flash_crash, -0.09, 600, 4.0),
    _Named(short_squeeze, 0.6, 1_800, 4.0),
    _Named(halt_and_reopen, 0.02, 300, 2.0),
    _Named(earnings_gap, -0.08, 300, 4.0),
    _Named(market_wide_halt, -0.075, 1_200, 3.0),
    _Named(microburst, 20_000, 1, 1.0),
    _Named(closing_auction, 0.0, 600, 1.5),
    _Named(stale_feed, 0.0, 30, 1.0),
)

SCENARIOS = {named.make.__name__: named for named in _SCENARIOS}
"""Those that have a name, and their defaults."""


def scenario_named(
    name: str,
    *,
    size: float | None = None,
    duration_s: float | None = None,
    volatility: float | None = None,
) -> Scenario:
    """
    Give a scenario by its name.

    Args:
        name: one of :data:`SCENARIOS`.
        size: how far the price goes, as a return; of ``microburst``, how many quotes there are. None: its own, as below.
        duration_s: how long it takes, in seconds.
        volatility: the multiplier on the volatility.

    Raises:
        ValueError: there is none of this name, or a value is out of range.
    """
    if name not in SCENARIOS:
        raise ValueError(f"scenario {name!r} is not one of {', '.join(SCENARIOS)}")
    named = SCENARIOS[name]
    values = []
    for key, value in (("size", size), ("duration_s", duration_s), ("volatility", volatility)):
        values.append(getattr(named, key) if value is None else value)
    check_range("duration_s", values[1], 0.001, MAX_S / 5)
    if named.make is not microburst:
        check_range("size", values[0], *LIMITS["path"])
    return named.make(*values)


def _flat(value: float, duration_s: float) -> Points:
    return ((0, value), (duration_s, value))


def _steps(size: float, duration_s: float) -> Points:
    return ((0, 0), (duration_s, size)) if size else ()


def _times(points: Points, duration_s: float) -> Points:
    return tuple((share * duration_s, value) for share, value in points)


def _shape(points: Points, size: float, duration_s: float) -> Points:
    if not size:
        return ()
    return tuple((share * duration_s, value * size) for share, value in points)


def _news(begin: float, end: float) -> tuple[Change, ...]:
    """A halt for news, as Nasdaq codes it."""
    length = end - begin
    return (
        Change(begin, "halted", "T1"),
        Change(begin + 0.6 * length, "halted", "T2"),
        Change(begin + 0.8 * length, "quoting", "T3"),
        Change(end, "trading", "T3", cross=True),
    )
