"""Listening, with an error that says what to do about it, and stopping without losing anybody who is at the door."""

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from feeds.errors import ConfigError

__all__ = ["everywhere", "listen", "stop_listening", "url_host"]

_BACKLOG = 4096
_ACCEPTED = 64
"""At once: asyncio tries that often even when no more files may be open, and logs each time."""
_ACCEPTING_TURNS = 8
"""Passes of the event loop until a socket accepted just before is a connection. It takes about four."""
_WHY = {
    errno.EADDRINUSE: "the port is in use; choose another with --port, or 0 for any free one",
    errno.EACCES: "ports below 1024 need privileges",
    errno.EADDRNOTAVAIL: "this machine has no such address; 127.0.0.1 is this machine alone, 0.0.0.0 all of its addresses",
}


async def listen(
    protocol: Callable[[], asyncio.Protocol],
    host: str,
    port: int,
    context: ssl.SSLContext | None,
    handshake_s: float,
) -> asyncio.Server:
    """
    Listen on an address.

    Args:
        protocol: makes the protocol of a connection.
        host: the address.
        port: the port; 0: any free one.
        context: for TLS, or None.
        handshake_s: how long its handshake may take, in seconds.

    Raises:
        ConfigError: the port is in use, or the address isn't ours.
    """
    bind = partial(
        asyncio.get_running_loop().create_server,
        protocol,
        host,
        backlog=_ACCEPTED,
        ssl=context,
        ssl_handshake_timeout=None if context is None else handshake_s,
    )
    try:
        server = await bind(port=port)
        if not port:
            server = await _on_one_port(server, bind)
    except OSError as error:
        number = error.errno or 0
        if "could not bind on any address" in str(error):  # Python 3.13 leaves the number out
            number = errno.EADDRNOTAVAIL
        why = _WHY.get(number, error.strerror or str(error))
        raise ConfigError(f"can't listen on {host} port {port}: {why}") from error
    for sock in server.sockets:
        # As many may wait to be accepted as the system lets; asyncio takes one number for that and for its tries.
        with socket.fromfd(sock.fileno(), sock.family, sock.type) as same:
            same.listen(_BACKLOG)
    return server


async def _on_one_port(
    server: asyncio.Server, bind: Callable[..., Awaitable[asyncio.Server]]
) -> asyncio.Server:
    """
    Have a server listen on the same port of each of its addresses.

    A name such as ``localhost`` may stand for two addresses, and any free port is then another one for each.
    """
    ports = sorted({sock.getsockname()[1] for sock in server.sockets})
    if len(ports) == 1:
        return server
    server.close()
    for port in ports[:-1]:
        with suppress(OSError):  # somebody else has it on another of the addresses
            return await bind(port=port)
    return await bind(port=ports[-1])


def everywhere(server: asyncio.Server | None) -> str:
    """Give the address by which a server listens on all of this machine's, such as ``0.0.0.0``; empty: it doesn't."""
    if server is None or not server.sockets:
        return ""
    for sock in server.sockets:
        host = str(sock.getsockname()[0])
        if ipaddress.ip_address(host).is_unspecified:
            return host
    return ""


def url_host(host: str, server: asyncio.Server | None) -> str:
    """
    Give what stands for the host in a URL that works on this machine.

    One for all addresses, such as ``0.0.0.0``, is none to connect to: some systems take it for this machine, others don't.

    Args:
        host: what was asked to listen on.
        server: what listens; None: nothing yet.
    """
    if bound := everywhere(server):
        host = "::1" if ":" in bound else "127.0.0.1"
    return f"[{host}]" if ":" in host else host


async def stop_listening(server: asyncio.Server) -> None:
    """
    Accept nobody any more, and let those accepted just before become connections, to be closed with the others.

    A server of asyncio that is closed at once forgets them: it asserts that it listens when they reach it, and says
    nothing. Their sockets stay open until they are collected as garbage.
    """
    loop = asyncio.get_running_loop()
    for sock in server.sockets:
        with suppress(NotImplementedError):  # on Windows there are none, and no such gap
            loop.remove_reader(sock.fileno())  # nor has uvloop
    for _ in range(_ACCEPTING_TURNS):
        await asyncio.sleep(0)
    server.close()
