"""The server: aiohttp does handshakes, reads, pongs and closes; events go from the hub straight to the transports."""

import asyncio
import errno
import logging
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from aiohttp import WSMessage, WSMsgType, web

from feeds import rest
from feeds.backlog import Backlog, Eviction
from feeds.clock import Clock, parse_clock
from feeds.config import FeedConfig
from feeds.dialects.native import NativeEncoder
from feeds.envelope import ArrayInWebSocket
from feeds.errors import CloseCode, Code, ConfigError, RequestError
from feeds.feed import Feed
from feeds.frame import pong_frame, text_frame
from feeds.group import Member
from feeds.hub import Hub
from feeds.pump import Pump
from feeds.session import Reply, Session
from feeds.transport import SocketTransport
from ticker.batch import CHANNELS
from ticker.market import Market

__all__ = ["FeedServer"]

log = logging.getLogger("feeds")

_TALK = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG)
_UNREADABLE_BYTES = 4 * 1024 * 1024
_CLOSE_WAIT_S = 2.0
_DRAIN_LOOK_S = 0.01
_LISTEN_BACKLOG = 4096


class FeedServer:
    """
    A feed of one market, over WebSocket and HTTP, in the running event loop.

    Use it as ``async with FeedServer(config) as server:``; ``server.url`` and ``server.ws_url`` tell where.

    Args:
        config: the options.
        market: serve this one, instead of one that the options describe.
        encoder: encode its events with this.

    Raises:
        ConfigError: an option isn't allowed, or, on entering, the port is in use or the address isn't ours.
    """

    def __init__(
        self,
        config: FeedConfig,
        *,
        market: Market | None = None,
        encoder: NativeEncoder | None = None,
    ) -> None:
        self.config = config
        self.clock: Clock = parse_clock(config.clock, config.start_us, config.turn_ms / 1000)
        self.market = market or _market(config, self.clock.start_us)
        encoder = encoder or NativeEncoder(self.market.universe)
        self.hub = Hub(
            len(self.market.universe),
            CHANNELS,
            encoder,
            ArrayInWebSocket(),
            policy=config.backlog,
            history_bytes=round(config.history_mb * 1e6),
            conflate=not self.clock.drains,
        )
        # Where time stands still, silence means nothing: no heartbeat is promised.
        heartbeat_s = 0.0 if config.clock == "manual" else config.heartbeat_s
        self.feed = Feed(
            self.market, encoder, self.hub, self.market.epoch, round(heartbeat_s * 1000)
        )
        self.pump = Pump(
            self.market,
            self.hub,
            self.clock,
            turn_events=config.turn_events,
            heartbeat_s=heartbeat_s,
        )
        self.connections: dict[web.WebSocketResponse, SocketTransport] = {}
        self.port = config.port
        """The port in use, once the server has started."""
        self._runner: web.AppRunner | None = None
        self._pumping: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The server's address for HTTP."""
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"http://{host}:{self.port}"

    @property
    def ws_url(self) -> str:
        """The address of the native protocol."""
        return f"ws{self.url.removeprefix('http')}/ws"

    def application(self) -> web.Application:
        """Build the routes."""
        app = web.Application()
        app.router.add_get("/ws", self._websocket)
        rest.add_routes(app, self.feed, self.pump, self.config, lambda: len(self.connections))
        return app

    async def start(self) -> None:
        """Listen, then turn the pump."""
        self._runner = web.AppRunner(
            self.application(), access_log=None, handle_signals=False, shutdown_timeout=0.5
        )
        await self._runner.setup()
        site = web.TCPSite(
            self._runner, self.config.host, self.config.port, backlog=_LISTEN_BACKLOG
        )
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            why = {
                errno.EADDRINUSE: "the port is in use; choose another with --port, or 0 for any free one",
                errno.EACCES: "ports below 1024 need privileges",
            }.get(error.errno or 0, error.strerror or str(error))
            raise ConfigError(
                f"can't listen on {self.config.host} port {self.config.port}: {why}"
            ) from error
        self.port = self._runner.addresses[0][1]
        self._pumping = asyncio.create_task(self.pump.run(), name="pump")

    async def stop(self) -> None:
        """Stop turning, close every connection with 1001 within a bounded time, stop listening."""
        if self._pumping is not None:
            self._pumping.cancel()
            await asyncio.gather(self._pumping, return_exceptions=True)
        await asyncio.gather(*(_say_goodbye(*pair) for pair in self.connections.items()))
        if self._runner is not None:
            await self._runner.cleanup()

    async def wait(self) -> None:
        """Wait until the pump fails, which it never should; raises what it failed with."""
        assert self._pumping is not None
        await self._pumping

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        # compress=False: a frame must be the same bytes for all. autoclose=False: the hub must let go of the
        # connection before the answer to a close frame goes out. autoping=False: a pong has to keep its place behind
        # what is unread, of which the hub knows. decode_text=False: bytes go to the parser as they are.
        ws = web.WebSocketResponse(
            compress=False,
            autoclose=False,
            autoping=False,
            timeout=_CLOSE_WAIT_S,
            max_msg_size=_UNREADABLE_BYTES,
            decode_text=False,
        )
        if not ws.can_prepare(request).ok:
            raise web.HTTPUpgradeRequired(
                text='{"type":"error","code":"upgrade_required","message":"this path speaks WebSocket;'
                ' /api/snapshot and /api/bars answer plain HTTP"}',
                content_type="application/json",
                headers={"Upgrade": "websocket", "Connection": "Upgrade"},
            )
        await ws.prepare(request)
        if request.transport is None:
            return ws
        await self._converse(ws, SocketTransport(request.transport))
        return ws

    async def _converse(self, ws: web.WebSocketResponse, transport: SocketTransport) -> None:
        hub, seconds = self.hub, self.clock.seconds

        def evicted(reason: Eviction) -> None:
            log.info("evicted a slow consumer: %s", reason.value)

        member = hub.join(transport, seconds(), evicted)
        session = Session(self.feed, member)
        self.connections[ws] = transport
        try:
            if not transport.closed():
                hub.reply(member, text_frame(self.feed.hello()), seconds())
            while (received := await ws.receive()).type in _TALK:
                await self.pump.between_turns()
                if received.type in (WSMsgType.PING, WSMsgType.PONG):
                    if received.type is WSMsgType.PING and not self._gone(ws, transport, member):
                        hub.reply(member, pong_frame(received.data), seconds())
                    continue
                answers = iter(_answers(session, received, seconds()))
                while not self._gone(ws, transport, member):
                    reply = next(answers, None)
                    if reply is None:
                        break
                    hub.reply(member, text_frame(reply.message), seconds())
                    if reply.close is not None:
                        hub.leave(member)
                        await ws.close(code=reply.close, message=reply.reason.encode()[:120])
                    # Who asks and doesn't read is not answered further; the hub looks after what is unread.
                    await self._drained(transport)
                    await self.pump.between_turns()
        except ConnectionError:  # it went away while aiohttp was answering a ping
            pass
        except Exception:
            log.exception("a connection failed; please report this")
            hub.leave(member)
            await ws.close(code=CloseCode.INTERNAL_ERROR, message=b"an error inside the server")
        finally:
            hub.leave(member)
            del self.connections[ws]
            transport.release()
        await ws.close()

    @staticmethod
    def _gone(ws: web.WebSocketResponse, transport: SocketTransport, member: Member) -> bool:
        return ws.closed or transport.closed() or member.group is None

    async def _drained(self, transport: SocketTransport) -> None:
        """Return when a connection has little unread, or is gone."""
        backlog = Backlog(self.config.backlog)
        while not transport.closed() and transport.unread() > self.config.backlog.soft_limit:
            if backlog.admit(transport.unread(), self.clock.seconds()) is Eviction.NO_PROGRESS:
                self.hub.stats.evicted[Eviction.NO_PROGRESS] += 1
                transport.abort()
                return
            await asyncio.sleep(_DRAIN_LOOK_S)


async def _say_goodbye(ws: web.WebSocketResponse, transport: SocketTransport) -> None:
    try:
        async with asyncio.timeout(_CLOSE_WAIT_S):
            await ws.close(code=CloseCode.GOING_AWAY, message=b"the server is stopping")
    except TimeoutError:
        transport.abort()


def _market(config: FeedConfig, start_us: int) -> Market:
    universe = config.universe()
    try:
        return Market(universe, seed=config.seed, rate=config.rate, start_us=start_us)
    except ValueError as error:  # what only the market can know: too much for one symbol count
        raise ConfigError(str(error)) from error


def _answers(session: Session, received: WSMessage, now: float) -> Iterable[Reply]:
    if received.type is WSMsgType.TEXT:
        return session.handle(received.data, now)
    text = f"a binary message of {len(received.data)} bytes; requests are JSON in text messages"
    return [session.refuse(RequestError(Code.BINARY_FRAME, text))]
