"""HTTP by hand: requests that no library sends, and what comes back, byte by byte."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Any, NamedTuple, Self

import orjson
from wire import TIMEOUT_S

from feeds.server import FeedServer

__all__ = ["Answer", "RawHttp"]


class Answer(NamedTuple):
    """An answer, read up to the end of the connection."""

    status: int
    headers: dict[str, str]
    """With names in lower case."""
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


class RawHttp:
    """
    One TCP connection; use it as ``async with RawHttp(server) as http:``.

    A plain socket, because a stream forgets what it has read when the connection is reset after it.
    """

    def __init__(self, server: FeedServer | int, *, address: str = "127.0.0.1") -> None:
        self._port = server if isinstance(server, int) else server.port
        self._address = address
        self.ended = False
        """Whether the server has closed."""

    async def __aenter__(self) -> Self:
        self._sock = socket.socket()
        self._sock.setblocking(False)
        self._sock.bind((self._address, 0))
        await asyncio.get_running_loop().sock_connect(self._sock, ("127.0.0.1", self._port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sock.close()

    def send(self, *lines: str, end: str = "\r\n\r\n") -> None:
        """Send a request, or a part of one; nobody may be there any more to read it."""
        with suppress(ConnectionError):
            self._sock.send(("\r\n".join(lines) + end).encode())

    def reset(self) -> None:
        """Have the connection end with a reset."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def push(self, data: bytes) -> None:
        """Send bytes, all of them; the server may have had enough before that."""
        with suppress(ConnectionError):
            await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def read(self, until: bytes | None = None) -> bytes:
        """Read until the server closes, or up to some bytes."""
        data = b""
        async with asyncio.timeout(TIMEOUT_S):
            while until is None or until not in data:
                try:
                    more = await asyncio.get_running_loop().sock_recv(self._sock, 2**16)
                except ConnectionError:
                    more = b""
                if not more:
                    self.ended = True
                    return data
                data += more
        return data

    async def answer(self) -> Answer:
        """Read the one answer of a connection."""
        data = await self.read()
        head, _, body = data.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        return Answer(int(status.split()[1]), {k.lower(): v for k, v in pairs}, body)

    async def get(self, path: str, *headers: str) -> Answer:
        """Get a path, as it stands."""
        named = any(header.lower().startswith("host:") for header in headers)
        host = [] if named else ["Host: localhost"]
        self.send(f"GET {path} HTTP/1.1", *host, *headers, "Connection: close")
        return await self.answer()
