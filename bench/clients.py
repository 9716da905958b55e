"""The load client's connections: opened, upgraded and subscribed before the clock starts.

The handshake is written by hand, so that it's the same for every row and costs nothing to
trust. No extension is offered: no row compresses.
"""

import http.client
import json
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["NATIVE", "SOCKET_IO", "Dialect", "Step", "api_symbols", "close_all", "open_all"]

_KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # the example of RFC 6455: floor.c answers it with a constant
_BATCH = 64  # below every server's listen backlog, past which connecting takes a second
_TIMEOUT_S = 20.0

Symbols = Sequence[str] | str
"""A list of symbols, or "*" for all."""


@dataclass(frozen=True, slots=True)
class Step:
    """One message of the handshake, and what must be in the stream before the next one."""

    message: str
    answer: bytes | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to subscribe, and how a message holds events."""

    path: str
    subscribe: Callable[[Symbols], Sequence[Step]]
    events: Callable[[str], list[dict[str, object]]]


def _native_subscribe(symbols: Symbols) -> list[Step]:
    request = {
        "action": "subscribe",
        "symbols": symbols,
        "channels": ["trades", "quotes"],
        "snapshot": False,
    }
    return [Step(json.dumps(request, separators=(",", ":")))]


def _native_events(text: str) -> list[dict[str, object]]:
    """Parse an array of objects (our protocol), or one object (a peer's message)."""
    found = json.loads(text)
    return found if isinstance(found, list) else [found]


def _socket_io_subscribe(symbols: Symbols) -> list[Step]:
    # 40 connects to the namespace, which has to be confirmed before an event is sent to it.
    request = json.dumps(["subscribe", symbols], separators=(",", ":"))
    return [Step("40", b"40{"), Step(f"42{request}")]


def _socket_io_events(text: str) -> list[dict[str, object]]:
    """Parse `42["name",{...}]`; the packets of the connection itself hold no event."""
    return list(json.loads(text[2:])[1:]) if text.startswith("42") else []


NATIVE = Dialect("/ws", _native_subscribe, _native_events)
SOCKET_IO = Dialect(
    "/socket.io/?EIO=4&transport=websocket", _socket_io_subscribe, _socket_io_events
)


def open_all(
    port: int,
    dialect: Dialect,
    subscriptions: Sequence[Symbols],
    receive_buffer: int | None = None,
) -> list[socket.socket]:
    """
    Connect one client for each subscription, in order, and return them subscribed.

    What the servers have sent by then is dropped, but for the first client's, which is
    whole from its subscription on: the witness reads it.
    """
    clients: list[socket.socket] = []
    try:
        for first in range(0, len(subscriptions), _BATCH):
            batch = subscriptions[first : first + _BATCH]
            sockets = connect_and_upgrade(port, dialect.path, len(batch), receive_buffer)
            clients += sockets
            _subscribe(sockets, [dialect.subscribe(symbols) for symbols in batch])
    except BaseException:
        close_all(clients)
        raise
    return clients


def api_symbols(port: int) -> list[str]:
    """Return a server's symbols by our protocol's `/api/symbols`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/api/symbols")
        found = json.load(connection.getresponse())
    finally:
        connection.close()
    return [symbol["symbol"] for symbol in found["symbols"]]


def close_all(clients: Sequence[socket.socket]) -> None:
    """Close every connection, without a close handshake."""
    for client in clients:
        client.close()


def connect_and_upgrade(
    port: int, path: str, count: int, receive_buffer: int | None = None
) -> list[socket.socket]:
    """Connect so many clients at once and return them upgraded, subscribed to nothing."""
    sockets = [_connect(port, receive_buffer) for _ in range(count)]
    _upgrade(sockets, port, path)
    return sockets


def _connect(port: int, receive_buffer: int | None) -> socket.socket:
    client = socket.socket()
    client.settimeout(_TIMEOUT_S)
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.connect(("127.0.0.1", port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def _upgrade(clients: Sequence[socket.socket], port: int, path: str) -> None:
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    for client in clients:
        client.sendall(request.encode())
    for client in clients:
        status = _read_past(client, b"\r\n\r\n").split(b"\r\n")[0]
        if b" 101 " not in status:
            raise ConnectionError(f"upgrade refused: {status.decode(errors='replace')}")


def _subscribe(clients: Sequence[socket.socket], scripts: Sequence[Sequence[Step]]) -> None:
    for steps in zip(*scripts, strict=True):
        for client, step in zip(clients, steps, strict=True):
            client.sendall(_masked(step.message.encode()))
        for client, step in zip(clients, steps, strict=True):
            if step.answer is not None:
                _read_past(client, step.answer)
                _read_past(client, b"}")


def _masked(payload: bytes) -> bytes:
    """Return a client's text frame; a mask of zeros is a legal mask and changes nothing."""
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + bytes(4) + payload


def _read_past(client: socket.socket, wanted: bytes) -> bytes:
    """Read up to the end of the wanted bytes, and not one byte further."""
    deadline = time.monotonic() + _TIMEOUT_S
    got = b""
    while not got.endswith(wanted):
        seen = client.recv(4096, socket.MSG_PEEK)
        if not seen:
            raise ConnectionError(f"closed in the handshake after {got[-80:]!r}")
        at = (got + seen).find(wanted)
        take = len(seen) if at < 0 else at + len(wanted) - len(got)
        got += client.recv(take)
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {wanted!r} in the handshake")
    return got
