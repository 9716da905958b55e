"""Frames that a server shouldn't send (RFC 6455, section 5), and some that it may."""

import orjson

from feeds.wire.frame import TEXT, build_frame, text_frame

__all__ = [
    "binary_frame",
    "close_frame",
    "half_a_frame",
    "heartbeat",
    "invalid_utf8",
    "ping",
    "reserved_bits",
]

_BINARY, _CLOSE, _PING = 0x82, 0x88, 0x89
_RSV2, _RSV3 = 0x20, 0x10  # RSV1 says that a message is compressed, where that was agreed on


def close_frame(code: int | None, reason: str = "") -> bytes:
    """Close with a code and a reason, or with neither."""
    return build_frame(_CLOSE, b"" if code is None else code.to_bytes(2) + reason.encode())


def half_a_frame() -> bytes:
    """Announce 100 bytes, give 50."""
    return text_frame(b"[" + b" " * 98 + b"]")[:52]


def invalid_utf8() -> bytes:
    """Give a text frame with a byte that UTF-8 never has."""
    return text_frame(b'["\xff"]')


def reserved_bits() -> bytes:
    """Give a text frame with two bits set that mean nothing."""
    return build_frame(TEXT | _RSV2 | _RSV3, b"[]")


def ping(payload: bytes) -> bytes:
    """Ask for a pong."""
    return build_frame(_PING, payload)


def binary_frame(size: int) -> bytes:
    """Give so many bytes, all zero."""
    return build_frame(_BINARY, bytes(size))


def heartbeat(time_ms: float, size: int) -> bytes:
    """Give a heartbeat in a message of so many bytes, filled up with spaces."""
    array = orjson.dumps([{"type": "heartbeat", "time": time_ms}])
    return text_frame(array[:-1].ljust(size - 1) + b"]")
