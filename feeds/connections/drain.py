"""Waiting for one connection to read what it was sent."""

import asyncio
from collections.abc import Callable

from feeds.fanout.group import Member
from feeds.fanout.hub import Hub
from feeds.wire.backlog import Backlog, Eviction
from feeds.wire.transport import Line

__all__ = ["drained"]

_LOOK_S = 0.01


async def drained(member: Member, transport: Line, hub: Hub, seconds: Callable[[], float]) -> None:
    """Return when a connection has little unread, or is gone. One that makes no progress is evicted."""
    backlog = Backlog(hub.policy)
    while not transport.closed() and transport.unread() > hub.policy.soft_limit:
        if backlog.admit(transport.unread(), seconds()) is Eviction.NO_PROGRESS:
            hub.evict(member, Eviction.NO_PROGRESS)
            return
        await asyncio.sleep(_LOOK_S)
