"""Plain answers over HTTP that nobody reads: cut off, with their memory; whoever reads, however slowly at first, gets all."""

from __future__ import annotations

import asyncio
import socket

import pytest
from raw_http import RawHttp
from wire import RawClient, eventually, on_both_loops, running

from feeds.admission import unread_answers as module
from feeds.admission.unread_answers import UnreadAnswers
from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy, Eviction

SYMBOLS = "2000"
"""Whose snapshots, of half a megabyte, are more than all buffers on the way take."""


class Stubborn(RawHttp):
    """A client with a small window that asks, and reads nothing unless told to."""

    async def ask(self, path: str = "/api/snapshot") -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.send(f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close")

    async def sip(self, size: int) -> int:
        """Read a little; 0: the server has cut it off."""
        try:
            return len(await asyncio.get_running_loop().sock_recv(self._sock, size))
        except ConnectionError:
            return 0


def waiting(server: FeedServer) -> int:
    assert server.doors is not None
    return len(server.doors.unread_answers._waiting)


def cut_off(server: FeedServer) -> dict[Eviction, int]:
    return {reason: n for reason, n in server.access.stats.unread.items() if n}


@on_both_loops
async def test_who_reads_nothing_of_an_answer_is_cut_off() -> None:
    policy = BacklogPolicy(no_progress_s=0.3)
    async with running(symbols=SYMBOLS, backlog=policy) as server, Stubborn(server) as client:
        await client.ask()
        await eventually(lambda: cut_off(server), "it is cut off")
        assert cut_off(server) == {Eviction.NO_PROGRESS: 1}
        assert server.doors is not None
        doors = server.doors
        await eventually(lambda: not doors.turnstile.inside, "it is forgotten")
        assert waiting(server) == 0


@on_both_loops
async def test_who_sips_is_cut_off_when_the_time_is_up() -> None:
    policy = BacklogPolicy(no_progress_s=1_000, soft_seconds=0.5)
    async with running(symbols=SYMBOLS, backlog=policy) as server, Stubborn(server) as client:
        await client.ask()
        await eventually(lambda: waiting(server), "it waits")
        got = 0
        while more := await client.sip(100):
            got += more
            if cut_off(server):
                break
            await asyncio.sleep(0)
        await eventually(lambda: cut_off(server), "it is cut off")
        assert cut_off(server) == {Eviction.TOO_LONG: 1}
        assert got < 500_000


@on_both_loops
async def test_who_comes_round_gets_all_of_it() -> None:
    policy = BacklogPolicy(no_progress_s=1_000)
    async with running(symbols=SYMBOLS, backlog=policy) as server, Stubborn(server) as client:
        await client.ask()
        await eventually(lambda: waiting(server), "it waits")
        answer = await client.answer()
        assert answer.status == 200
        assert len(answer.json()["snapshots"]) == 2000
        assert waiting(server) == 0
        assert cut_off(server) == {}


@pytest.mark.asyncio
async def test_who_goes_away_is_forgotten() -> None:
    async with running(symbols=SYMBOLS) as server:
        async with Stubborn(server) as client:
            await client.ask()
            await eventually(lambda: waiting(server), "it waits")
        await eventually(lambda: waiting(server) == 0, "it is forgotten")
        assert cut_off(server) == {}


@pytest.mark.asyncio
async def test_of_too_much_that_is_unread_who_has_waited_longest_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_UNREAD", 600_000)
    policy = BacklogPolicy(no_progress_s=1_000, soft_seconds=0)
    async with (
        running(symbols=SYMBOLS, backlog=policy) as server,
        Stubborn(server) as first,
        Stubborn(server) as second,
        RawClient(server) as witness,
    ):
        await first.ask()
        await eventually(lambda: waiting(server) == 1, "the first waits")
        await second.ask()
        await eventually(lambda: cut_off(server), "one is cut off")
        assert cut_off(server) == {Eviction.HARD_LIMIT: 1}
        answer = await second.answer()
        assert len(answer.json()["snapshots"]) == 2000
        assert (await witness.ask(action="ping"))["type"] == "pong"


@pytest.mark.asyncio
async def test_streams_and_websockets_are_left_to_the_rules_of_slow_consumers() -> None:
    """Over TLS they wait in the same place."""
    pytest.importorskip("cryptography")
    import ssl

    policy = BacklogPolicy(soft_limit=10**7, hard_limit=10**8, no_progress_s=0.2)
    # Far more than a client takes that doesn't read: what TLS holds of it, and a small buffer of the kernel's.
    async with running(symbols="10000", backlog=policy, tls_self_signed=True) as server:
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", server.port))
        reader, writer = await asyncio.open_connection(
            sock=sock, ssl=trusting, server_hostname="localhost", limit=2**10
        )
        try:
            writer.write(b"GET /stream?symbols=* HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            (stream,) = server.plant.streams.open
            await eventually(lambda: stream.transport.unread() > 100_000, "it is behind")
            assert waiting(server) == 0
        finally:
            writer.transport.abort()


@pytest.mark.asyncio
async def test_nothing_is_looked_at_while_nobody_waits() -> None:
    answers = UnreadAnswers(BacklogPolicy(), {})
    assert answers._timer is None
    async with running(symbols="5") as server, RawHttp(server) as http:
        assert (await http.get("/api/snapshot")).status == 200
        assert server.doors is not None
        assert server.doors.unread_answers._timer is None
