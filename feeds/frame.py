"""
WebSocket frames, server to client (RFC 6455, section 5.2).

A server's frames are not masked, so a frame is the same bytes for every client: it is built once and written to all.
"""

from struct import Struct

__all__ = ["PING_FRAME", "pong_frame", "text_frame"]

PING_FRAME = b"\x89\x00"
"""A ping without a payload."""

_FIN_TEXT, _FIN_PONG = 0x81, 0x8A
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
