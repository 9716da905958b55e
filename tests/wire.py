"""
Sockets for tests: a server that must not log an error, a client that can misbehave frame by frame, and one check of the
sequence rule. Everything that is waited for has a time limit, and no test waits for a time.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Self

import orjson
import pytest
import uvloop

from feeds.config import FeedConfig
from feeds.server import FeedServer

__all__ = [
    "TIMEOUT_S",
    "Follower",
    "RawClient",
    "Socket",
    "encode_frame",
    "eventually",
    "on_both_loops",
    "quiet",
    "running",
    "step",
    "text",
]

TIMEOUT_S = 60.0
"""How long a test waits for what should take milliseconds."""

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def on_both_loops(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test that is a coroutine under asyncio's own loop and under uvloop."""

    @functools.wraps(test)
    def run(loop_factory: Any, **fixtures: Any) -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(asyncio.wait_for(test(**fixtures), 3 * TIMEOUT_S))

    signature = inspect.signature(test)
    loop = inspect.Parameter("loop_factory", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), loop])  # type: ignore[attr-defined]
    loops = [pytest.param(None, id="asyncio"), pytest.param(uvloop.new_event_loop, id="uvloop")]
    return pytest.mark.parametrize("loop_factory", loops)(run)


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


LOGGERS = ("feeds", "aiohttp", "asyncio")


@contextmanager
def quiet(loggers: Sequence[str] = LOGGERS) -> Iterator[None]:
    """Fail where a warning or an error is logged: by us, by aiohttp, or by the event loop."""
    handler = _Errors()
    for name in loggers:
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        for name in loggers:
            logging.getLogger(name).removeHandler(handler)
    assert handler.texts == []


QUIET = {"slow_turn_ms": 0, "shutdown_timeout": 2}
"""No warnings because this machine is busy, and no long wait for clients that are left behind."""


@asynccontextmanager
async def running(*, loggers: Sequence[str] = LOGGERS, **options: Any) -> AsyncIterator[FeedServer]:
    """Run a feed server on a free port, quietly; with a manual clock and five symbols unless told otherwise."""
    # The heartbeat is long, so that a client that a test leaves alone isn't taken for dead on a busy machine.
    own = {"port": 0, "symbols": "5", "clock": "manual", "heartbeat_s": 60.0}
    options = own | QUIET | options
    with quiet(loggers):
        async with FeedServer(FeedConfig(**options)) as server:
            yield server


async def eventually(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"never came about: {what}") from None


async def step(server: FeedServer, microseconds: int) -> None:
    """Move a manual clock, and wait until the turn is done."""
    turns = server.plant.pump.turns
    server.plant.clock.advance(microseconds)  # type: ignore[attr-defined]
    await eventually(lambda: server.plant.pump.turns > turns, "a turn")


def text(**request: Any) -> bytes:
    """Give a request as JSON."""
    return orjson.dumps(request)


def encode_frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """Make a client's frame, masked with zeros."""
    head = bytes([(0x80 if fin else 0) | opcode])
    size = len(payload)
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += struct.pack("!BH", 0xFE, size)
    else:
        head += struct.pack("!BQ", 0xFF, size)
    return head + b"\0\0\0\0" + payload


