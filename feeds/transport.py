"""The seam between decisions and sockets: four methods that the hub calls, and asyncio's way of doing them."""

import asyncio
import socket
from typing import Protocol

__all__ = ["SocketTransport", "Transport"]

NOTSENT_LOWAT = 16 * 1024
"""
Bytes that the kernel takes beyond what the network does (``TCP_NOTSENT_LOWAT``). Without it, Linux takes up to about
4 MB from us for a peer that doesn't read, and a backlog shows only when that much is stale.
"""


class Transport(Protocol):
    """One connection, as the hub sees it. Nothing here waits."""

    def write(self, data: bytes, /) -> object:
        """Take whole frames, in order; what was handed over is never changed again."""
        ...

    def unread(self) -> int:
        """Give the backlog in bytes: written, and not taken by the kernel yet."""
        ...

    def abort(self) -> object:
        """Drop the connection and its backlog at once."""
        ...


class SocketTransport:
    """
    An asyncio transport, with its methods bound once: a call from the hub goes straight to asyncio or uvloop.

    Args:
        transport: the connection's own transport (``request.transport``).
    """

    __slots__ = ("abort", "closed", "unread", "write")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.write = transport.write
        self.unread = transport.get_write_buffer_size
        self.abort = transport.abort
        self.closed = transport.is_closing
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT_LOWAT)
