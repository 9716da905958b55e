"""WebSocket from the client's side as bytes, as far as a load generator needs it. No I/O."""

from __future__ import annotations

import base64
import hashlib
import os

import orjson

__all__ = [
    "CLOSE",
    "PING",
    "PONG",
    "TEXT",
    "FrameError",
    "FrameParser",
    "check_upgrade",
    "is_whole",
    "masked_frame",
    "new_key",
    "upgrade_request",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
OPCODES = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})

MAX_REASON = 10_000
"""Bytes of a refusal that are waited for."""
OPTIONS = {
    "too_many_from_address": "--max-per-address",
    "too_many_connections": "--max-connections",
}
"""What allows more, by the code of a refusal."""

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class FrameError(Exception):
    """The server sent bytes that RFC 6455 doesn't allow."""


def new_key() -> bytes:
    """Return a fresh value for Sec-WebSocket-Key."""
    return base64.b64encode(os.urandom(16))


def upgrade_request(host: str, path: str, key: bytes, token: str | None = None) -> bytes:
    """Return the request that turns an HTTP connection into a WebSocket."""
    shows = "" if token is None else f"Authorization: Bearer {token}\r\n"
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key.decode()}\r\n{shows}\r\n"
    ).encode()


def check_upgrade(head: bytes, key: bytes, body: bytes = b"") -> None:
    """Raise FrameError unless *head*, the response up to the blank line, accepts *key*.

    *body* is what came behind it: of a refusal, the server's reason.
    """
    status, *lines = head.split(b"\r\n")
    words = status.split()
    if len(words) < 2 or words[1] != b"101":
        raise FrameError(f"HTTP status {words[1].decode() if len(words) > 1 else '?'}{_said(body)}")
    headers = {name.strip().lower(): value.strip() for name, _, value in _pairs(lines)}
    expected = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    if headers.get(b"sec-websocket-accept") != expected:
        raise FrameError("the server did not accept the WebSocket key")


def is_whole(head: bytes, body: bytes) -> bool:
    """Tell whether a response has all of its body, as far as its head says how long that is."""
    for name, _, value in _pairs(head.split(b"\r\n")[1:]):
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return len(body) >= min(int(value), MAX_REASON)
    return True


def _said(body: bytes) -> str:
    """Give what a refusal says, and the server's option that is behind it; nothing if it says nothing."""
    try:
        error = orjson.loads(body)
        code, message = str(error["code"]), str(error["message"])
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return ""
    option = OPTIONS.get(code)
    return f": {message}" + (f" (tickerplant serve {option})" if option else "")


def _pairs(lines: list[bytes]) -> list[tuple[bytes, bytes, bytes]]:
    return [line.partition(b":") for line in lines if line]


def masked_frame(opcode: int, payload: bytes) -> bytes:
    """Return a whole frame from client to server, masked as RFC 6455 demands."""
    size, mask = len(payload), os.urandom(4)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8, "big")
    pad = (mask * (size // 4 + 1))[:size]
    body = int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")
    return head + mask + body.to_bytes(size, "big")


class FrameParser:
    """Cuts the bytes of a server into messages, however they are cut into reads."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed = 0
        self._parts: list[bytes] = []
        self._opcode = CONTINUATION

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take bytes; return the opcode and the payload of each message that is complete now.

        Linear in the bytes, also for a message that comes in many pieces: nothing is looked at
        twice. Raises FrameError.
        """
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._needed:
                return []
            data = bytes(rest)
            rest.clear()
        messages: list[tuple[int, bytes]] = []
        position, size = 0, len(data)
        while True:
            if size - position < 2:
                self._needed = 2
                break
            first, length = data[position], data[position + 1]
            if first & 0x70 or length > 127:
                raise FrameError(f"unexpected frame header {first:#04x} {length:#04x}")
            start = position + 2
            if length > 125:
                extra = 2 if length == 126 else 8
                start += extra
                if size < start:
                    self._needed = start - position
                    break
                length = int.from_bytes(data[start - extra : start], "big")
            end = start + length
            if size < end:
                self._needed = end - position
                break
            self._frame(first, data[start:end], messages)
            position = end
        rest += data[position:]
        return messages

    def _frame(self, first: int, payload: bytes, messages: list[tuple[int, bytes]]) -> None:
        opcode, final = first & 0x0F, first & 0x80
        if opcode not in OPCODES or (opcode >= CLOSE and not final):
            raise FrameError(f"unexpected frame header {first:#04x}")
        if opcode >= CLOSE:
            messages.append((opcode, payload))
            return
        if (opcode == CONTINUATION) != bool(self._parts):
            raise FrameError("a continuation without a beginning, or a beginning without an end")
        if final and not self._parts:
            messages.append((opcode, payload))
            return
        self._opcode = opcode or self._opcode
        self._parts.append(payload)
        if final:
            messages.append((self._opcode, b"".join(self._parts)))
            self._parts.clear()
