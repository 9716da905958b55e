"""A plant: one market and everything that brings it to clients. A server has one, or several that know nothing of each other."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from feeds.clock import Clock
from feeds.config import FeedConfig
from feeds.connections.service import Service
from feeds.connections.streams import Streams
from feeds.connections.websocket import WebSockets
from feeds.counters.pulse import Pulse
from feeds.dialects.native import NativeEncoder
from feeds.dialects.raw import RawEncoder
from feeds.engine.desk import Desk
from feeds.engine.feed import Feed
from feeds.engine.pump import Pump
from feeds.errors import CloseCode
from feeds.fanout.depth import Depth
from feeds.fanout.hub import Hub
from feeds.fanout.snapshots import MarketSnapshots
from feeds.http.access import Access
from feeds.http.health import Health, describe
from feeds.http.metrics import Metrics
from feeds.http.rest import Api
from feeds.observation.clientele import Clientele
from feeds.observation.journal import Journal
from feeds.opening import opened
from ticker.batch import CHANNELS
from ticker.venue import Venue

__all__ = ["Plant"]

log = logging.getLogger("feeds")


class Plant:
    """
    One market, its clock, hub, feed, pump and connections. It does nothing until :meth:`start`.

    Args:
        config: the options.
        access: who may read.
        session: the key of the plant within its server.
        market: serve this one, instead of one that the options describe.
        encoder: encode its events with this.
        progress: is told how far a tape was gone through, from 0 to 1.

    Raises:
        ConfigError: an option isn't allowed.
    """

    def __init__(
        self,
        config: FeedConfig,
        access: Access,
        *,
        session: str = "",
        market: Venue | None = None,
        encoder: NativeEncoder | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self.config, self.session = config, session
        self.clock: Clock
        self.market: Venue
        self.clock, self.market = opened(config, market, progress)
        encoder = encoder or RawEncoder(self.market.universe)
        self.hub = _hub(config, self.clock, self.market, encoder)
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
        # That the event loop is late is told once, not by each plant.
        slow_s = 0.0 if session else config.slow_turn_ms / 1000
        self.pulse = Pulse(self.pump.timing, slow_s, lambda: self.pump.behind_s)
        self.health = Health(self.pump, self.clock, config.stall_timeout)
        self.clientele = _clientele(config, self.market)
        """What clients do, where that is to be known."""
        desk = Desk(self.pump)
        service = Service(self.feed, self.pump, desk, self.clock, config, access, self.clientele)
        self.websockets = WebSockets(service)
        self.streams = Streams(service)
        self.faults = self.websockets.faults
        """What can go wrong on command."""
        self.faults.restarted = self.streams.end
        self.directing = asyncio.Lock()
        """Held while somebody moves the market's time."""
        self.clients = partial(_clients, self.websockets, self.streams)
        """Counts the connections by transport."""
        self.api = Api(self.feed, self.pump, desk, config, self.clients, self.health)
        watched = self.feed, self.pump, self.pulse, self.health
        self.metrics = Metrics(*watched, self.clock.name, self.clients, access.stats)
        self._tasks: list[asyncio.Task[None]] = []
        self._pumping: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Plant {self.session!r}, {self.market.universe!r}, {self.clients()}>"

    def start(self, failed: Callable[[Exception], object]) -> None:
        """
        Turn the pump, in the running event loop.

        Args:
            failed: called with what the pump failed with, which it never should, once clients are told.
        """
        self._pumping = asyncio.create_task(self._pump(failed), name="pump")
        self._tasks.append(asyncio.create_task(self.pulse.run(), name="pulse"))
        if self.feed.heartbeat_ms:
            watch = self.websockets.keepalive.run(self.feed.heartbeat_ms / 1000)
            self._tasks.append(asyncio.create_task(watch, name="watch"))

    async def stop(self, code: CloseCode, reason: str, *, settle: bool) -> None:
        """
        Finish the turn under way, let clients have what is pending, and close them.

        All that within the shutdown timeout: what a turn needs beyond a half of it is dropped, and clients that haven't
        read by its end are cut off.

        Args:
            code: the close code.
            reason: goes with it.
            settle: first let clients have what is pending.
        """
        deadline = self._deadline()
        self.faults.clear()
        if self._pumping is not None and self.pump.failure is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.config.shutdown_timeout / 2):
                    await self.pump.between_turns()
                    self.pump.settle()
            self._pumping.cancel()
            await asyncio.gather(self._pumping, return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.clientele is not None:
            self.clientele.end(reason)
        say = self.websockets.farewell.say(code, reason, deadline, settle=settle)
        await asyncio.gather(say, self.streams.close(deadline, settle=settle))

    async def _pump(self, failed: Callable[[Exception], object]) -> None:
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
            failed(error)

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self.config.shutdown_timeout


def _hub(config: FeedConfig, clock: Clock, market: Venue, encoder: NativeEncoder) -> Hub:
    depth = Depth(market)
    return Hub(
        len(market.universe),
        CHANNELS,
        encoder,
        policy=config.backlog,
        history_bytes=round(config.history_mb * 1e6),
        slow=None if clock.drains else config.slow,
        snapshots=MarketSnapshots(market, encoder, depth),
        depth=depth,
    )


def _clientele(config: FeedConfig, market: Venue) -> Clientele | None:
    if not config.journal:
        return None
    return Clientele(market.universe.symbols, Journal(config.journal, lambda: market.now_us))


def _clients(websockets: WebSockets, streams: Streams) -> dict[str, int]:
    paths = Counter(stream.path.removeprefix("/") for stream in streams.open)
    return {"websocket": len(websockets.open), "sse": paths["sse"], "stream": paths["stream"]}
