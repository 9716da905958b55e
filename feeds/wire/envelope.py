"""
Envelopes: what is put around a message's fragments, for one way of delivery.

Fragments are the same for all of them. A message begins with the envelope's *head*, which stands on every board beside
the fragments, so that head and fragments are picked and joined in one go; :meth:`Envelope.seal` then finishes the
message, in place where it can.
"""

from collections.abc import Iterable
from typing import Protocol

from feeds.wire.frame import text_frame
from feeds.wire.transport import Data

__all__ = ["HEADS", "WEBSOCKET", "ArrayInWebSocket", "Envelope", "Stateless"]

_join = bytearray().join

HEADS = (b"\x81\x7e\x00\x00[", b"[")
"""The heads there are, by number: with room for the header of a WebSocket frame, and without."""


class Envelope(Protocol):
    """How messages are made of fragments."""

    number: int
    """Which head goes before the first fragment."""
    shareable: bool
    """Whether one object serves all groups; else each group has one of its own, from :meth:`open`."""
    saved: int
    """Bytes that compression saved in the last message from :meth:`seal`."""

    def open(self) -> "Envelope":
        """Give the object for a group."""
        ...

    def restart(self) -> None:
        """Make the next message independent of earlier ones: a member joins that has none of them."""
        ...

    def audience(self, members: int, /) -> None:
        """Note how many live members the group has now."""
        ...

    def seal(self, pieces: Iterable[bytes], /) -> Data:
        """Make one message of the head and fragments, in this order; empty if there are no fragments."""
        ...

    def wrap(self, payload: bytes, /, *, whole: bool = True) -> Data:
        """
        Make one message of a JSON array, for one connection; needs no other message.

        Args:
            payload: the array.
            whole: whether with this message the connection has everything up to the hub's place.
        """
        ...


class Stateless(Envelope):
    """What those have in common that keep nothing from one message to the next."""

    number = 0
    shareable = True
    saved = 0

    def open(self) -> Envelope:
        """Give itself: it keeps nothing."""
        return self

    def restart(self) -> None:
        """Do nothing: every message stands alone."""

    def audience(self, members: int, /) -> None:
        """Do nothing: it's the same for one and for many."""


class ArrayInWebSocket(Stateless):
    """A JSON array in an unfragmented, unmasked WebSocket text frame (RFC 6455, section 5.2); fragments end with a comma."""

    @staticmethod
    def seal(pieces: Iterable[bytes]) -> Data:
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

    @staticmethod
    def wrap(payload: bytes, *, whole: bool = True) -> Data:
        """Make one message."""
        return text_frame(payload)


WEBSOCKET = ArrayInWebSocket()
"""What most connections have."""
