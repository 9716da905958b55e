"""Our client for tests: it waits without taking the time, and its events are taken up to one."""

import asyncio
from collections.abc import Callable
from typing import Any

from fake_feed import (
    FakeFeed,
)

from clients.client import TickerClient
from clients.core.backoff import Backoff
from clients.events import (
    Event,
    Trade,
)

__all__ = ["Waits", "client", "last_trade", "take"]


class Waits(list[float]):
    """A sleep that takes no time and remembers how long it should have taken."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)


def client(feed: FakeFeed, **options: Any) -> TickerClient:
    """A client that waits 1, 2, 4, … seconds between attempts, without taking the time."""
    options = {"backoff": Backoff(base=1, random=lambda: 1.0), "sleep": Waits()} | options
    return TickerClient(feed.url, **options)


async def take(source: TickerClient, until: Callable[[Event], bool]) -> list[Event]:
    """Read events up to and including the first for which *until* is true."""
    events: list[Event] = []
    async for event in source:
        events.append(event)
        if until(event):
            break
    return events


def last_trade(seq: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Trade) and event.seq == seq
