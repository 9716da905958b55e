"""
WebSocket frames, server to client (RFC 6455, section 5.2).

A server's frames are not masked, so a frame is the same bytes for every client: it is built once and written to all.
"""

from struct import Struct

__all__ = ["PING_FRAME", "describe_frame", "ping_frame", "pong_frame", "text_frame"]

PING_FRAME = b"\x89\x00"
"""A ping without a payload."""

_FIN_TEXT, _FIN_PING, _FIN_PONG = 0x81, 0x89, 0x8A
_KINDS = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
_SHOWN = 400
_SHORT = Struct("!BB").pack
_MEDIUM = Struct("!BBH").pack
_LONG = Struct("!BBQ").pack


def text_frame(payload: bytes) -> bytes:
    """Put the header of an unfragmented text frame before a payload of UTF-8. One copy of the payload."""
    length = len(payload)
    if length < 126:
        return _SHORT(_FIN_TEXT, length) + payload
    if length < 65536:
        return _MEDIUM(_FIN_TEXT, 126, length) + payload
    return _LONG(_FIN_TEXT, 127, length) + payload


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
