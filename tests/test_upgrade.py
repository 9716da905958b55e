"""The upgrade: what makes a WebSocket of a request, what it gets otherwise, and who goes away in the middle of it."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from fault_table import inject
from raw_http import RawHttp
from terminal import TIMEOUT_S, process
from wire import HANDSHAKE, LOGGERS, RawClient, eventually, on_both_loops, running

VERSION = "Sec-WebSocket-Version: 13"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
LINES = HANDSHAKE.decode().strip().split("\r\n")
MUST_BE = "; it must be there once: 16 bytes in base64"


def handshake(without: str = "", *instead: str) -> list[str]:
    return [line for line in LINES if line != without] + list(instead)


VERSIONS = {
    "none": ([], "Sec-WebSocket-Version is missing; 13 is spoken here"),
    "a draft's": (
        ["Sec-WebSocket-Version: 8"],
        "Sec-WebSocket-Version is '8'; 13 is spoken here",
    ),
    "one to come": (
        ["Sec-WebSocket-Version: 14"],
        "Sec-WebSocket-Version is '14'; 13 is spoken here",
    ),
}


@pytest.mark.parametrize(("lines", "message"), VERSIONS.values(), ids=VERSIONS.keys())
@pytest.mark.asyncio
async def test_another_version_gets_426_with_the_one_that_is_spoken(
    lines: list[str], message: str
) -> None:
    """As RFC 6455 asks, section 4.2.2."""
    async with running() as server, RawHttp(server) as http:
        http.send(*handshake(VERSION, *lines, "Connection: close"))
        answer = await http.answer()
        assert answer.status == 426
        assert answer.headers["sec-websocket-version"] == "13"
        assert answer.headers["upgrade"] == "websocket"
        assert answer.json() == {"type": "error", "code": "upgrade_required", "message": message}
        assert server.plant.feed.stats.refused == {"upgrade_required": 1}


KEYS = {
    "none": ([], "Sec-WebSocket-Key is missing" + MUST_BE),
    "empty": (["Sec-WebSocket-Key:"], "Sec-WebSocket-Key is ''" + MUST_BE),
    "no base64": (["Sec-WebSocket-Key: ???"], "Sec-WebSocket-Key is '???'" + MUST_BE),
    "too short": (["Sec-WebSocket-Key: YWJj"], "Sec-WebSocket-Key is 'YWJj'" + MUST_BE),
    "not ASCII": (["Sec-WebSocket-Key: ü"], "Sec-WebSocket-Key is 'ü'" + MUST_BE),
    "twice": (
        [KEY, KEY],
        "Sec-WebSocket-Key is 'dGhlIHNhbXBsZSBub25jZQ=='" + MUST_BE,
    ),
}


@pytest.mark.parametrize(("lines", "message"), KEYS.values(), ids=KEYS.keys())
@pytest.mark.asyncio
async def test_a_key_that_is_none_gets_400(lines: list[str], message: str) -> None:
    async with running() as server, RawHttp(server) as http:
        http.send(*handshake(KEY, *lines, "Connection: close"))
        answer = await http.answer()
        assert answer.status == 400
        assert answer.json() == {"type": "error", "code": "invalid_request", "message": message}
        async with RawClient(server) as client:
            assert (await client.message())[0]["type"] == "hello"


@pytest.mark.parametrize("without", ["Upgrade: websocket", "Connection: Upgrade"])
@pytest.mark.asyncio
async def test_a_request_for_no_upgrade_gets_426_with_the_other_ways(without: str) -> None:
    async with running() as server, RawHttp(server) as http:
        http.send(*handshake(without, "X-Last: 1"))
        data = await http.read(until=b'"}')
        assert data.startswith(b"HTTP/1.1 426 ")
        assert b"Sec-WebSocket-Version: 13\r\n" in data
        body: dict[str, Any] = json.loads(data.rpartition(b"\r\n")[2])
        assert body["code"] == "upgrade_required"
        assert "/sse" in body["message"]


NOT_THAT_WAY = {
    "HEAD": ("HEAD /ws HTTP/1.1", [], 426, "upgrade_required"),
    "HTTP/1.0": ("GET /ws HTTP/1.0", [], 426, "upgrade_required"),
    "a body": ("GET /ws HTTP/1.1", ["Content-Length: 5"], 400, "invalid_request"),
    "a body in chunks": (
        "GET /ws HTTP/1.1",
        ["Transfer-Encoding: chunked"],
        400,
        "invalid_request",
    ),
}


@pytest.mark.parametrize(
    ("first", "more", "status", "code"), NOT_THAT_WAY.values(), ids=NOT_THAT_WAY.keys()
)
@on_both_loops
async def test_what_isnt_a_get_of_http_1_1_without_a_body_is_no_upgrade(
    first: str, more: list[str], status: int, code: str
) -> None:
    """RFC 6455, section 4.2.1; proxies that see a body where we don't see one would take it for something else."""
    async with running() as server, RawHttp(server) as http:
        http.send(first, *LINES[1:], *more, "X-Last: 1")
        await http.push(b"5\r\nhello\r\n0\r\n\r\n" if "Transfer" in str(more) else b"hello")
        head = await http.read(until=b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.{first[-1]} {status} ".encode())
        assert server.plant.feed.stats.refused == {code: 1}
        assert not server.plant.websockets.open


@pytest.mark.asyncio
async def test_a_subprotocol_that_isnt_spoken_is_not_agreed_on() -> None:
    """The client then decides, as RFC 6455 has it; browsers hang up."""
    loggers = tuple(name for name in LOGGERS if name != "aiohttp")  # which warns of it
    async with running(loggers=loggers) as server, RawHttp(server) as http:
        http.send(*handshake("", "Sec-WebSocket-Protocol: graphql-ws"))
        head = await http.read(until=b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"Sec-WebSocket-Protocol" not in head


@on_both_loops
async def test_an_upgrade_while_the_server_stops_gets_503() -> None:
    """On a connection that was there before; new ones aren't accepted any more."""
    async with running(shutdown_timeout=60) as server, RawHttp(server) as http:
        http.send("GET /health HTTP/1.1", "Host: localhost")
        await http.read(until=b"}")
        async with RawClient(server) as holding:
            holding.polite = False
            await holding.message()
            stopping = asyncio.create_task(server.stop())
            await eventually(lambda: server.plant.websockets.farewell.goodbye, "it says goodbye")
            http.send(*LINES)
            data = await http.read(until=b'"}')
            assert data.startswith(b"HTTP/1.1 503 ")
            assert b'"code":"stopping","message":"the server is stopping"' in data
            assert b"\r\nRetry-After: 5\r\n" in data
            holding.writer.transport.abort()
        await stopping


# Who goes away.


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@on_both_loops
async def test_a_reset_during_the_upgrade_is_nothing_to_talk_about() -> None:
    """Nothing is logged, nothing is kept, and nothing counts as accepted."""
    async with running() as server:
        assert server.doors is not None
        doors = server.doors
        silence = inject(server, "silence")
        socks = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
        for sock in socks:
            sock.sendall(HANDSHAKE)
        await eventually(lambda: silence.fired == len(socks), "all are read")
        for sock in socks:
            reset(sock)
        await eventually(lambda: doors.turnstile.inside == 0, "all are gone")
        server.plant.websockets.faults.clear()
        async with RawClient(server) as client:
            assert (await client.message())[0]["type"] == "hello"
            assert (
                len(server.plant.websockets.open)
                == len(server.plant.websockets.keepalive.peers)
                == 1
            )
            assert server.plant.feed.stats.accepted == {"websocket": 1}
            (group,) = server.plant.hub.roster.groups.values()
            assert group.members == 1


@on_both_loops
async def test_a_reset_at_any_moment_of_the_upgrade_is_nothing_to_talk_about() -> None:
    async with running() as server:
        assert server.doors is not None
        doors = server.doors
        for n in range(0, len(HANDSHAKE) + 1, 4):
            with socket.create_connection(("127.0.0.1", server.port)) as sock:
                sock.sendall(HANDSHAKE[:n] if n < len(HANDSHAKE) - 4 else HANDSHAKE)
                reset(sock)
        async with RawClient(server) as client:
            assert (await client.message())[0]["type"] == "hello"
            await eventually(lambda: doors.turnstile.inside == 1, "all others are gone")
            await eventually(lambda: len(server.plant.websockets.open) == 1, "and forgotten")


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
def test_subprotocols_of_clients_dont_get_into_the_log() -> None:
    """Whoever can connect could fill it."""
    with process("serve", "--port", "0", "--ready-json", "--log-level", "info") as server:
        assert server.stdout is not None
        port = json.loads(server.stdout.readline())["port"]
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.sendall("\r\n".join(handshake("", "Sec-WebSocket-Protocol: gibberish")).encode())
            sock.sendall(b"\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 101 ")
        server.terminate()
        _, errors = server.communicate(timeout=TIMEOUT_S)
        assert "gibberish" not in errors
