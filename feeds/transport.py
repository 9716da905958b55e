"""The seam between decisions and sockets: what the hub calls, and asyncio's way of doing it."""

import asyncio
import socket
import ssl
import sys
from typing import Protocol

__all__ = ["Data", "SocketTransport", "Transport"]

Data = bytes | bytearray
"""Whole frames, never changed once they were handed over."""

NOTSENT_LOWAT = 16 * 1024
"""
Bytes that the kernel takes beyond what the network does (``TCP_NOTSENT_LOWAT``). Without it, Linux takes up to about
4 MB from us for a peer that doesn't read, and a backlog shows only when that much is stale.
"""


USER_TIMEOUT_MS = 10_000
"""How long the other end may leave bytes without acknowledgement (``TCP_USER_TIMEOUT``, RFC 5482): a machine or network
that is gone. Without it, Linux goes on trying for about a quarter of an hour."""

_OPTIONS = {"TCP_NOTSENT_LOWAT": NOTSENT_LOWAT, "TCP_USER_TIMEOUT": USER_TIMEOUT_MS}


class Transport(Protocol):
    """One connection, as the hub sees it. Nothing here waits."""

    def send(self, data: Data, /) -> int:
        """
        Take whole frames, if nothing is unread: the short way.

        Returns:
            Their length, if nothing is unread now either. Anything else, or a ``BlockingIOError`` (which is 0), has to
            be handed to :meth:`rest`.
        """
        ...

    def rest(self, data: Data, sent: int, /) -> object:
        """Take what :meth:`send` didn't."""
        ...

    def write(self, data: Data, /) -> object:
        """Take whole frames, in order, behind what is unread; what was handed over is never changed again."""
        ...

    def unread(self) -> int:
        """Give the backlog in bytes: written, and not taken by the kernel yet."""
        ...

    def abort(self) -> object:
        """Drop the connection and its backlog at once."""
        ...


class SocketTransport:
    """
    An asyncio transport, and a short way past it.

    As long as nothing is unread, :attr:`send` is the ``send`` of a socket of our own, a duplicate of the connection's:
    one call into C, where asyncio's transports take about half a microsecond more a write. What the kernel doesn't
    take at once goes to the transport, and so does everything until that has drained; then the order of bytes
    can't change. Over TLS, and on Windows, all goes to the transport.

    Whoever writes to the connection has to know which of the two it is: the hub does, for its members.

    Args:
        transport: the connection's own transport (``request.transport``).
    """

    __slots__ = ("_own", "_transport", "closed", "send", "unread", "write")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.write = transport.write
        self.unread = transport.get_write_buffer_size
        self.closed = transport.is_closing
        sock = transport.get_extra_info("socket")
        for option, value in _OPTIONS.items() if sock is not None else ():
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        self._own = _duplicate(transport)
        self.send = self._write_all if self._own is None else self._own.send

    def rest(self, data: Data, sent: int) -> None:
        """Leave the rest to the transport."""
        if self._own is not None:
            self.write(data[sent:])

    def abort(self) -> None:
        """Drop the connection and its backlog at once."""
        self.release()
        self._transport.abort()

    def release(self) -> None:
        """Let go of our duplicate; may be called twice. A connection isn't over for its peer before that."""
        if self._own is not None:
            self._own.close()

    def _write_all(self, data: Data) -> int:
        self.write(data)
        return -1 if self.unread() else len(data)


def _duplicate(transport: asyncio.Transport) -> socket.socket | None:
    sock: socket.socket | None = transport.get_extra_info("socket")
    secured: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if sock is None or secured is not None or sys.platform == "win32":
        return None
    own = socket.fromfd(sock.fileno(), sock.family, sock.type)
    own.setblocking(False)
    return own
