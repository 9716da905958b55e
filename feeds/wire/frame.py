"""
WebSocket frames, server to client (RFC 6455, section 5.2).

A server's frames aren't masked, so a frame is the same bytes for every client: it is built once and written to all.
"""

from struct import Struct

__all__ = [
    "COMPRESSED_TEXT",
    "PING_FRAME",
    "TEXT",
    "build_frame",
    "describe_frame",
    "ping_frame",
    "pong_frame",
    "text_frame",
]

PING_FRAME = b"\x89\x00"
"""A ping without a payload."""

TEXT, COMPRESSED_TEXT = 0x81, 0xC1
"""The first byte of a whole text message, and of one that is compressed (RFC 7692, section 7.2.3.1)."""

_FIN_PING, _FIN_PONG = 0x89, 0x8A
_KINDS = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
_SHOWN = 400
_SHORT = Struct("!BB").pack
_MEDIUM = Struct("!BBH").pack
_LONG = Struct("!BBQ").pack


def build_frame(first: int, payload: bytes) -> bytes:
    """Put the header of an unfragmented frame, whose first byte is given, before a payload. One copy of the payload."""
    length = len(payload)
    if length < 126:
        return _SHORT(first, length) + payload
    if length < 65536:
        return _MEDIUM(first, 126, length) + payload
    return _LONG(first, 127, length) + payload


def text_frame(payload: bytes) -> bytes:
    """Give a frame with a text, in UTF-8."""
    return build_frame(TEXT, payload)


def pong_frame(payload: bytes) -> bytes:
    """Answer a ping; control frames hold at most 125 bytes."""
    return _SHORT(_FIN_PONG, len(payload)) + payload


def ping_frame(payload: bytes) -> bytes:
    """Ask for a pong with the same payload, of at most 125 bytes."""
    return _SHORT(_FIN_PING, len(payload)) + payload


def describe_frame(data: bytes | bytearray) -> str:
    """Give the beginning of what is written at once, a frame or a piece of a response, for people."""
    if len(data) < 2 or data[0] & 0x80 == 0:
        return bytes(data[:_SHOWN]).decode(errors="replace")
    size = data[1] & 0x7F
    head = 2 + {126: 2, 127: 8}.get(size, 0)
    kind = _KINDS.get(data[0] & 0x0F, "unknown")
    if data[0] & 0x40:
        return f"{kind}, {len(data) - head} bytes, compressed"
    text = bytes(data[head : head + _SHOWN]).decode(errors="replace")
    return text if kind == "text" else f"{kind} {text}".rstrip()
