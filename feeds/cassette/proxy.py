"""The recorder: a WebSocket proxy that writes down what both sides say."""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs, web

from feeds.cassette.lines import Head
from feeds.cassette.redact import Redactor
from feeds.cassette.relay import ABNORMAL, CLOSE_S, MAX_MESSAGE, End, Socket, relay
from feeds.cassette.site import Seated, Site
from feeds.cassette.writer import TapeWriter, written_whole
from feeds.errors import ConfigError
from feeds.http.answers import error_json

__all__ = ["Recorder"]

log = logging.getLogger("feeds")

_CONNECT_S = 30.0
_OURS = {"host", "connection", "upgrade", "te", "trailer", "transfer-encoding", "keep-alive"}


class Recorder(Seated):
    """
    A proxy that writes a cassette; use it as ``async with Recorder(...) as recorder:``.

    Each client gets a connection of its own to the upstream, with its path and query behind those of the upstream's
    address, and its headers. What one side sends is on the tape before the other side has it.

    Args:
        upstream: the address, ``ws://`` or ``wss://``.
        output: the cassette.
        host: address to listen on.
        port: port to listen on; 0: any free one.
        origin: web pages from elsewhere that may connect.
        redact: names of secrets beside the usual ones.
        keep: names that sound like secrets, and aren't.
        trust: for an upstream whose certificate the system doesn't know.
        seconds: gives real seconds, from any origin.

    Raises:
        ConfigError: the address is none, or, on entering, the file can't be written or the port is in use.
    """

    def __init__(
        self,
        upstream: str,
        output: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        origin: Iterable[str] = (),
        redact: Iterable[str] = (),
        keep: Iterable[str] = (),
        trust: ssl.SSLContext | bool = True,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstream = _checked(upstream)
        self._output, self._trust, self._seconds = output, trust, seconds
        self._redact, self._keep = tuple(redact), tuple(keep)
        self._redactor = Redactor(self._redact, self._keep)
        self._redactor.learn_url(upstream)
        self._site = Site(self._handle, host, port, origin)
        self._stack = ExitStack()
        self._stopping = asyncio.Event()
        self.failed = asyncio.Event()
        """Set when the file can't be written any more; then all connections end with 1011."""
        self.failure: OSError | None = None
        self.tape: TapeWriter
        """What is written, once it has started."""

    async def __aenter__(self) -> Self:
        file = self._stack.enter_context(written_whole(self._output))
        try:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            where = urlsplit(self._upstream)
            bare = f"{where.scheme}://{where.netloc.rpartition('@')[2]}"
            head = Head(bare, now, self._redact, self._keep)
            self.tape = TapeWriter(file, head, self._redactor, self._seconds)
            self._client = aiohttp.ClientSession()
            await self._site.start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        try:
            await self._site.stop()
            await self._client.close()
        finally:
            self._stack.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        offered = [
            name.strip()
            for name in request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")
            if name.strip()
        ]
        self._redactor.learn_headers(request.headers)
        try:
            upstream = await self._connect(request, offered)
        except aiohttp.WSServerHandshakeError as error:
            status = error.status
            self._write(lambda: self.tape.refused(request.path_qs, status))
            message = f"the upstream refuses with HTTP status {status}"
            return error_json(status, "upstream_refused", message)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            # Not the upstream's answer, so it isn't on the tape.
            message = f"can't connect to the upstream: {error or type(error).__name__}"
            log.warning("%s", message)
            return error_json(502, "upstream_unreachable", message)
        try:
            protocols = () if upstream.protocol is None else (upstream.protocol,)
            ws = web.WebSocketResponse(
                protocols=protocols, max_msg_size=MAX_MESSAGE, timeout=CLOSE_S, autoclose=False
            )
            await ws.prepare(request)
            await self._relay(request, ws, upstream)
        finally:
            await upstream.close()
        return ws

    async def _connect(
        self, request: web.Request, offered: list[str]
    ) -> aiohttp.ClientWebSocketResponse:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in _OURS and not name.lower().startswith("sec-websocket-")
        }
        async with asyncio.timeout(_CONNECT_S):
            return await self._client.ws_connect(
                _joined(self._upstream, request.path_qs),
                protocols=offered,
                headers=headers,
                max_msg_size=MAX_MESSAGE,
                autoclose=False,
                ssl=self._trust,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
            )

    async def _relay(
        self, request: web.Request, ws: web.WebSocketResponse, upstream: Socket
    ) -> None:
        path, headers = request.path_qs, {k.lower(): v for k, v in request.headers.items()}
        conn = self._write(lambda: self.tape.opened(path, headers, ws.ws_protocol)) or 0

        def note(data: str | bytes, inward: bool) -> bool:
            self._write(lambda: self.tape.message(conn, data, inward=inward))
            return self.failure is None

        end = await relay(ws, upstream, note, self._end())
        self._write(lambda: self.tape.closed(conn, end.by, end.code, end.reason))
        if end.code == ABNORMAL and end.by == "server" and request.transport is not None:
            request.transport.abort()  # the client learns it as it was: without a close frame
        else:
            await end.tell(ws, upstream)

    async def _end(self) -> End:
        waits = [asyncio.create_task(event.wait()) for event in (self._stopping, self.failed)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self.failed.is_set():
            return End("recorder", 1011, "the recording failed")
        return End("recorder", 1001, "the recording ends")

    def _write(self, write: Callable[[], int | None]) -> int | None:
        if self.failure is None:
            try:
                return write()
            except OSError as error:
                self.failure = error
                self.failed.set()
        return None


def _checked(upstream: str) -> str:
    try:
        parts = urlsplit(upstream)
        usable = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        shown = Redactor().path(upstream)
        raise ConfigError(
            f"upstream {shown!r} is no address of a WebSocket: ws://HOST[:PORT][/PATH] or wss://... is allowed"
        )
    return upstream


def _joined(upstream: str, path_qs: str) -> str:
    """Put the path and query that a client asked for behind those of the upstream."""
    parts = urlsplit(upstream)
    path, _, query = path_qs.partition("?")
    whole = parts.path.rstrip("/") + path if path != "/" else parts.path or "/"
    queries = "&".join(part for part in (parts.query, query) if part)
    return parts._replace(path=whole, query=queries, fragment="").geturl()
