"""
What a client's WebSocket sends, looked at frame by frame before it is read (RFC 6455, section 5.2). No I/O.

Requests are limited elsewhere (:mod:`feeds.protocol.gate`). This module limits what never becomes a request: control frames, and
fragments of messages, which may be empty and endless. A client that sends too many of them, or a frame that isn't masked, is
refused before anything is done with it.
"""

import time
from collections.abc import Callable
from typing import Protocol

from feeds.admission.limits import TokenBucket
from feeds.admission.unfinished import Unfinished
from feeds.errors import CloseCode

__all__ = ["FRAMES_BURST", "FRAMES_S", "Inbound", "Reader", "Verdict"]

FRAMES_S, FRAMES_BURST = 100.0, 1_000
"""Control frames, and frames of messages in several, a second of one connection, and at once."""

GRACE = 1_000
"""How many frames of a refused client are still searched for the answer to our close frame."""

_CLOSE, _PONG = 0x88, 0x8A
_FREE = frozenset((0x81, 0x82, 0xC1, 0xC2, _CLOSE))  # whole messages, compressed or not
_MASKED = _LAST = 0x80
_CONTROL = 0x08
_LONGEST_CONTROL = 125
_MARK = b"\x8a\x00"  # a pong, which may come between any two frames

TOO_MANY = f"more than {FRAMES_S:g} control frames and fragments a second"
NOT_MASKED = "a frame that is not masked"

Verdict = tuple[CloseCode, str]
"""With which close code to close, and the reason."""


class Reader(Protocol):
    """What makes messages of frames."""

    def feed_data(self, data: bytes, /) -> tuple[bool, bytes]: ...

    def feed_eof(self) -> None: ...


class Inbound:
    """
    Stands before the reader of one connection. Costs about half a microsecond a frame.

    Args:
        reader: gets what is let pass; after what isn't, a pong, so that whoever waits for messages looks at ``refused``.
        seconds: gives real seconds, from any origin.
        unfinished: keeps account of messages that aren't whole; None: nobody does.
        abort: cuts the connection off.
    """

    __slots__ = (
        "_abort",
        "_bucket",
        "_grace",
        "_held",
        "_kept",
        "_pieces",
        "_reader",
        "_seconds",
        "_skip",
        "_unfinished",
        "pongs",
        "refused",
    )

    def __init__(
        self,
        reader: Reader,
        seconds: Callable[[], float] = time.monotonic,
        unfinished: Unfinished | None = None,
        abort: Callable[[], object] = bool,
    ) -> None:
        self._reader, self._seconds = reader, seconds
        self._unfinished, self._abort = unfinished, abort
        self._bucket: TokenBucket | None = None  # full until something is counted
        self._held = b""  # a header that isn't whole yet
        self._skip = 0  # bytes to come of the frame that is under way
        self._pieces = False  # whether a message in several frames is under way
        self._kept = 0  # bytes of the message under way
        self._grace = GRACE
        self.pongs = 0
        """Pongs that the server has asked for in numbers, and that don't count."""
        self.refused: Verdict | None = None
        """With which close code the connection is to be closed, and why; nothing more of it is read."""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take some bytes, as ``WebSocketReader`` does."""
        if self._held:
            data, self._held = self._held + data, b""
        if self.refused is not None:
            self._look_for_close(data)
            return False, b""
        passed = self._look(data)
        over, rest = self._reader.feed_data(data if passed == len(data) else data[:passed])
        if self.refused is not None and not over:
            self._reader.feed_data(_MARK)
            self._look_for_close(data[passed:])
        return over, rest

    def feed_eof(self) -> None:
        self._keep(0)
        self._reader.feed_eof()

    def _look(self, data: bytes) -> int:
        """Give how many of some bytes may be read."""
        at, size = self._skip, len(data)
        begun = -self._kept  # where the message under way begins, seen from here
        while at + 2 <= size:
            end = _end(data, at)
            if not end:
                break
            if not data[at + 1] & _MASKED:
                self.refused = (CloseCode.PROTOCOL_ERROR, NOT_MASKED)
            elif data[at] not in _FREE and self._too_many(data[at]):
                self.refused = (CloseCode.POLICY_VIOLATION, TOO_MANY)
            if self.refused is not None:
                self._skip = 0
                self._keep(0)
                return at
            if not self._pieces:
                begun = at
            if data[at] not in _FREE and not data[at] & _CONTROL:
                self._pieces = not data[at] & _LAST
            at = end
        self._skip = max(0, at - size)
        self._held = data[at:]
        if self._kept or self._skip or self._pieces:
            whole = not (self._skip or self._pieces)
            self._keep(0 if whole else size - begun - len(self._held))
        return min(at, size)

    def _keep(self, size: int) -> None:
        """Note how many bytes are kept of a message that isn't whole."""
        if self._unfinished is not None and size != self._kept:
            self._kept = size
            self._unfinished.note(self._abort, size)

    def _too_many(self, first: int) -> bool:
        if first == _PONG and self.pongs:
            self.pongs -= 1
            return False
        now = self._seconds()
        if self._bucket is None:
            self._bucket = TokenBucket(FRAMES_S, FRAMES_BURST, now)
        return self._bucket.take(now) > 0

    def _look_for_close(self, data: bytes) -> None:
        """Let nothing pass but close frames, and for a while only: who floods gets no more attention."""
        at, size = self._skip, len(data)
        while self._grace and at + 2 <= size:
            end = _end(data, at)
            whole = 0 < end <= size
            if data[at] == _CLOSE and not whole and data[at + 1] & 0x7F <= _LONGEST_CONTROL:
                break
            if data[at] == _CLOSE and whole:
                self._reader.feed_data(data[at:end])
            if not end:
                break
            at, self._grace = end, self._grace - 1
        self._skip = max(0, at - size)
        self._held = data[at:] if self._grace else b""


def _end(data: bytes, at: int) -> int:
    """Give where the frame ends that begins somewhere; 0: its header isn't whole."""
    flags = data[at + 1]
    length = flags & 0x7F
    head = 2
    if length > _LONGEST_CONTROL:
        head = 4 if length == 126 else 10
        if at + head > len(data):
            return 0
        length = int.from_bytes(data[at + 2 : at + head])
    return at + head + length + (4 if flags & _MASKED else 0)
