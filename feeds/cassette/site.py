"""What recorder and player have in common: a web server with one WebSocket handler, behind the rules of :mod:`feeds.http.access`."""

import asyncio
from collections import Counter
from collections.abc import Iterable

from aiohttp import web

from feeds.admission.auth import NO_TOKENS
from feeds.admission.listen import listen, stop_listening, url_host
from feeds.admission.origins import Origins
from feeds.errors import HttpCode
from feeds.http.access import Access
from feeds.http.answers import error_json
from feeds.http.guarded import Guarded, Handler
from feeds.http.unreadable import HttpProtocols

__all__ = ["Seated", "Site"]

_KEEP_ALIVE_S = 75.0


class Site:
    """
    Answers WebSocket upgrades on every path; plain requests get 426.

    Args:
        handler: answers an upgrade.
        host: address to listen on.
        port: the port; 0: any free one.
        origin: web pages from elsewhere that may connect.

    Raises:
        ConfigError: an origin is none, or, at the start, the port is in use or the address isn't ours.
    """

    def __init__(self, handler: Handler, host: str, port: int, origin: Iterable[str]) -> None:
        self._handler, self._host, self.port = handler, host, port
        app = web.Application()
        routes = Guarded(app, Access(NO_TOKENS, Origins(host, origin)))
        routes.add("/{path:.*}", self._answer)
        routes.end()
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=5.0)
        self._listener: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://{url_host(self._host, self._listener)}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws{self.url.removeprefix('http')}"

    async def start(self) -> None:
        """Listen."""
        await self._runner.setup()
        assert self._runner.server is not None
        try:
            protocols = HttpProtocols(self._runner.server, _KEEP_ALIVE_S, Counter())
            self._listener = await listen(protocols, self._host, self.port, None, 10.0)
        except BaseException:
            await self._runner.cleanup()
            raise
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and let the handlers finish."""
        if self._listener is not None:
            await stop_listening(self._listener)
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if web.WebSocketResponse().can_prepare(request).ok:
            return await self._handler(request)
        message = f"{self.url} speaks WebSocket: connect to {self.ws_url}"
        answer = error_json(426, HttpCode.UPGRADE_REQUIRED, message)
        answer.headers.update({"Upgrade": "websocket", "Connection": "Upgrade"})
        return answer


class Seated:
    """What listens at a site."""

    _site: Site

    @property
    def url(self) -> str:
        """Where it listens, for HTTP."""
        return self._site.url

    @property
    def ws_url(self) -> str:
        """Where clients connect, with the path that they would ask the recorded feed for."""
        return self._site.ws_url
