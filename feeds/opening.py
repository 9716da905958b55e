"""Makes the clock and the venue that the options describe."""

from collections.abc import Callable

from feeds.clock import Clock, parse_clock
from feeds.config import FeedConfig
from ticker.venue import Venue

__all__ = ["opened"]


def opened(
    config: FeedConfig,
    market: Venue | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[Clock, Venue]:
    """
    Make the clock and what is served by it.

    A tape keeps its own times, but with the clock ``wall``: there it begins now.

    Args:
        config: the options.
        market: serve this one, instead of one that the options describe.
        progress: is told how far a tape was gone through, from 0 to 1.

    Raises:
        ConfigError: an option isn't allowed.
    """
    start_us, turn_s = config.start_us, config.turn_ms / 1000
    if market is not None or config.replay is None:
        clock = parse_clock(config.clock, start_us, turn_s)
        return clock, market or config.market(clock.start_us)
    parse_clock(config.clock, start_us, turn_s)  # a wrong name is told before a long file is read
    prepared = config.replay.prepare(progress)
    if start_us is None and config.clock != "wall":
        start_us = prepared.survey.start_us
    clock = parse_clock(config.clock, start_us, turn_s)
    return clock, prepared.replay(clock.start_us, config.seed)
