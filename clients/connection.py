"""One WebSocket connection to the feed, from the handshake to its end. Knows no symbols."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import aiohttp
import orjson

from clients.decode import Item, parse_message
from clients.events import ConnectError, ConnectionLostError, Hello, MalformedMessageError
from clients.silence import Silence

__all__ = ["ABNORMAL", "Connection", "Ending", "describe", "why_not"]

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
        cls, url: str, *, patience: float = 10.0, ssl: ssl.SSLContext | bool = True
    ) -> Connection:
        """Connect and wait for the `hello`, *patience* seconds at most; raise ConnectError if not."""
        # A session for each connection: nothing of a broken one (DNS, sockets) is used again.
        session = aiohttp.ClientSession()
        ws = None
        try:
            async with asyncio.timeout(patience):
                ws = await session.ws_connect(
                    url,
                    ssl=ssl,
                    max_msg_size=MAX_MESSAGE,
                    timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
                )
                message = await ws.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise ConnectError(f"{url} closed the connection before saying hello")
            return cls(session, ws, message.data)
        except BaseException as error:
            if ws is not None:
                await ws.close()
            await session.close()
            if isinstance(error, TimeoutError):
                raise ConnectError(f"no answer from {url} within {patience:g} s") from None
            if isinstance(error, (aiohttp.ClientError, OSError, ValueError)):
                why = why_not(error)
                raise ConnectError(f"cannot connect to {url}: {why}", why) from None
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
        return f"HTTP status {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return describe(error.os_error)
    return str(error) or repr(error)


def describe(error: OSError) -> str:
    """Say in few words what the system reports, without the addresses it was tried with."""
    # The numbers of TLS and of name resolution mean something else than those of the system.
    if isinstance(error, (ssl.SSLError, socket.gaierror)) or not error.errno:
        return str(error.strerror or error)
    return os.strerror(error.errno)
