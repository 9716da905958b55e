"""WebSocket connections: aiohttp does handshakes, reads and closes; everything else is written past it, by the hub."""

import asyncio
import logging
import time
from collections.abc import Callable

from aiohttp import web

from feeds.connections.conversation import Call, Conversations
from feeds.connections.farewell import Farewell
from feeds.connections.keepalive import Keepalive
from feeds.connections.peers import Peer
from feeds.connections.service import Service
from feeds.connections.settling import Settling
from feeds.connections.upgrade import Upgraded, spoiled, upgrade
from feeds.errors import CloseCode
from feeds.faults.injector import Injector
from feeds.http.unreadable import GuardedProtocol
from feeds.observation.clientele import visiting
from feeds.observation.visit import Visit, eviction
from feeds.wire.deflate import Deflation
from feeds.wire.transport import Line, SocketTransport

__all__ = ["WebSockets"]

log = logging.getLogger("feeds")


class WebSockets:
    """
    The WebSocket connections of one feed.

    Args:
        service: what serves them.
        seconds: gives real seconds, from any origin.
    """

    def __init__(self, service: Service, seconds: Callable[[], float] = time.monotonic) -> None:
        feed, pump, clock, clientele = service.feed, service.pump, service.clock, service.clientele
        self._feed, self._clock, self._config = feed, clock, service.config
        self._access, self._seconds, self._clientele = service.access, seconds, clientele
        self.keepalive = Keepalive(feed.hub, pump, clock)
        self._deflation = Deflation()
        self.faults = Injector(feed, pump, clock, None if clientele is None else clientele.journal)
        self.open: dict[web.WebSocketResponse, Line] = {}
        self.farewell = Farewell(Settling(feed.hub, clock))
        self._conversations = Conversations(service, self.faults, self.let_go)

    @staticmethod
    async def handle(
        find: "Callable[[web.Request], WebSockets | web.Response]", request: web.Request
    ) -> web.StreamResponse:
        """Serve one connection of those that are found for it; found here, as each frame around costs 300 bytes of it."""
        self = find(request)
        if isinstance(self, web.Response):
            return self
        stats, farewell = self._feed.stats, self.farewell
        ws = upgrade(request, self._config, stats, stopping=farewell.goodbye is not None)
        number = self.faults.attempt()
        if (instead := await spoiled(self.faults, number, request, stats)) is not None:
            return instead
        try:
            await ws.prepare(request)
        except ConnectionError:  # it went away before it was answered: nobody reads this
            return web.Response(status=400)
        stats.accepted["websocket"] += 1
        visit = visiting(self._clientele, request)
        try:
            if farewell.goodbye is not None:
                await self._part(ws, visit)
            elif request.transport is not None:
                await self._converse(ws, request, request.transport, number, visit)
        finally:
            stats.close(ws.last_code)
            visit.closed(ws.last_code)
        return ws

    def _transport(self, transport: asyncio.Transport) -> Line:
        return SocketTransport(transport, self._config.backlog.no_progress_s)

    async def _converse(
        self,
        ws: Upgraded,
        request: web.Request,
        raw: asyncio.Transport,
        number: int,
        visit: Visit,
    ) -> None:
        hub, transport = self._feed.hub, visit.watch(self._transport(raw))
        protocol = request.protocol
        assert isinstance(protocol, GuardedProtocol)
        gate = self._access.gate(request, self._config.limits, self._seconds)
        agreed = ws.headers.get("Sec-WebSocket-Extensions", "")
        envelope = self._deflation.envelope(int(ws.compress), agreed)
        member = hub.join(transport, self._clock.seconds(), eviction(visit), envelope)
        self.open[ws] = transport
        self.keepalive.peers[member] = Peer(self._clock.seconds())
        self.farewell.enter(member)
        link = self.faults.opened(number, member, transport, raw, gate, visit)
        link.inbound = protocol.inbound
        call = Call(ws, protocol.inbound, transport, member, gate, visit, link)
        ws.host, ws.call = self, call
        try:
            await self._conversations.talk(call, self.keepalive.peers[member])
        except ConnectionError:  # it went away while aiohttp was answering a ping
            pass
        except asyncio.CancelledError:
            if not self.farewell.called(member):
                raise
        except Exception:
            log.exception("a connection failed; please report this")
            await self._conversations.hang_up(
                call, CloseCode.INTERNAL_ERROR, "an error inside the server"
            )
        finally:
            hub.leave(member)
            gate.hold(0)
            self.faults.links.leave(link)
            del self.open[ws], self.keepalive.peers[member]
            self.farewell.leave(member)
            transport.release()
        if link.over:
            link.end()
        else:
            await self._part(ws, visit)

    async def _part(self, ws: web.WebSocketResponse, visit: Visit) -> None:
        if (goodbye := self.farewell.goodbye) is None:
            await ws.close()
        else:
            visit.closing("server", goodbye.code, goodbye.reason.decode())
            await goodbye.to(ws)

    def let_go(self, call: Call, code: int, reason: str) -> None:
        """Leave a connection to the close frame that comes."""
        self._feed.hub.leave(call.member)
        call.link.settle()
        call.transport.release()
        call.visit.closing("server", code, reason)
