"""
What the kernel knows of a connection's peer: whether it has anything left to acknowledge, and when it was last heard.

Read from ``TCP_INFO`` (Linux, ``struct tcp_info`` in ``linux/tcp.h``); other systems aren't asked.
"""

import socket
import struct
import sys
from typing import NamedTuple, Protocol

__all__ = ["Acks", "acks"]


class Acks(NamedTuple):
    """How a peer stands with its acknowledgements."""

    outstanding: bool
    """Whether something was sent to it that it hasn't acknowledged. What its window has no room for isn't sent."""
    heard_s: float
    """Seconds since it last acknowledged anything."""


class Socket(Protocol):
    """What is asked: a socket, or what event loops give for one."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...


_UNACKED, _LAST_ACK = 24, 56
"""Bytes before ``tcpi_unacked``, in packets, and ``tcpi_last_ack_recv``, in milliseconds."""

_NUMBER = struct.Struct("=I")
_SIZE = _LAST_ACK + _NUMBER.size


def acks(sock: Socket | None) -> Acks | None:
    """Ask the kernel, about a microsecond; None: it doesn't tell, or the connection is over."""
    if sock is None or sys.platform != "linux":
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    except (OSError, ValueError):  # closed: uvloop says it this way
        return None
    if len(info) < _SIZE:
        return None
    (unacked,), (last_ack,) = (_NUMBER.unpack_from(info, at) for at in (_UNACKED, _LAST_ACK))
    return Acks(unacked > 0, last_ack / 1000)
