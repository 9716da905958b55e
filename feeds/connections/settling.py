"""What connections have yet to get when no turn comes any more, and before they are closed."""

import asyncio

from feeds.clock import Clock
from feeds.fanout.group import Member
from feeds.fanout.hub import Hub

__all__ = ["Settling"]

_LOOK_S = 0.01


class Settling:
    """
    Does, with no pump any more, what it does for connections that something waits for.

    Args:
        hub: writes to them.
        clock: gives the time.
    """

    def __init__(self, hub: Hub, clock: Clock) -> None:
        self._hub, self._clock = hub, clock
        self._tended = -_LOOK_S

    async def of(self, member: Member) -> None:
        """Return when a connection has taken all there is for it: what is unread, what it missed, what waits for its windows."""
        while self._lacks(member):  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(_LOOK_S)

    def _lacks(self, member: Member) -> bool:
        if member.group is None:
            return False
        now = asyncio.get_running_loop().time()
        if member.laggard is not None and now - self._tended >= _LOOK_S:
            self._tended = now
            self._hub.slow.tend(self._clock.seconds())
        if member.laggard is not None or member.transport.unread():
            return True
        return self._hub.hurry(member, self._clock.seconds())
