"""Keepalive: pings silent peers, drops those that don't answer, and gives memory back after others have gone."""

import asyncio

from feeds.clock import Clock
from feeds.connections.memory import give_back, resident
from feeds.connections.peers import Peer, Verdict
from feeds.engine.pump import Pump
from feeds.fanout.group import Member
from feeds.fanout.hub import Hub
from feeds.wire.backlog import Eviction
from feeds.wire.frame import PING_FRAME

__all__ = ["Keepalive"]

_WATCH_SLICE = 200
_LONGEST_WATCH_S = 2.0
_MANY = 100
_GROWN = 16 * 1024 * 1024


class Keepalive:
    """
    Over the WebSocket connections of one feed.

    Args:
        hub: lets go of connections.
        pump: tells when no turn is under way.
        clock: gives the time.
    """

    def __init__(self, hub: Hub, pump: Pump, clock: Clock) -> None:
        self._hub, self._pump, self._clock = hub, pump, clock
        self._evicted = self._left = 0  # when memory went back
        self._resident = 0  # after that
        self.peers: dict[Member, Peer] = {}
        """When each was heard last; whoever serves a connection enters it, and takes it out."""

    async def run(self, heartbeat_s: float) -> None:
        """Ping peers that are silent, and drop those that don't answer, until cancelled."""
        while True:
            await asyncio.sleep(min(heartbeat_s / 8, _LONGEST_WATCH_S))
            self._tidy()
            members = list(self.peers)
            for start in range(0, len(members), _WATCH_SLICE):
                await asyncio.sleep(0)
                await self._pump.between_turns()
                now = self._clock.seconds()
                for member in members[start : start + _WATCH_SLICE]:
                    self._look_at(member, now, heartbeat_s)

    def _tidy(self) -> None:
        """
        Give memory back after evictions, each of a backlog, and after many have left, each of some kilobytes.

        Also when there is much more of it than the last time: answers over HTTP are of people who aren't in the hub.
        """
        stats = self._hub.stats
        evicted, left = sum(stats.evicted.values()), stats.left
        grown = resident() > self._resident + _GROWN
        if grown or evicted != self._evicted or left - self._left >= _MANY:
            self._evicted, self._left = evicted, left
            give_back()
            self._resident = resident()

    def _look_at(self, member: Member, now: float, heartbeat_s: float) -> None:
        peer, hub = self.peers.get(member), self._hub
        if peer is None or member.group is None:
            return
        verdict = peer.look(member.transport.unread(), now, heartbeat_s)
        if verdict is Verdict.PING:
            hub.control(member, PING_FRAME, now)
        elif verdict is Verdict.DEAD:
            hub.evict(member, Eviction.NO_PONG)
