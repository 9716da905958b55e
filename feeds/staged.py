"""Scenarios that somebody begins while a market runs."""

from feeds.errors import CommandError
from feeds.scripted import Scripts
from ticker.market import Market
from ticker.scenarios import scenario_named
from ticker.venue import Venue

__all__ = ["begin"]


def begin(
    market: Venue,
    name: str,
    symbol: str | None = None,
    size: float | None = None,
    duration_s: float | None = None,
    volatility: float | None = None,
    seed: int | None = None,
) -> None:
    """
    Begin a scenario now; it takes its course as the market's time moves on.

    Args:
        market: in which one.
        name: one of :data:`ticker.scenarios.SCENARIOS`.
        symbol: the symbol to which it happens; None: all of them, or the first, as the scenario says.
        size: how far the price goes, as a return; of ``microburst``, how many quotes there are.
        duration_s: how long it takes, in seconds.
        volatility: the multiplier on the volatility.
        seed: of its noise; None: the market's.

    Raises:
        CommandError: there is no such scenario or symbol, a value is out of range, or the market is a tape.
    """
    if not isinstance(market, Market):
        raise CommandError(f"scenario {name!r}: what is on a tape has happened, and knows none")
    symbols = None if symbol is None else [Scripts(market.universe).symbol(symbol)]
    try:
        scenario = scenario_named(name, size=size, duration_s=duration_s, volatility=volatility)
        market.play(scenario, symbols=symbols, seed=seed)
    except ValueError as error:
        raise CommandError(str(error)) from error
