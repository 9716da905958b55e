"""Frames that a server shouldn't send (RFC 6455, section 5), and some that it may."""

import orjson

from feeds.faults.fault import Fault
from feeds.wire.frame import TEXT, build_frame, ping_frame, text_frame

__all__ = ["close_frame", "frames", "half_a_frame"]

_BINARY, _CLOSE = 0x82, 0x88
_RSV2, _RSV3 = 0x20, 0x10  # RSV1 says that a message is compressed, where that was agreed on


def close_frame(code: int | None, reason: str = "") -> bytes:
    """Close with a code and a reason, or with neither."""
    return build_frame(_CLOSE, b"" if code is None else code.to_bytes(2) + reason.encode())


def half_a_frame() -> bytes:
    """Announce 100 bytes, give 50."""
    return text_frame(b"[" + b" " * 98 + b"]")[:52]


def frames(fault: Fault, time_ms: float) -> list[bytes]:
    """Give what a fault sends, where it does nothing else; ``time_ms``: the market's time."""
    params = fault.params
    match fault.name:
        case "invalid_utf8":
            return [text_frame(b'["\xff"]')]
        case "reserved_bits":
            return [build_frame(TEXT | _RSV2 | _RSV3, b"[]")]
        case "binary_frame":
            return [build_frame(_BINARY, bytes(params["size"]))]
        case "ping_flood":
            return [ping_frame(b"%d" % n) for n in range(1, 1 + params["pings"])]
        case "oversize":
            array = orjson.dumps([{"type": "heartbeat", "time": time_ms}])
            return [text_frame(array[:-1].ljust(params["size"] - 1) + b"]")]
    raise AssertionError(fault.name)
