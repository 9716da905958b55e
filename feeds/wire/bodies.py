"""
Envelopes for HTTP: a response that goes on, made of the same fragments as everything else.

``EventStream`` is Server-Sent Events (WHATWG HTML, section 9.2): each event's ``data`` is the array that a WebSocket
message would be, its ``id`` the cursor after it. ``Lines`` is one JSON object a line. Where the client speaks
HTTP/1.1, each message is one chunk (RFC 9112, section 7.1), so that all bytes are shared and nothing is framed again.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable

from feeds.wire.envelope import Stateless
from feeds.wire.transport import Data

__all__ = ["EventStream", "Lines"]

_join = bytearray().join


class _Body(Stateless):
    """
    What both have in common.

    Args:
        chunked: whether messages are chunks.
        cursor: gives the cursor up to which members have everything; None: messages don't say.
    """

    number = 1

    def __init__(self, *, chunked: bool, cursor: Callable[[], bytes] | None = None) -> None:
        self._chunked, self._cursor = chunked, cursor

    def seal(self, pieces: Iterable[bytes]) -> Data:
        """Make one message. For 100 events, 10 KB: an event about 2.5 us, lines about 18 us, whatever the number of members."""
        array = _join(pieces)
        if len(array) <= 1:
            return b""
        array[-1] = 0x5D  # ]
        return self._message(array, whole=True)

    def wrap(self, payload: bytes, *, whole: bool = True) -> Data:
        """Make one message; it has a cursor if it is whole."""
        return self._message(payload, whole=whole)

    @abstractmethod
    def greet(self, payload: bytes, retry_ms: int) -> Data:
        """Make the first message, which has no cursor."""

    @abstractmethod
    def _message(self, array: Data, *, whole: bool) -> Data: ...

    def _chunk(self, *parts: Data) -> bytes:
        if not self._chunked:
            return b"".join(parts)
        return b"".join((b"%x\r\n" % sum(map(len, parts)), *parts, b"\r\n"))

    def _id(self, whole: bool) -> bytes:
        return self._cursor() if whole and self._cursor is not None else b""


class EventStream(_Body):
    """An event of a stream of Server-Sent Events. The array holds no newline: JSON encodes them, and we write none."""

    def greet(self, payload: bytes, retry_ms: int) -> Data:
        """Make the first message, with the pause after which a browser is to connect again."""
        return self._chunk(b"retry: %d\ndata: " % retry_ms, payload, b"\n\n")

    def _message(self, array: Data, *, whole: bool) -> Data:
        cursor = self._id(whole)
        head = b"id: %b\ndata: " % cursor if cursor else b"data: "
        return self._chunk(head, array, b"\n\n")


class Lines(_Body):
    """
    One object a line.

    The lines are made by cutting the array where ``},{"type"`` stands. That can't be inside an object: a quote inside a
    string has a backslash before it, so those bytes are structure and not text; and no object of the protocol holds
    a list of objects with a ``type``.
    """

    def greet(self, payload: bytes, retry_ms: int) -> Data:
        """Make the first message."""
        return self._message(payload, whole=False)

    def _message(self, array: Data, *, whole: bool) -> Data:
        lines = array[1:-1].replace(b'},{"type"', b'}\n{"type"')
        cursor = self._id(whole)
        tail = b'\n{"type":"cursor","cursor":"%b"}\n' % cursor if cursor else b"\n"
        return self._chunk(lines, tail)