class Socket:
    """What a test does to a client's socket."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def open(
        self,
        port: int,
        request: bytes,
        receive_buffer: int | None = None,
        address: str = "127.0.0.1",
    ) -> bytes:
        """Connect from an address with a small buffer, or with the system's, and ask for something; give the answer's head."""
        sock = socket.socket()
        try:
            sock.setblocking(False)
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.bind((address, 0))
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
            self.reader, self.writer = await asyncio.open_connection(sock=sock, limit=2**16)
        except BaseException:
            sock.close()
            raise
        self.writer.write(request)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self.reader.readuntil(b"\r\n\r\n")
        except BaseException:
            self.writer.transport.abort()
            raise

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    def pause(self) -> None:
        """Stop reading."""
        self.writer.transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self.writer.transport.resume_reading()

    def vanish(self) -> None:
        """Drop the connection with a reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class RawClient(Socket):
    """
    A WebSocket client without a library, so that it can do what libraries prevent.

    Use it as ``async with RawClient(server) as client:``. Every frame must be whole, unmasked, with no reserved bit.
    """

    def __init__(
        self,
        server: FeedServer | int,
        *,
        receive_buffer: int | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self._port = server if isinstance(server, int) else server.port
        self._receive_buffer, self._address = receive_buffer, address
        self.answers_pings = True
        self.polite = True
        """Whether it answers a close frame."""
        self.close_code: int | None = None
        """The server's close code, once its close frame was read."""
        self.reason = ""

    async def __aenter__(self) -> Self:
        answer = await self.open(self._port, HANDSHAKE, self._receive_buffer, self._address)
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        return self

    # Out.

    def send(self, **request: Any) -> None:
        """Send a request."""
        self.send_frame(TEXT, text(**request))

    def send_frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True) -> None:
        self.writer.write(encode_frame(opcode, payload, fin=fin))

    # In.

    async def frame(self) -> tuple[int, bytes]:
        """
        Read the next frame: its opcode and payload.

        Raises:
            EOFError: the server has closed the connection; `close_code` tells whether it said so.
        """
        async with asyncio.timeout(TIMEOUT_S):
            try:
                first, size = await self.reader.readexactly(2)
                assert first & 0xF0 == 0x80, f"not a whole frame without extension: {first:#x}"
                assert not size & 0x80, "a masked frame"
                if size == 126:
                    (size,) = struct.unpack("!H", await self.reader.readexactly(2))
                elif size == 127:
                    (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
                payload = await self.reader.readexactly(size)
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                raise EOFError from error
        opcode = first & 0x0F
        if opcode == PING and self.answers_pings:
            self.send_frame(PONG, payload)
        assert opcode in (TEXT, CLOSE, PING, PONG), f"opcode {opcode}"
        if opcode == CLOSE:
            assert self.close_code is None, "two close frames"
            (self.close_code,) = struct.unpack("!H", payload[:2])
            self.reason = payload[2:].decode()
            if self.polite:
                self.send_frame(CLOSE, payload[:2])
        else:
            assert self.close_code is None, "a frame after the close frame"
        return opcode, payload

    async def message(self) -> list[dict[str, Any]]:
        """Read the next text message, past pongs."""
        while True:
            opcode, payload = await self.frame()
            if opcode == CLOSE:
                raise EOFError
            if opcode == TEXT:
                items: list[dict[str, Any]] = orjson.loads(payload)
                assert isinstance(items, list)
                assert items
                return items

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """Read messages up to the first that has an object of a type; give all objects."""
        found: list[dict[str, Any]] = []
        while True:
            message = await self.message()
            found += message
            if any(item["type"] == kind for item in message):
                return found

    async def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request with an ``id`` and give the object that answers it, past everything else."""
        request = {"id": "ask"} | request
        self.send(**request)
        while True:
            for item in await self.message():
                if item.get("id") == request["id"]:
                    return item

    async def closed(self) -> int | None:
        """Read to the end; give the close code, None where there was none."""
        try:
            while True:
                await self.frame()
        except EOFError:
            return self.close_code


class Follower:
    """
    Checks the rule of `PROTOCOL.md`, section 2: ``seq == last_seq + 1 + merged``, for every symbol and channel.

    Give it all objects of one connection in order, with `feed`.
    """

    def __init__(self) -> None:
        self.last: dict[tuple[str, str], int] = {}
        """The newest sequence, by symbol and channel."""
        self.events = 0
        self.merged = 0
        self.times: list[float] = []

    def feed(self, items: Iterable[dict[str, Any]]) -> None:
        for item in items:
            kind = item["type"]
            if kind == "snapshot":
                for channel, seq in item["seq"].items():
                    self.last[item["symbol"], channel] = seq
            elif kind in ("trade", "quote", "bar", "status"):
                channel = {"trade": "trades", "quote": "quotes"}.get(kind, kind)
                if kind == "bar":
                    channel = f"bars:{item['interval']}"
                key = (item["symbol"], channel)
                merged = item.get("merged", 0)
                assert item["seq"] == self.last[key] + 1 + merged, (item, self.last[key])
                self.last[key] = item["seq"]
                self.events += 1
                self.merged += merged
                self.times.append(item["time"])
