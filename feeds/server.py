"""The server: one or more plants behind a listening socket."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Self

from aiohttp import web

from feeds.admission.auth import Tokens
from feeds.admission.door import Doors
from feeds.admission.file_limit import fit_file_limit
from feeds.admission.listen import everywhere, listen, stop_listening, url_host
from feeds.admission.origins import Origins
from feeds.admission.tls import make_tls
from feeds.admission.unfinished import Unfinished
from feeds.config import FeedConfig
from feeds.control.handler import Control
from feeds.dialects.native import NativeEncoder
from feeds.directing.director import Director
from feeds.errors import ConfigError
from feeds.http.access import Access
from feeds.http.unreadable import HttpProtocols
from feeds.plant import Plant
from feeds.plants import Plants, most_sessions
from feeds.routes import application
from ticker.venue import Venue

__all__ = ["FeedServer"]

_KEEP_ALIVE_S = 75.0
_HTTP_STOP_S = 0.5
"""For answers over HTTP that are under way, after everything else has stopped."""


class FeedServer:
    """
    A feed of one market, or of several sessions, over WebSocket and HTTP, in the running event loop.

    Use it as ``async with FeedServer(config) as server:``; ``server.url`` and ``server.ws_url`` tell where.

    Args:
        config: the options.
        market: serve this one, instead of one that the options describe.
        encoder: encode its events with this.
        progress: called with how much of a tape to be replayed has been checked, from 0 to 1.

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
        own = Origins(config.host) if config.control else None
        self.access = Access(Tokens(config.token), Origins(config.host, config.origin), own)
        self.plants = Plants(config, self.access, market=market, encoder=encoder, progress=progress)
        """What it serves, by session."""
        self.tls = make_tls(config.tls_cert, config.tls_key, config.tls_self_signed, config.host)
        """How it speaks TLS; None: not at all."""
        self.doors: Doors | None = None
        """The connections, once the server has started."""
        self.port = config.port
        """The port in use, once the server has started."""
        self.everywhere = ""
        """The address, such as ``0.0.0.0``, by which it listens on all of this machine's; empty: it doesn't, or hasn't started."""
        self._url_host = url_host(config.host, None)
        self._directors: dict[str, Director] = {}
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self._stopping: asyncio.Task[None] | None = None

    @property
    def plant(self) -> Plant:
        """The plant that is always there; a reset replaces it."""
        return self.plants.default

    @property
    def url(self) -> str:
        """The server's address for HTTP, as this machine knows it."""
        return f"{'http' if self.tls is None else 'https'}://{self._url_host}:{self.port}"

    @property
    def ws_url(self) -> str:
        """The address of the native protocol."""
        return f"ws{self.url.removeprefix('http')}/ws"

    def reset(self, session: str = "", changes: Mapping[str, Any] | None = None) -> Plant:
        """Replace a plant by a fresh one; see :meth:`feeds.plants.Plants.reset`."""
        return self.plants.reset(session, changes)

    def director(self, session: str = "") -> Director:
        """
        Give what drives a session.

        Raises:
            UnknownSession: there is none with this key.
        """
        self.plants[session]
        if session not in self._directors:
            self._directors[session] = Director(self.plants, session)
        return self._directors[session]

    def _application(self) -> web.Application:
        control = None
        if self.config.control:
            control = Control(
                self.plants,
                self.director,
                secured=bool(self.config.token),
                body_s=self.config.limits.handshake_s,
            )
        return application(self.plants, self.access, self.config.web_root, control)

    async def start(self) -> None:
        """Listen, then turn the pumps."""
        self._runner = web.AppRunner(
            self._application(),
            handle_signals=False,
            shutdown_timeout=_HTTP_STOP_S / 2,  # aiohttp waits for so long twice
        )
        await self._runner.setup()
        assert self._runner.server is not None
        protocols = HttpProtocols(
            self._runner.server,
            _KEEP_ALIVE_S,
            self.access.stats.errors,
            guarded=True,
            unfinished=Unfinished(),
        )
        limits = fit_file_limit(self.config.limits, most_sessions(self.config))
        self.doors = Doors(protocols, limits, self.config.backlog, self.access.stats)
        context = None if self.tls is None else self.tls.context
        handshake_s = limits.handshake_s
        try:
            self._listener = await listen(
                self.doors, self.config.host, self.config.port, context, handshake_s
            )
        except ConfigError:
            await self._runner.cleanup()
            raise
        self.port = self._listener.sockets[0].getsockname()[1]
        self.everywhere = everywhere(self._listener)
        self._url_host = url_host(self.config.host, self._listener)
        self.plants.start()

    async def stop(self) -> None:
        """
        Stop listening, finish the turns under way, let clients have what is pending, and close them with 1001.

        All that within the shutdown timeout: what a turn needs beyond a half of it is dropped, and clients that haven't
        read by its end are cut off. May be called twice.
        """
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="stop")
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        until = asyncio.get_running_loop().time() + self.config.shutdown_timeout
        if self._listener is not None:
            await stop_listening(self._listener)
        if self.doors is not None:
            self.doors.shut = True
        await self.plants.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        if self.doors is not None:
            await self.doors.empty(until)

    async def wait(self) -> None:
        """Wait until a pump fails, which none should; then raise its error, once clients are told."""
        raise await self.plants.failure()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
