"""
Envelopes: what is put around a message's fragments, for one dialect on one transport.

The pieces are joined into a ``bytearray`` behind a head that has room for the frame's header; the header's length and the
closing bracket are then written in place.
"""

from collections.abc import Iterable
from typing import Protocol

__all__ = ["ArrayInWebSocket", "Envelope"]

_join = bytearray().join


class Envelope(Protocol):
    """How messages are made of fragments."""

    head: bytes
    """What goes before the first fragment."""

    def seal(self, pieces: Iterable[bytes], /) -> bytes | bytearray:
        """Make one message of the head and fragments, in this order; empty if there are no fragments."""
        ...


class ArrayInWebSocket:
    """A JSON array in an unfragmented, unmasked WebSocket text frame (RFC 6455, section 5.2); fragments end with a comma."""

    head = b"\x81\x7e\x00\x00["

    @staticmethod
    def seal(pieces: Iterable[bytes]) -> bytes | bytearray:
        """Make one message. One copy of the fragments."""
        frame = _join(pieces)
        length = len(frame) - 4
        if length <= 1:
            return b""
        frame[-1] = 0x5D  # ]
        if 126 <= length < 65536:
            frame[2] = length >> 8
            frame[3] = length & 0xFF
        elif length < 126:
            frame[0:4] = bytes((0x81, length))
        else:
            frame[0:4] = b"\x81\x7f" + length.to_bytes(8)
        return frame
