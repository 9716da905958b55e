"""Waiting for one connection to read what it was sent."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from feeds.fanout.group import Member
from feeds.fanout.hub import Hub
from feeds.wire.backlog import MOST_BYTES, Backlog
from feeds.wire.transport import Line

__all__ = ["drained"]

_LOOK_S = 0.01


async def drained(member: Member, transport: Line, hub: Hub, seconds: Callable[[], float]) -> None:
    """
    Return when a connection has little unread, or is gone.

    One that makes no progress, or takes longer than the soft seconds, is evicted; what it asked for may be of any size.
    """
    if transport.closed() or transport.unread() <= hub.policy.soft_limit:
        return
    backlog = Backlog(replace(hub.policy, hard_limit=MOST_BYTES))
    while not transport.closed() and transport.unread() > hub.policy.soft_limit:
        reason = backlog.admit(transport.unread(), seconds())
        if reason is not None:
            hub.evict(member, reason)
            return
        await asyncio.sleep(_LOOK_S)
