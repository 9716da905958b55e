"""
The reaper: finds streams over plain HTTP that have ended, and those whose peer is gone without a word.

aiohttp doesn't tell a handler that only writes of a lost connection, so one task looks at all streams. A stream can't be
pinged: a dead peer shows in that nothing acknowledges what was sent, heartbeats at least.
"""

import asyncio
from dataclasses import dataclass, field

from feeds.clock import Clock
from feeds.connections.acks import Socket, acks
from feeds.connections.peers import Receipts
from feeds.engine.pump import Pump
from feeds.fanout.group import Member
from feeds.fanout.hub import Hub
from feeds.observation.visit import Visit
from feeds.protocol.gate import Gate
from feeds.wire.backlog import Eviction
from feeds.wire.transport import Line

__all__ = ["Reaper", "Stream"]

_LOOK_S = 0.25
_LEAST_S = 1.0  # a packet may be lost, and sent again


@dataclass(eq=False, slots=True)
class Stream:
    """One response that goes on."""

    path: str
    transport: Line
    gate: Gate
    visit: Visit
    sock: Socket | None = None
    """The connection's socket, to ask what the kernel knows."""
    member: Member | None = None
    """Its place in the hub, while it has one."""
    receipts: Receipts = field(default_factory=Receipts)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """The client has gone, or the server stops."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Nothing is left of it."""


class Reaper:
    """
    Over the streams of one feed.

    Args:
        hub: lets go of connections.
        pump: tells when no turn is under way.
        clock: gives the time.
        heartbeat_s: for how long a peer may leave unacknowledged what it was sent, but a second at least; 0: for as long as
            the kernel lets it.
    """

    def __init__(self, hub: Hub, pump: Pump, clock: Clock, heartbeat_s: float) -> None:
        self._hub, self._pump, self._clock = hub, pump, clock
        self._patience_s = max(heartbeat_s, _LEAST_S) if heartbeat_s else 0.0
        self.streams: set[Stream] = set()
        """Those that are open; whoever serves one enters it, and takes it out."""
        self._task: asyncio.Task[None] | None = None

    def enter(self, stream: Stream) -> None:
        """Take in a stream."""
        self.streams.add(stream)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._keep(), name="streams")

    def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    async def _keep(self) -> None:
        while self.streams:
            await self._pump.between_turns()
            now = self._clock.seconds()
            for stream in list(self.streams):
                self._look_at(stream, now)
            await asyncio.sleep(_LOOK_S)

    def _look_at(self, stream: Stream, now: float) -> None:
        if stream.transport.closed():
            stream.over.set()
        elif self._patience_s and stream.member is not None and self._is_gone(stream, now):
            self._hub.evict(stream.member, Eviction.NO_ACK)

    def _is_gone(self, stream: Stream, now: float) -> bool:
        """Tell whether the peer's machine is gone; of one that has something unread, the rules of the backlog tell."""
        known = None if stream.transport.unread() else acks(stream.sock)
        if known is None:
            stream.receipts.forget()
            return False
        owing_s = stream.receipts.missing(known.outstanding, now - known.heard_s, now)
        return owing_s >= self._patience_s
