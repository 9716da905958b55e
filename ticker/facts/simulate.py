"""Runs a market for the judge."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ticker.facts.panel import Panel
from ticker.facts.ticks import Ticks
from ticker.generator.source import Source
from ticker.market import DEFAULT_START_US
from ticker.model import FULL, Model, model_named
from ticker.trading_day.shape import DAY_S, DayShape
from ticker.universe import Universe

__all__ = ["RATE", "TRADE_SHARE", "simulate"]

RATE = 4.0
"""Events a second and symbol: a trade a second, as of a liquid US stock."""

TRADE_SHARE = 0.25
"""The fraction of them that are trades."""

_BLOCK_EVENTS = 50_000


def simulate(
    universe: Universe,
    *,
    seed: int,
    sessions: int,
    model: Model | str = FULL,
    rate: float = RATE,
    session_s: int = DAY_S,
    progress: Callable[[int, int], None] | None = None,
) -> Panel:
    """
    Run a market for some sessions and collect the evidence.

    Args:
        universe: what is traded.
        seed: the market's seed.
        sessions: how many.
        model: the market's model.
        rate: events a second and symbol.
        session_s: the length of a session in seconds, whole minutes.
        progress: called with the seconds done and the seconds in all.

    Memory: that of one session's seconds, about 60 bytes a symbol and second, and of a block of events.
    """
    source = Source(
        universe,
        seed=seed,
        rate=rate,
        trade_share=TRADE_SHARE,
        start_us=DEFAULT_START_US,
        model=_from_the_opening(model_named(model) if isinstance(model, str) else model),
        block_events=_BLOCK_EVENTS,
        longest_s=60,
    )
    panel = Panel([i.sector for i in universe], session_s)
    total, begun = sessions * session_s, 0
    for stretch in _stretches(source, sessions, session_s * 1_000_000):
        if stretch is None:
            panel.close_session()
            begun += session_s
            continue
        panel.add(stretch)
        if progress:
            last = int(stretch.time.max()) // 1_000_000 if len(stretch) else 0
            progress(begun + last, total)
    if progress:
        progress(total, total)
    return panel


def _from_the_opening(model: Model) -> Model:
    """Let the first session begin where a day does."""
    if not isinstance(model.shape, DayShape):
        return model
    return replace(model, shape=replace(model.shape, first_minute=0))


def _stretches(source: Source, sessions: int, length_us: int) -> Iterator[Ticks | None]:
    """Cut blocks, which can be of two sessions, at the ends of sessions; after each session comes None."""
    start = DEFAULT_START_US
    batch, until = source.block()
    for _ in range(sessions):
        end = start + length_us
        while True:
            cut = int(np.searchsorted(batch.time, end))
            yield Ticks.of(batch[:cut], start)
            batch = batch[cut:]
            if until >= end:
                break
            batch, until = source.block()
        yield None
        start = end
