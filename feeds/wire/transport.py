"""The seam between decisions and sockets: what the hub calls, and asyncio's way of doing it."""

import asyncio
import socket
import ssl
import sys
from collections import deque
from typing import Protocol

__all__ = [
    "NOTSENT_LOWAT",
    "SPARE_S",
    "Data",
    "Line",
    "SocketTransport",
    "Transport",
    "buffered",
    "tune",
]

Data = bytes | bytearray
"""Whole frames, never changed once they were handed over."""

NOTSENT_LOWAT = 16 * 1024
"""
Bytes that the kernel takes beyond what the network does (``TCP_NOTSENT_LOWAT``). Without it, Linux takes up to about
4 MB from us for a peer that doesn't read, and a backlog shows only when that much is stale.
"""


SPARE_S = 10.0
"""
How much longer than our own patience the kernel tries to get bytes acknowledged (``TCP_USER_TIMEOUT``, RFC 5482). It
counts a peer that doesn't read as one that is gone, so it must not be the first to lose patience; but what we have aborted
it would keep for about a quarter of an hour.
"""


_PIECE = 4 * 1024
_BLOCK = 16 * 1024


class _Block(bytearray):
    """
    Small pieces of a backlog in one, up to about ``_BLOCK`` bytes.

    By themselves they would lie between what lives long, in the same pages, and those could not go back to the system.
    """


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


class Line(Transport, Protocol):
    """One connection, as those see it who look after it."""

    def closed(self) -> bool:
        """Tell whether it is over, or about to be."""
        ...

    def release(self) -> None:
        """Leave what is unread, and all further writing, to whoever made the connection; may be called twice."""
        ...


class SocketTransport:
    """
    An asyncio transport, and a short way past it.

    We write to a socket of our own, a duplicate of the connection's: one call into C, where asyncio's transports take
    about half a microsecond more. What the kernel doesn't take waits here, and goes out as soon as it does; memory
    is given back as it drains, which uvloop's transports don't. Over TLS, and on Windows, all goes to the transport.

    Until :meth:`release`, nobody else may write to the connection: bytes would overtake each other.

    Args:
        transport: the connection's own transport (``request.transport``), with nothing unread.
        patience_s: how long we wait for a peer that takes nothing, in seconds.
    """

    __slots__ = ("_loop", "_own", "_pending", "_size", "_transport", "closed", "send")

    def __init__(self, transport: asyncio.Transport, patience_s: float = 10.0) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self.closed = transport.is_closing
        # Made when needed: 700 bytes, and most never do.
        self._pending: deque[Data | memoryview] | None = None
        self._size = 0
        tune(transport, patience_s)
        self._own = _duplicate(transport)
        self.send = self._write_all if self._own is None else self._own.send

    def unread(self) -> int:
        """Give the backlog in bytes."""
        try:
            return self._size + self._transport.get_write_buffer_size()
        except AttributeError:  # see buffered()
            return 0

    def write(self, data: Data) -> None:
        """Take whole frames, in order, behind what is unread."""
        if self._own is None or self._transport.get_write_buffer_size():
            self._hand_over(data)
        elif self._pending:
            self._append(data)
        else:
            try:
                sent = self._own.send(data)
            except BlockingIOError:
                sent = 0
            if sent < len(data):
                self.rest(data, sent)

    def rest(self, data: Data, sent: int) -> None:
        """Keep the rest, until the kernel takes it."""
        if self._own is None:
            return
        if not self._pending:
            self._loop.add_writer(self._own, self._drain)
        # What is left of most of a long message, which many are behind with, is kept once for all of them.
        shared = len(data) - sent > max(_PIECE, sent)
        self._append(memoryview(data)[sent:] if shared else data[sent:])

    def abort(self) -> None:
        """Drop the connection and its backlog at once."""
        self._pending = None
        self.release()
        self._transport.abort()

    def release(self) -> None:
        """Leave what is unread, and all further writing, to the asyncio transport; may be called twice."""
        own, self._own = self._own, None
        if own is None:
            return
        self.send = self._write_all
        if self._size:
            self._loop.remove_writer(own)
            self._size = 0
        own.close()  # a connection isn't over for its peer while we hold it
        pending, self._pending = self._pending, None
        for data in pending or ():
            self._transport.write(data)

    def _append(self, data: Data | memoryview) -> None:
        if self._pending is None:
            self._pending = deque()
        self._size += len(data)
        if len(data) > _PIECE:  # likely to be others' as well: kept once for all
            self._pending.append(data)
            return
        last = self._pending[-1] if self._pending else None
        if not isinstance(last, _Block) or len(last) > _BLOCK:
            last = _Block()
            self._pending.append(last)
        last += data

    def _drain(self) -> None:
        assert self._own is not None
        try:
            while self._pending:
                data = self._pending[0]
                sent = self._own.send(data)
                self._size -= sent
                if sent < len(data):
                    if isinstance(data, _Block):
                        del data[:sent]
                    else:
                        self._pending[0] = data[sent:]
                    return
                self._pending.popleft()
        except BlockingIOError:
            return
        except OSError:  # reset, or timed out: the transport tells its protocol
            self.abort()
            return
        self._pending = None
        self._loop.remove_writer(self._own)

    def _hand_over(self, data: Data) -> None:
        if self.closed():  # some of asyncio's transports would take it all, and log it
            raise ConnectionResetError("the connection is over")
        self._transport.write(data)

    def _write_all(self, data: Data) -> int:
        self._hand_over(data)
        return -1 if self._transport.get_write_buffer_size() else len(data)


def buffered(transport: asyncio.Transport) -> int:
    """Tell how many bytes a transport holds: of one of asyncio's over TLS that was closed twice, none, where that fails."""
    try:
        return transport.get_write_buffer_size()
    except AttributeError:
        return 0


def tune(transport: asyncio.Transport, patience_s: float) -> None:
    """Have a connection's kernel take little that isn't sent, and not try for ever; where it knows of that."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        _set_option(sock, "TCP_NOTSENT_LOWAT", NOTSENT_LOWAT)
        _set_option(sock, "TCP_USER_TIMEOUT", round(min(patience_s + SPARE_S, 1e6) * 1e3))


def _set_option(sock: socket.socket, name: str, value: int) -> None:
    if hasattr(socket, name) and value:
        sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _duplicate(transport: asyncio.Transport) -> socket.socket | None:
    sock: socket.socket | None = transport.get_extra_info("socket")
    secured: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if sock is None or secured is not None or sys.platform == "win32":
        return None
    try:
        own = socket.fromfd(sock.fileno(), sock.family, sock.type)
    except OSError:  # no more files may be open: the long way it goes as well
        return None
    own.setblocking(False)
    return own
