"""
Streams over plain HTTP for tests: a parser of Server-Sent Events written from the standard, and a client that can stop to
read, vanish, and see every chunk.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Self

import orjson
from wire import TIMEOUT_S, Socket

from feeds.server import FeedServer

__all__ = ["Message", "SseParser", "StreamClient", "messages_in"]


@dataclass(frozen=True)
class Message:
    """One dispatched event."""

    data: str
    last_event_id: str
    kind: str = "message"

    @property
    def objects(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = orjson.loads(self.data)
        assert isinstance(items, list)
        assert items
        return items


class SseParser:
    """WHATWG HTML, section 9.2.6, "Interpreting an event stream", line by line; all three line ends."""

    def __init__(self) -> None:
        self.last_event_id = ""
        self.retry: int | None = None
        self._text = ""
        self._data: list[str] = []
        self._kind = ""

    def feed(self, data: bytes) -> list[Message]:
        """Take whole events as bytes; give those that are dispatched."""
        self._text += data.decode()
        found = []
        *lines, self._text = self._text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in lines:
            if line:
                self._line(line)
            elif (message := self._dispatch()) is not None:
                found.append(message)
        return found

    def _line(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._kind = value
            case "id" if "\0" not in value:
                self.last_event_id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry = int(value)

    def _dispatch(self) -> Message | None:
        data, self._data = self._data, []
        kind, self._kind = self._kind or "message", ""
        if not data:
            return None
        return Message("\n".join(data), self.last_event_id, kind)


def messages_in(data: bytes) -> list[Message]:
    """Read a whole stream of events, of which nothing may be left over."""
    parser = SseParser()
    found = parser.feed(data)
    assert parser.feed(b"") == []
    assert not parser._text
    return found


class StreamClient(Socket):
    """
    A client of one response that goes on. Use it as ``async with StreamClient(server, "/sse?...") as client:``.

    Over HTTP/1.1, the response must be chunked, and each chunk must be one message.
    """

    def __init__(
        self,
        server: FeedServer | int,
        target: str,
        *,
        method: str = "GET",
        version: str = "1.1",
        receive_buffer: int | None = None,
        **headers: str,
    ) -> None:
        self._port = server if isinstance(server, int) else server.port
        lines = [f"{method} {target} HTTP/{version}", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._request = "\r\n".join([*lines, "", ""]).encode()
        self._receive_buffer = receive_buffer
        self.parser = SseParser()
        self.status = 0
        self.headers: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        head = await self.open(self._port, self._request, self._receive_buffer)
        status, *lines = head.decode().split("\r\n")[:-2]
        self.status = int(status.split()[1])
        self.headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
        return self

    async def chunk(self) -> bytes:
        """
        Read the next chunk; empty at the end of the response.

        Raises:
            EOFError: the connection is over, and the response wasn't.
        """
        async with asyncio.timeout(TIMEOUT_S):
            try:
                size = int(await self.reader.readline(), 16)
                chunk = await self.reader.readexactly(size)
                assert await self.reader.readexactly(2) == b"\r\n"
            except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
                raise EOFError from error
        return chunk

    async def event(self) -> Message:
        """Read the next event of ``/sse``."""
        chunk = await self.chunk()
        if not chunk:
            raise EOFError
        (message,) = self.parser.feed(chunk)
        return message

    async def lines(self) -> list[dict[str, Any]]:
        """Read the next message of ``/stream``."""
        chunk = await self.chunk()
        if not chunk:
            raise EOFError
        assert chunk.endswith(b"\n")
        return [orjson.loads(line) for line in chunk[:-1].split(b"\n")]

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """Read events up to the first that has an object of a type; give all objects."""
        found: list[dict[str, Any]] = []
        while True:
            items = (await self.event()).objects
            found += items
            if any(item["type"] == kind for item in items):
                return found

    async def ended(self) -> bool:
        """Read to the end; tell whether the response was whole."""
        try:
            while await self.chunk():
                pass
        except EOFError:
            return False
        return True
