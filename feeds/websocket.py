"""WebSocket connections: aiohttp does handshakes, reads and closes; everything else is written past it."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from aiohttp import WSMessage, WSMsgType, web

from feeds.access import Access
from feeds.backlog import Eviction
from feeds.clock import Clock
from feeds.config import FeedConfig
from feeds.deflate import Budget, DeflatedInWebSocket
from feeds.drain import drained
from feeds.envelope import WEBSOCKET, Envelope
from feeds.errors import CloseCode, Code, RequestError
from feeds.farewell import Farewell
from feeds.feed import Feed
from feeds.frame import PING_FRAME, pong_frame
from feeds.gate import Gate
from feeds.group import Member
from feeds.memory import give_back
from feeds.peers import Peer, Verdict
from feeds.pump import Pump
from feeds.reply import Reply
from feeds.session import Session
from feeds.transport import SocketTransport

__all__ = ["WebSockets"]

log = logging.getLogger("feeds")

_CONTROL = (WSMsgType.PING, WSMsgType.PONG)
_TALK = (WSMsgType.TEXT, WSMsgType.BINARY, *_CONTROL)
_UNREADABLE_BYTES = 4 * 1024 * 1024
_CLOSE_WAIT_S = 2.0  # at least, for the answer to a close frame
_WATCH_SLICE = 200
_LONGEST_WATCH_S = 2.0


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
    """

    def __init__(
        self,
        feed: Feed,
        pump: Pump,
        clock: Clock,
        config: FeedConfig,
        access: Access,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._feed, self._pump, self._clock, self._config = feed, pump, clock, config
        self._access, self._seconds = access, seconds
        self._peers: dict[Member, Peer] = {}
        self._budget = Budget()
        self._deflated: dict[int, Envelope] = {}
        self.open: dict[web.WebSocketResponse, SocketTransport] = {}
        self.farewell = Farewell(feed.hub.slow, clock)

    async def watch(self, heartbeat_s: float) -> None:
        """Ping who is silent, and let go of who doesn't answer, until cancelled."""
        cut_off = 0
        while True:
            await asyncio.sleep(min(heartbeat_s / 8, _LONGEST_WATCH_S))
            cut_off, before = sum(self._feed.hub.stats.evicted.values()), cut_off
            if cut_off != before:
                give_back()
            members = list(self._peers)
            for start in range(0, len(members), _WATCH_SLICE):
                await asyncio.sleep(0)
                await self._pump.between_turns()
                now = self._clock.seconds()
                for member in members[start : start + _WATCH_SLICE]:
                    self._look_at(member, now, heartbeat_s)

    def _look_at(self, member: Member, now: float, heartbeat_s: float) -> None:
        peer, hub = self._peers.get(member), self._feed.hub
        if peer is None or member.group is None:
            return
        verdict = peer.look(member.transport.unread(), now, heartbeat_s)
        if verdict is Verdict.PING:
            hub.control(member, PING_FRAME, now)
        elif verdict is Verdict.DEAD:
            hub.evict(member, Eviction.NO_PONG)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        # compress: aiohttp's own compressor is never used, it only negotiates. autoclose=False: the hub must let go of the
        # connection before the answer to a close frame goes out. autoping=False: a pong has to keep its place behind
        # what is unread, of which the hub knows. decode_text=False: bytes go to the parser as they are.
        ws = web.WebSocketResponse(
            compress=self._config.compress,
            autoclose=False,
            autoping=False,
            timeout=max(_CLOSE_WAIT_S, self._config.shutdown_timeout),
            max_msg_size=_UNREADABLE_BYTES,
            decode_text=False,
        )
        stats, farewell = self._feed.stats, self.farewell
        if farewell.goodbye is not None:
            stats.refused["stopping"] += 1
            raise web.HTTPServiceUnavailable(
                text='{"type":"error","code":"stopping","message":"the server is stopping"}',
                content_type="application/json",
            )
        if not ws.can_prepare(request).ok:
            stats.refused["upgrade_required"] += 1
            raise web.HTTPUpgradeRequired(
                text='{"type":"error","code":"upgrade_required","message":"this path speaks WebSocket; over plain HTTP,'
                " /sse streams Server-Sent Events, /stream JSON lines, and /api/snapshot, /api/bars, /api/history"
                ' and /api/symbols answer at once"}',
                content_type="application/json",
                headers={"Upgrade": "websocket", "Connection": "Upgrade"},
            )
        await ws.prepare(request)
        stats.accepted["websocket"] += 1
        try:
            if farewell.goodbye is not None:
                await farewell.goodbye.to(ws)
            elif request.transport is not None:
                gate = self._access.gate(request, self._config.limits, self._seconds)
                transport = self._transport(request.transport)
                await self._converse(ws, transport, self._envelope(ws), gate)
        finally:
            stats.close(ws.close_code)
        return ws

    def _transport(self, transport: asyncio.Transport) -> SocketTransport:
        return SocketTransport(transport, self._config.backlog.no_progress_s)

    def _envelope(self, ws: web.WebSocketResponse) -> Envelope:
        """Give what was agreed on; who wants every message compressed by itself gets them plain, which is allowed too."""
        agreed = ws.headers.get("Sec-WebSocket-Extensions", "")
        if not ws.compress or "server_no_context_takeover" in agreed:
            return WEBSOCKET
        wbits = int(ws.compress)
        if wbits not in self._deflated:
            self._deflated[wbits] = DeflatedInWebSocket(wbits, self._budget)
        return self._deflated[wbits]

    async def _converse(
        self,
        ws: web.WebSocketResponse,
        transport: SocketTransport,
        envelope: Envelope,
        gate: Gate,
    ) -> None:
        hub = self._feed.hub
        member = hub.join(transport, self._clock.seconds(), _evicted, envelope)
        self.open[ws] = transport
        self._peers[member] = Peer(self._clock.seconds())
        self.farewell.enter(member)
        try:
            await self._talk(ws, transport, member, gate)
        except ConnectionError:  # it went away while aiohttp was answering a ping
            pass
        except asyncio.CancelledError:
            if not self.farewell.called(member):
                raise
        except Exception:
            log.exception("a connection failed; please report this")
            hub.leave(member)
            transport.release()
            await ws.close(code=CloseCode.INTERNAL_ERROR, message=b"an error inside the server")
        finally:
            hub.leave(member)
            del self.open[ws], self._peers[member]
            self.farewell.leave(member)
            transport.release()
        goodbye = self.farewell.goodbye
        await (ws.close() if goodbye is None else goodbye.to(ws))

    async def _talk(
        self, ws: web.WebSocketResponse, transport: SocketTransport, member: Member, gate: Gate
    ) -> None:
        """Greet, then answer requests, as long as both sides are there."""
        hub, seconds, peer = self._feed.hub, self._clock.seconds, self._peers[member]
        session = Session(self._feed, member, gate)
        until = asyncio.get_running_loop().time() + self._config.limits.handshake_s
        if not transport.closed():
            hub.reply(member, self._feed.hello(auth=gate.locked), seconds())
        while True:
            received = await (self._receive(ws, member, until) if gate.locked else ws.receive())
            if received.type not in _TALK:
                return
            peer.heard(seconds())
            await self._pump.between_turns()
            answers = iter(self._answers(session, member, received))
            while not self._gone(ws, transport, member):
                reply = next(answers, None)
                if reply is None:
                    break
                hub.reply(member, reply.message, seconds())
                if reply.close is not None:
                    hub.leave(member)
                    transport.release()
                    await ws.close(code=reply.close, message=reply.reason.encode()[:120])
                # Who asks and doesn't read is not answered further; the hub looks after what is unread.
                await drained(member, transport, hub, seconds)
                await self._pump.between_turns()

    async def _receive(self, ws: web.WebSocketResponse, member: Member, until: float) -> WSMessage:
        """Wait for the next message of who hasn't shown a token; close the connection when the time for it is up."""
        try:
            async with asyncio.timeout_at(until) as limit:
                return await ws.receive()
        except TimeoutError:
            if not limit.expired():
                raise
        self._feed.hub.leave(member)
        self.open[ws].release()
        text = f"not authenticated within {self._config.limits.handshake_s:g} s"
        await ws.close(code=CloseCode.POLICY_VIOLATION, message=text.encode())
        return WSMessage(WSMsgType.CLOSED, None, None)

    def _answers(self, session: Session, member: Member, received: WSMessage) -> Iterable[Reply]:
        now = self._clock.seconds()
        if received.type is WSMsgType.PING and member.group is not None:
            self._feed.hub.control(member, pong_frame(received.data), now)
        if received.type in _CONTROL:
            return []
        if (refused := session.too_fast(received.data)) is not None:
            return [refused]
        if received.type is WSMsgType.TEXT:
            return session.handle(received.data, now)
        size = len(received.data)
        text = f"a binary message of {size} bytes; requests are JSON in text messages"
        return [session.refuse(RequestError(Code.BINARY_FRAME, text))]

    @staticmethod
    def _gone(ws: web.WebSocketResponse, transport: SocketTransport, member: Member) -> bool:
        return ws.closed or transport.closed() or member.group is None


def _evicted(reason: Eviction) -> None:
    log.info("evicted a slow consumer: %s", reason.value)
