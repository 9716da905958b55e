"""Moves the time of a plant, by its clock where that stands still, past it where it doesn't; and scripts its events."""

import asyncio
from collections.abc import Iterable

from feeds.clock import ManualClock
from feeds.dialects.raw import RawEncoder
from feeds.errors import CommandError
from feeds.notation.scripted import Item
from feeds.plant import Plant
from ticker.market import Market

__all__ = ["earliest", "market_of", "reach", "schedule", "step"]

_LOOK_S = 0.001
_SLICE_US = 10_000_000
_LONGEST_US = 3_600_000_000
_NIGHT_US = 600_000_000  # of which a turn costs no more than of a second


def earliest(plant: Plant) -> int:
    """Give the first time at which something can still happen."""
    return max(plant.market.now_us, plant.clock.now_us() or 0)


def market_of(plant: Plant, what: str) -> Market:
    """
    Give the market, if it can be told what happens.

    Raises:
        CommandError: what plays is a tape; the message names what was to be laid over it.
    """
    if not isinstance(plant.market, Market):
        raise CommandError(f"{what}: what plays is a tape, and nothing can be laid over a tape")
    return plant.market


def schedule(plant: Plant, market: Market, coming: Iterable[tuple[int, Item]]) -> None:
    """
    Schedule events, each at its time; the wire says something else of them than the books have, if that was written.

    Raises:
        CommandError: the plant has an encoder that was handed in, which knows nothing of that.
    """
    encoder = plant.feed.encoder
    for at, item in coming:
        if item.raw is not None:
            if not isinstance(encoder, RawEncoder):
                raise CommandError("raw needs the server's own encoder, and another was handed in")
            encoder.overrule(at, item.event, item.raw)
        market.schedule(at, item.event)


async def reach(plant: Plant, until: int) -> None:
    """Bring the market's time to a moment, in microseconds, and have everything before it written."""
    clock = plant.clock
    if isinstance(clock, ManualClock):
        clock.advance(max(0, until - clock.now_us()))
    elif clock.speed and (now := clock.now_us()) is not None:
        await asyncio.sleep(max(0.0, (until - now) / 1e6 / clock.speed))
    while plant.market.now_us < until:
        await plant.pump.direct(until, plant.config.turn_events if clock.drains else None)
        while clock.drains and plant.hub.slow.congested:
            if plant.hub.slow.relieved(clock.seconds()):
                break
            await asyncio.sleep(_LOOK_S)


async def step(plant: Plant, count: int) -> int:
    """
    Let so many events happen, and move a manual clock to just after them; gives how many there were.

    A night, in which the market is closed, is passed over.

    Raises:
        CommandError: there are fewer in an hour of the market's time.
    """
    clock, done, last = plant.clock, 0, plant.market.now_us + _LONGEST_US
    while done < count:
        until = plant.market.now_us + _SLICE_US
        if plant.market.rules != "open" and plant.market.snapshot(0).status == "closed":
            until = plant.market.now_us + _NIGHT_US
            last = until + _LONGEST_US
        done += await plant.pump.direct(until, count - done)
        if isinstance(clock, ManualClock):
            clock.advance(max(0, plant.market.now_us - clock.now_us()))
        if plant.market.now_us > last:
            raise CommandError(f"the market gave {done} of {count} events in an hour of its time")
    return done
