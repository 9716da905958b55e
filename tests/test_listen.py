"""Listening, and stopping at the moment when somebody comes in."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings
from contextlib import suppress

import pytest
import uvloop

from feeds.admission.listen import listen, stop_listening


class Guest(asyncio.Protocol):
    """Closes each connection that is made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def stopped_after(turns: int) -> None:
    """Stop when a connection has been waiting for so many passes of the event loop."""
    server = await listen(Guest, "127.0.0.1", 0, None, 10.0)
    with socket.create_connection(server.sockets[0].getsockname()) as peer:
        for _ in range(turns):
            await asyncio.sleep(0)
        await stop_listening(server)
        await server.wait_closed()
        peer.settimeout(10)
        with suppress(ConnectionResetError):  # it was not accepted any more
            assert peer.recv(1) == b""


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_nobody_is_forgotten_at_the_door(turns: int, loop: type) -> None:
    """Each socket that is accepted becomes a connection, however the moment of stopping falls."""
    with (
        warnings.catch_warnings(record=True, action="always") as told,
        asyncio.Runner(loop_factory=loop) as runner,
    ):
        runner.run(stopped_after(turns))
    gc.collect()
    assert [str(warning.message) for warning in told] == []


class Proactor(asyncio.SelectorEventLoop):
    """Watches no files for others, as the event loop of Windows."""

    def remove_reader(self, fd: object) -> bool:
        raise NotImplementedError


def test_it_stops_where_the_event_loop_watches_no_files() -> None:
    async def main() -> None:
        server = await listen(Guest, "127.0.0.1", 0, None, 10.0)
        address = server.sockets[0].getsockname()
        await stop_listening(server)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)

    with asyncio.Runner(loop_factory=Proactor) as runner:
        runner.run(main())
