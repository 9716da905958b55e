"""A connection that dies without a word: from one moment on, nothing that comes reaches it, and it acknowledges nothing."""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from typing import Any

import pytest

__all__ = ["blackhole", "needs_blackhole"]

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python doesn't name it

needs_blackhole = pytest.mark.skipif(
    sys.platform != "linux", reason="needs a socket filter to drop packets, and TCP_INFO to see it"
)


def blackhole(sock: Any) -> None:
    """
    Drop every packet that comes for a TCP socket, before TCP sees it: as if a cable were cut, on loopback.

    A socket filter of one instruction, "keep 0 bytes", does that; it needs no privileges (socket(7), SO_ATTACH_FILTER).
    """
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    program = struct.pack("HP", 1, ctypes.addressof(drop_all))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
