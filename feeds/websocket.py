"""WebSocket connections: aiohttp does handshakes, reads and closes; everything else is written past it."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from aiohttp import WSMessage, WSMsgType, web

from feeds.access import Access
from feeds.backlog import Eviction
from feeds.clientele import Clientele, visiting
from feeds.clock import Clock
from feeds.config import FeedConfig
from feeds.deflate import Deflation
from feeds.drain import drained
from feeds.errors import CloseCode, Code, RequestError
from feeds.farewell import Farewell
from feeds.faults.injector import Injector
from feeds.faults.link import Link
from feeds.feed import Feed
from feeds.frame import pong_frame
from feeds.gate import PINGS_S, Gate
from feeds.group import Member
from feeds.peers import Peer
from feeds.pump import Pump
from feeds.reply import Reply
from feeds.session import Session
from feeds.transport import Line, SocketTransport
from feeds.upgrade import Upgraded, spoiled, upgrade
from feeds.vigil import Vigil
from feeds.visit import NOBODY, Visit

__all__ = ["WebSockets"]

log = logging.getLogger("feeds")

_CONTROL = (WSMsgType.PING, WSMsgType.PONG)
_TALK = (WSMsgType.TEXT, WSMsgType.BINARY, *_CONTROL)


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """One connection that is talking."""

    ws: web.WebSocketResponse
    transport: Line
    member: Member
    gate: Gate
    visit: Visit
    link: Link

    def gone(self) -> bool:
        return self.ws.closed or self.transport.closed() or self.member.group is None


class WebSockets:
    """
    The WebSocket connections of one feed.

    Args:
        feed: what they are served.
        pump: tells when no turn is under way.
        clock: gives the time.
        config: the limits.
        access: tells who has shown a token.
        seconds: gives real seconds, from any origin.
        clientele: is told of them; None: nobody is.
    """

    def __init__(
        self,
        feed: Feed,
        pump: Pump,
        clock: Clock,
        config: FeedConfig,
        access: Access,
        seconds: Callable[[], float] = time.monotonic,
        clientele: Clientele | None = None,
    ) -> None:
        self._feed, self._pump, self._clock, self._config = feed, pump, clock, config
        self._access, self._seconds, self._clientele = access, seconds, clientele
        self.vigil = Vigil(feed.hub, pump, clock)
        self._deflation = Deflation()
        self.faults = Injector(feed, pump, clock, None if clientele is None else clientele.journal)
        self.open: dict[web.WebSocketResponse, Line] = {}
        self.farewell = Farewell(feed.hub.slow, clock)

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
            stats.close(ws.close_code)
            visit.closed(ws.close_code)
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
        gate = self._access.gate(request, self._config.limits, self._seconds)
        agreed = ws.headers.get("Sec-WebSocket-Extensions", "")
        envelope = self._deflation.envelope(int(ws.compress), agreed)
        evicted = _unseen if visit is NOBODY else partial(_evicted, visit)
        member = hub.join(transport, self._clock.seconds(), evicted, envelope)
        self.open[ws] = transport
        self.vigil.peers[member] = Peer(self._clock.seconds())
        self.farewell.enter(member)
        link = self.faults.opened(number, member, transport, raw, gate, visit)
        call = _Call(ws, transport, member, gate, visit, link)
        ws.host, ws.call = self, call
        try:
            await self._talk(call)
        except ConnectionError:  # it went away while aiohttp was answering a ping
            pass
        except asyncio.CancelledError:
            if not self.farewell.called(member):
                raise
        except Exception:
            log.exception("a connection failed; please report this")
            await self._hang_up(call, CloseCode.INTERNAL_ERROR, "an error inside the server")
        finally:
            hub.leave(member)
            self.faults.links.leave(link)
            del self.open[ws], self.vigil.peers[member]
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

    def let_go(self, call: _Call, code: int, reason: str) -> None:
        """Leave a connection to the close frame that comes."""
        self._feed.hub.leave(call.member)
        call.link.settle()
        call.transport.release()
        call.visit.closing("server", code, reason)

    async def _hang_up(self, call: _Call, code: CloseCode, reason: str) -> None:
        self.let_go(call, code, reason)
        await call.ws.close(code=code, message=reason.encode()[:120])

    async def _talk(self, call: _Call) -> None:
        """Greet, then answer requests, as long as both sides are there."""
        hub, seconds, member = self._feed.hub, self._clock.seconds, call.member
        peer, session = self.vigil.peers[member], Session(self._feed, member, call.gate, call.visit)
        until = asyncio.get_running_loop().time() + self._config.limits.handshake_s
        if not call.gone():
            hub.reply(member, self._feed.hello(auth=call.gate.locked), seconds())
        while True:
            waiting = self._receive(call, until) if call.gate.hurried else call.ws.receive()
            received = call.visit.received(await waiting)
            if received.type not in _TALK:
                return
            peer.heard(seconds())
            await self._pump.between_turns()
            answers = iter(self._answers(session, call.link, received))
            while not call.gone():
                reply = next(answers, None)
                if reply is None:
                    break
                if reply.message:
                    hub.reply(member, reply.message, seconds())
                else:
                    await asyncio.sleep(0)  # between two pieces, others have their turn
                if reply.close is not None:
                    await self._hang_up(call, reply.close, reply.reason)
                # Who asks and doesn't read is not answered further; the hub looks after what is unread.
                await drained(member, call.transport, hub, seconds)
                await self._pump.between_turns()

    async def _receive(self, call: _Call, until: float) -> WSMessage:
        """Wait for the next message of who hasn't shown a token; close the connection when the time for it is up."""
        try:
            async with asyncio.timeout_at(until) as limit:
                return await call.ws.receive()
        except TimeoutError:
            if not limit.expired():
                raise
        text = f"not authenticated within {self._config.limits.handshake_s:g} s"
        await self._hang_up(call, CloseCode.POLICY_VIOLATION, text)
        return WSMessage(WSMsgType.CLOSED, None, None)

    def _answers(self, session: Session, link: Link, received: WSMessage) -> Iterable[Reply]:
        now = self._clock.seconds()
        if received.type is WSMsgType.PING and link.open and not link.hits("no_pong"):
            self._feed.hub.control(link.member, pong_frame(received.data), now)
        if received.type is WSMsgType.PING:
            if session.gate.too_many_pings():
                return [
                    Reply(b"", CloseCode.POLICY_VIOLATION, f"more than {PINGS_S:g} pings a second")
                ]
            return [Reply(b"")]  # who pings and doesn't read is waited for, as who asks is
        if received.type in _CONTROL:
            return []
        if (refused := session.too_fast(received.data)) is not None:
            return [refused]
        if received.type is WSMsgType.TEXT:
            if (instead := self.faults.request(link, received.data)) is not None:
                return [instead]
            return session.handle(received.data, now)
        size = len(received.data)
        text = f"a binary message of {size} bytes; requests are JSON in text messages"
        return [session.refuse(RequestError(Code.BINARY_FRAME, text))]


def _unseen(reason: Eviction) -> None:
    log.info("evicted a slow consumer: %s", reason.value)


def _evicted(visit: Visit, reason: Eviction) -> None:
    log.info("evicted a slow consumer: %s", reason.value)
    visit.closing("server", 1006, f"evicted: {reason.value}")
