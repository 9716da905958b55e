"""The seam to asyncio: the same behaviour under both loops, seen from the hub's side."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
import uvloop
from wire import TIMEOUT_S, eventually

from feeds.wire.transport import NOTSENT_LOWAT, SocketTransport

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop] | None] = {
    "asyncio": None,
    "uvloop": uvloop.new_event_loop,
}


@pytest.fixture(params=LOOPS.values(), ids=LOOPS.keys())
def run(request: pytest.FixtureRequest) -> Callable[[Any], None]:
    """Runs a coroutine under each of the loops."""

    def go(coroutine: Any) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(asyncio.wait_for(coroutine, TIMEOUT_S))

    return go


class Pair:
    """A connection: our end as a `SocketTransport`, the other as a plain socket that reads when told to."""

    async def __aenter__(self) -> Pair:
        loop = asyncio.get_running_loop()
        self.made: asyncio.Future[asyncio.Transport] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        pair = self

        class Protocol(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                pair.made.set_result(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                pair.lost.set_result(None)

        self.server = await loop.create_server(Protocol, "127.0.0.1", 0)
        self.peer = socket.socket()
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.peer.setblocking(False)
        await loop.sock_connect(self.peer, self.server.sockets[0].getsockname())
        self.raw = await self.made
        self.transport = SocketTransport(self.raw)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.peer.close()
        self.transport.release()
        self.raw.abort()
        await self.lost
        self.server.close()
        await self.server.wait_closed()

    async def read(self) -> int:
        return len(await asyncio.get_running_loop().sock_recv(self.peer, 1 << 20))


def test_what_is_written_arrives_and_leaves_no_backlog(run: Callable[[Any], None]) -> None:
    async def main() -> None:
        async with Pair() as pair:
            pair.transport.write(b"one ")
            pair.transport.write(bytearray(b"two"))
            await eventually(lambda: pair.transport.unread() == 0, "nothing unread")
            loop = asyncio.get_running_loop()
            data = b""
            while len(data) < 7:
                data += await loop.sock_recv(pair.peer, 100)
            assert data == b"one two"

    run(main())


def test_the_backlog_of_a_peer_that_doesnt_read_shows_early_and_goes_when_it_reads(
    run: Callable[[Any], None],
) -> None:
    """The kernel takes little beyond what the network does, where it would take megabytes."""

    async def main() -> None:
        async with Pair() as pair:
            written = 0
            while pair.transport.unread() < 50_000:
                pair.transport.write(b"x" * 1_000)
                written += 1_000
                await asyncio.sleep(0)
                assert written < 1_000_000, "the kernel hides the backlog"
            while pair.transport.unread():
                await pair.read()

    run(main())


def test_small_pieces_are_kept_together_and_arrive_in_order(
    run: Callable[[Any], None],
) -> None:
    """A backlog of many small pieces is few blocks, so that its memory can go back to the system."""

    async def main() -> None:
        async with Pair() as pair:
            sent = bytearray()
            for number in range(3_000):
                size = 9_000 if number % 500 == 499 else 100
                piece = number.to_bytes(4, "big") * (size // 4)
                pair.transport.write(piece)
                sent += piece
            assert pair.transport.unread() > 150_000
            pending = pair.transport._pending
            assert pending is not None
            assert len(pending) < 50
            assert sum(map(len, pending)) == pair.transport.unread()
            got = bytearray()
            while len(got) < len(sent):
                got += await asyncio.get_running_loop().sock_recv(pair.peer, 1 << 16)
            assert got == sent
            assert pair.transport.unread() == 0

    run(main())


def test_the_option_that_makes_it_show_is_set(run: Callable[[Any], None]) -> None:
    if not hasattr(socket, "TCP_NOTSENT_LOWAT"):
        pytest.skip("this system has no TCP_NOTSENT_LOWAT")

    async def main() -> None:
        async with Pair() as pair:
            sock = pair.raw.get_extra_info("socket")
            value = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
            assert value == NOTSENT_LOWAT
            value = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert value == 20_000, "longer than our own patience"

    run(main())


def test_aborting_drops_the_connection_with_its_backlog_at_once(
    run: Callable[[Any], None],
) -> None:
    async def main() -> None:
        async with Pair() as pair:
            for _ in range(200):
                pair.transport.write(b"x" * 10_000)
            assert pair.transport.unread() > 100_000
            pair.transport.abort()
            await pair.lost
            assert pair.transport.unread() == 0

    run(main())


def test_the_bytes_keep_their_order_whichever_way_they_go(run: Callable[[Any], None]) -> None:
    """The short way, its rest, what is written behind that, and what asyncio writes after the release."""

    async def main() -> None:
        async with Pair() as pair:
            sent = bytearray()
            number = 0

            def piece() -> bytes:
                nonlocal number
                number += 1
                data = b"%d," % number * 700
                sent.extend(data)
                return data

            while pair.transport.unread() < 60_000:
                data = piece()
                if pair.transport.unread():
                    pair.transport.write(data)
                else:
                    try:
                        taken = pair.transport.send(data)
                    except BlockingIOError:
                        taken = 0
                    if taken < len(data):
                        pair.transport.rest(data, taken)
            loop = asyncio.get_running_loop()
            got = bytearray()
            while pair.transport.unread() > 30_000:
                got += await loop.sock_recv(pair.peer, 5_000)
            pair.transport.write(piece())
            pair.transport.release()
            pair.transport.release()
            pair.raw.write(piece())
            pair.transport.write(piece())
            while len(got) < len(sent):
                got += await loop.sock_recv(pair.peer, 1 << 16)
            assert got == sent
            assert pair.transport.unread() == 0

    run(main())


def test_a_reset_while_something_is_unread_ends_the_connection(run: Callable[[Any], None]) -> None:
    async def main() -> None:
        async with Pair() as pair:
            while pair.transport.unread() < 50_000:
                pair.transport.write(b"x" * 5_000)
            pair.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            pair.peer.close()
            await pair.lost
            pair.transport.abort()
            assert pair.transport.unread() == 0

    run(main())


def test_writing_to_what_is_over_says_so(run: Callable[[Any], None]) -> None:
    """Whatever the event loop thinks of it: asyncio's would take it and log, now and then."""

    async def main() -> None:
        async with Pair() as pair:
            pair.transport.abort()
            for _ in range(10):
                with pytest.raises(OSError, match="over"):
                    pair.transport.write(b"x")

    run(main())


def test_it_works_where_there_is_no_socket() -> None:
    """Such as over TLS in some loops, or in a test."""

    class Socketless(asyncio.Transport):
        written = b""

        def write(self, data: Any) -> None:
            self.written += bytes(data)

        def get_write_buffer_size(self) -> int:
            return 5

        def is_closing(self) -> bool:
            return False

        def abort(self) -> None:
            self.written = b"aborted"

    async def main() -> None:
        raw = Socketless()
        transport = SocketTransport(raw)
        transport.write(b"x")
        assert (raw.written, transport.unread()) == (b"x", 5)
        assert transport.send(b"y") == -1
        transport.rest(b"y", -1)
        assert raw.written == b"xy"
        transport.abort()
        assert raw.written == b"aborted"

    asyncio.run(main())
