"""One WebSocket connection to the feed, from the handshake to its end. Knows no symbols."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import orjson

from clients.core.decode import Item, parse_message
from clients.core.silence import Silence
from clients.events import Hello
from clients.failures import ConnectError, ConnectionLostError, MalformedMessageError, TickerError

__all__ = [
    "ABNORMAL",
    "Connection",
    "Ending",
    "describe",
    "headers",
    "refusal",
    "shown",
    "trust",
    "why_not",
]

PROTOCOL = 1
ABNORMAL = 1006
"""The close code of a connection that ended without a close frame."""
MAX_MESSAGE = 64 << 20
"""Bytes. The catch-up of a slow consumer on a large universe is one large message."""


class Ending(NamedTuple):
    """How a connection ended: a WebSocket close code, and words for people."""

    code: int
    reason: str


class Connection:
    """A WebSocket on which the server has said `hello`."""

    transport = "websocket"
    in_order = True
    """Whether a snapshot that was asked for stands where it belongs among the events."""

    def __init__(
        self, session: aiohttp.ClientSession, ws: aiohttp.ClientWebSocketResponse[bool], first: str
    ) -> None:
        self._session = session
        self._ws = ws
        self.first = first
        """The text of the first message, which holds the `hello` and may hold more."""
        self.hello = self.parse_hello(first)

    @staticmethod
    def parse_hello(first: str) -> Hello:
        """Read the first message; ConnectError when this is no feed, or not of this protocol."""
        try:
            item = parse_message(first)[0]
            if item["type"] == "error":
                raise ConnectError(f"the server refused the connection: {item['message']}")
            hello = Hello.parse(item)
        except (MalformedMessageError, LookupError, TypeError):
            raise ConnectError(f"this is no feed: it began with {first[:80]!r}") from None
        if hello.protocol != PROTOCOL:
            raise ConnectError(f"the server speaks protocol {hello.protocol!r}, not {PROTOCOL}")
        return hello

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        token: str | None = None,
        patience: float = 10.0,
        ssl: ssl.SSLContext | bool = True,
    ) -> Connection:
        """Connect and wait for the `hello`, *patience* seconds at most; raise ConnectError if not."""
        where = shown(url)
        if urlsplit(url).scheme not in ("ws", "wss", "http", "https"):
            raise ConnectError(f"{where!r} is not a ws:// or wss:// address", final=True)
        # A session for each connection: nothing of a broken one (DNS, sockets) is used again.
        session = aiohttp.ClientSession()
        ws = None
        try:
            async with asyncio.timeout(patience):
                ws = await session.ws_connect(
                    url,
                    ssl=ssl,
                    headers=headers(token),
                    max_msg_size=MAX_MESSAGE,
                    timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
                )
                message = await ws.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise ConnectError(f"{where} closed the connection before saying hello")
            connection = cls(session, ws, message.data)
            if connection.hello.auth and token is None:
                why = refusal(401, given=False)
                raise ConnectError(f"{where} refuses: {why}", why, status=401)
            return connection
        except BaseException as error:
            if ws is not None:
                await ws.close()
            await session.close()
            if isinstance(error, TimeoutError):
                raise ConnectError(f"no answer from {where} within {patience:g} s") from None
            if isinstance(error, (aiohttp.ClientError, OSError, ValueError)):
                why = why_not(error)
                status = getattr(error, "status", None)
                text = f"cannot connect to {where}: {why}"
                raise ConnectError(text, why, status=status, cause=error) from None
            raise

    async def send(self, request: Item) -> None:
        """Send a request; ConnectionLostError when the connection is down."""
        try:
            await self._ws.send_str(orjson.dumps(request).decode())
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionLostError(f"the connection is down: {error}") from None

    async def run(self, handle: Callable[[str], Awaitable[None]]) -> Ending:
        """Give the text of each message, the first one too, to *handle* until the connection ends.

        Nothing is read while *handle* is at work, so a handler that waits slows the server down
        rather than filling memory. Twice the heartbeat interval without a message ends the
        connection; the time that *handle* takes does not count. An interval of 0 promises nothing.
        """
        limit = 2 * self.hello.heartbeat_ms / 1000
        try:
            async with Silence(limit) as silence:
                return await self._read(handle, silence)
        except TimeoutError:
            return Ending(ABNORMAL, f"heard nothing for {limit:g} s")
        except MalformedMessageError as error:
            return Ending(ABNORMAL, str(error))

    async def _read(self, handle: Callable[[str], Awaitable[None]], silence: Silence) -> Ending:
        ws, clock = self._ws, asyncio.get_running_loop().time
        text = aiohttp.WSMsgType.TEXT
        await handle(self.first)
        while True:
            silence.since = clock()
            message = await ws.receive()
            silence.since = None
            if message.type is not text:
                break
            await handle(message.data)
        if message.type is aiohttp.WSMsgType.CLOSE:
            return Ending(message.data or ABNORMAL, message.extra or "closed by the server")
        if message.type is aiohttp.WSMsgType.BINARY:
            raise MalformedMessageError("malformed message: a binary frame")
        detail = f": {error}" if (error := ws.exception()) else ""
        return Ending(ABNORMAL, f"the connection broke{detail}")

    async def close(self) -> None:
        """Close the connection, with a close frame if it still stands."""
        try:
            await self._ws.close()
        finally:
            await self._session.close()


def why_not(error: Exception) -> str:
    """Say in few words why connecting failed."""
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return refusal(error.status)
    if isinstance(error, aiohttp.ClientConnectorError):
        return describe(error.os_error)
    return str(error) or repr(error)


REFUSALS = {
    401: "the server wants a token, and this is none that it knows",
    403: "the server doesn't let this origin or host in",
    429: "there are too many connections from this address",
    503: "the server has as many connections as it allows",
}


def refusal(status: int, *, given: bool = True) -> str:
    """Say what a status means with which the server refuses a WebSocket; *given*: whether it was shown a token."""
    meaning = REFUSALS.get(status)
    if status == 401 and not given:
        meaning = "the server wants a token, and none was given"
    return f"HTTP status {status}" + (f": {meaning}" if meaning else "")


def headers(token: str | None) -> dict[str, str]:
    """Return the headers that show a token."""
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def shown(url: str) -> str:
    """Return an address as it may be printed: without a token in it."""
    parts = urlsplit(url)
    if "token" not in parts.query:
        return url
    query = [(k, "..." if k == "token" else v) for k, v in parse_qsl(parts.query)]
    return parts._replace(query=urlencode(query)).geturl()


def trust(cafile: str | None, *, verify: bool = True) -> ssl.SSLContext | bool:
    """Return what to make of a server's certificate: *cafile* has those to trust, instead of the system's.

    TickerError when it can't be read.
    """
    if cafile is None or not verify:
        return verify
    try:
        return ssl.create_default_context(cafile=cafile)
    except OSError as error:
        raise TickerError(f"cannot read certificates from {cafile}: {describe(error)}") from None


def describe(error: OSError) -> str:
    """Say in few words what the system reports, without the addresses it was tried with."""
    # The numbers of TLS and of name resolution mean something else than those of the system.
    if isinstance(error, (ssl.SSLError, socket.gaierror)) or not error.errno:
        return str(error.strerror or error)
    return os.strerror(error.errno)
