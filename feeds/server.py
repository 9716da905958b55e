"""The server: one market, its feed and its pump behind one aiohttp application."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from aiohttp import web

from feeds import rest
from feeds.access import Access
from feeds.auth import Tokens
from feeds.config import FeedConfig
from feeds.dialects.native import NativeEncoder
from feeds.door import Doors
from feeds.errors import CloseCode, ConfigError
from feeds.feed import Feed
from feeds.health import Health, describe
from feeds.hub import Hub
from feeds.listen import listen
from feeds.metrics import Metrics
from feeds.opening import opened
from feeds.origins import Origins
from feeds.pulse import Pulse
from feeds.pump import Pump
from feeds.states import MarketStates
from feeds.streams import Streams
from feeds.tls import make_tls
from feeds.websocket import WebSockets
from ticker.batch import CHANNELS
from ticker.venue import Venue

__all__ = ["FeedServer"]

log = logging.getLogger("feeds")

_MAX_LINE_BYTES = 64 * 1024  # a URL of /sse with the sequences of some hundred symbols
_KEEP_ALIVE_S = 75.0


class FeedServer:
    """
    A feed of one market, over WebSocket and HTTP, in the running event loop.

    Use it as ``async with FeedServer(config) as server:``; ``server.url`` and ``server.ws_url`` tell where.

    Args:
        config: the options.
        market: serve this one, instead of one that the options describe.
        encoder: encode its events with this.
        progress: is told how far a tape that is to be replayed was gone through, from 0 to 1.

    Raises:
        ConfigError: an option isn't allowed, or, on entering, the port is in use or the address isn't ours.
    """

    def __init__(
        self,
        config: FeedConfig,
        *,
        market: Venue | None = None,
        encoder: NativeEncoder | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self.config = config
        self.clock, self.market = opened(config, market, progress)
        encoder = encoder or NativeEncoder(self.market.universe)
        self.hub = Hub(
            len(self.market.universe),
            CHANNELS,
            encoder,
            policy=config.backlog,
            history_bytes=round(config.history_mb * 1e6),
            slow=None if self.clock.drains else config.slow,
            states=MarketStates(self.market, encoder),
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
        self.pulse = Pulse(self.pump.timing, config.slow_turn_ms / 1000)
        self.health = Health(self.pump, self.clock, config.stall_timeout)
        self.access = Access(Tokens(config.token), Origins(config.host, config.origin))
        self.websockets = WebSockets(self.feed, self.pump, self.clock, config, self.access)
        self.streams = Streams(self.feed, self.pump, self.clock, config, self.access)
        self.tls = make_tls(config.tls_cert, config.tls_key, config.tls_self_signed, config.host)
        """How it speaks TLS; None: not at all."""
        self.doors: Doors | None = None
        """The connections, once the server has started."""
        self.port = config.port
        """The port in use, once the server has started."""
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self._pumping: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._pulsing: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The server's address for HTTP."""
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"{'http' if self.tls is None else 'https'}://{host}:{self.port}"

    @property
    def ws_url(self) -> str:
        """The address of the native protocol."""
        return f"ws{self.url.removeprefix('http')}/ws"

    def application(self) -> web.Application:
        """Build the routes."""
        app = web.Application()
        self.access.install(app)
        app.router.add_get("/ws", self.websockets.handle)
        self.streams.add_routes(app)
        metrics = Metrics(
            self.feed,
            self.pump,
            self.pulse,
            self.health,
            self.clock.name,
            self._clients,
        )
        rest.add_routes(
            app,
            self.feed,
            self.pump,
            self.config,
            lambda: sum(self._clients().values()),
            self.health,
            metrics,
        )
        return app

    def _clients(self) -> dict[str, int]:
        """Count the connections by transport."""
        paths = Counter(stream.path.removeprefix("/") for stream in self.streams.open)
        return {
            "websocket": len(self.websockets.open),
            "sse": paths["sse"],
            "stream": paths["stream"],
        }

    async def start(self) -> None:
        """Listen, then turn the pump."""
        self._runner = web.AppRunner(
            self.application(),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=0.5,
            max_line_size=_MAX_LINE_BYTES,
            keepalive_timeout=_KEEP_ALIVE_S,
        )
        await self._runner.setup()
        assert self._runner.server is not None
        self.doors = Doors(self._runner.server, self.config.limits)
        context = None if self.tls is None else self.tls.context
        handshake_s = self.config.limits.handshake_s
        try:
            self._listener = await listen(
                self.doors, self.config.host, self.config.port, context, handshake_s
            )
        except ConfigError:
            await self._runner.cleanup()
            raise
        self.port = self._listener.sockets[0].getsockname()[1]
        self._pumping = asyncio.create_task(self._pump(), name="pump")
        self._pulsing = asyncio.create_task(self.pulse.run(), name="pulse")
        if self.feed.heartbeat_ms:
            watch = self.websockets.watch(self.feed.heartbeat_ms / 1000)
            self._watching = asyncio.create_task(watch, name="watch")

    async def stop(self) -> None:
        """
        Stop listening, finish the turn under way, let clients have what is pending, and close them with 1001.

        All that within the shutdown timeout: what a turn needs beyond a half of it is dropped, and clients that haven't
        read by its end are cut off. May be called twice.
        """
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="stop")
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        deadline = self._deadline()
        if self._listener is not None:
            self._listener.close()
        if self._pumping is not None and self.pump.failure is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.config.shutdown_timeout / 2):
                    await self.pump.between_turns()
            self._pumping.cancel()
        await _ended(self._pumping)
        await _ended(self._watching, cancel=True)
        say = self.websockets.farewell.say(
            CloseCode.GOING_AWAY, "the server is stopping", deadline, settle=True
        )
        await asyncio.gather(say, self.streams.close())
        await _ended(self._pulsing, cancel=True)
        if self._runner is not None:
            await self._runner.cleanup()

    async def wait(self) -> None:
        """Wait until the pump fails, which it never should; raises what it failed with, once clients are told."""
        assert self._pumping is not None
        await asyncio.shield(self._pumping)  # who no longer waits doesn't stop it

    async def _pump(self) -> None:
        try:
            await self.pump.run()
        except Exception as error:
            log.critical(
                "the feed failed: %s; please report this, with what --log-level debug shows",
                describe(error),
            )
            log.debug("where it failed:", exc_info=error)
            await self.websockets.farewell.say(
                CloseCode.INTERNAL_ERROR,
                "an error inside the server",
                self._deadline(),
                settle=False,
            )
            raise

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self.config.shutdown_timeout

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


async def _ended(task: asyncio.Task[None] | None, *, cancel: bool = False) -> None:
    """Wait for the end of a task, whatever it is."""
    if task is not None:
        if cancel:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
