"""
Requests that nobody sends by accident: shapes that two servers read differently, paths that lead elsewhere, bytes that are
no text, and crowds that never finish. Each gets the answer that the document says, and none gets into the log.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from raw_http import RawHttp
from wire import (
    TEXT,
    TIMEOUT_S,
    Follower,
    RawClient,
    encode_frame,
    eventually,
    on_both_loops,
    running,
    step,
    text,
)

from feeds.admission.limits import Limits
from feeds.server import FeedServer

WEB_ROOT = Path(__file__).parent.parent / "clients" / "web"
TOKEN = "s3cret"
HOST = "Host: localhost"
POST = "POST /control/step HTTP/1.1"
SMUGGLED = "GET /control/state HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def served(**options: object) -> AsyncIterator[FeedServer]:
    """A server that tests drive, with a page; anything that it logs as a warning fails the test."""
    async with running(web_root=WEB_ROOT, **options) as server:
        yield server


async def answers(server: FeedServer, request: str | bytes) -> list[int]:
    """Send bytes, then a request that ends the connection; give the statuses of all answers."""
    async with RawHttp(server) as http:
        await http.push(request.encode() if isinstance(request, str) else request)
        http.send("GET /end HTTP/1.1", HOST, "Connection: close")
        data = await http.read()
    return [int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:]]


# Requests that servers read differently: one server, one reading, and in doubt none.


@pytest.mark.parametrize(
    ("request_", "statuses"),
    [
        (f"{POST}\r\n{HOST}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}", [400]),
        (f"{POST}\r\n{HOST}\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{SMUGGLED}", [400]),
        (f"{POST}\r\n{HOST}\r\nContent-Length: 2\r\nContent-Length: 90\r\n\r\n{{}}{SMUGGLED}", [400]),
        (f"{POST}\r\n{HOST}\r\nContent-Length: +2\r\n\r\n{{}}{SMUGGLED}", [400]),
        (f"{POST}\r\n{HOST}\r\nContent-Length: 2, 2\r\n\r\n{{}}{SMUGGLED}", [400]),
        (f"{POST}\r\n{HOST}\r\nContent-Length: -1\r\n\r\n{SMUGGLED}", [400]),
        (f"{POST}\r\n{HOST}\r\nContent-Length : 2\r\n\r\n{{}}{SMUGGLED}", [400]),
        (f"{POST}\r\n{HOST}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{SMUGGLED}", [400]),
        (f"{POST}\r\n{HOST}\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{SMUGGLED}", [400]),
        (f"{POST}\r\n{HOST}\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n{SMUGGLED}", [400]),
        (f"{POST}\r\n{HOST}\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{{}}\r\n0\r\n\r\n", [400]),
        (f"GET /health HTTP/1.1\r\n{HOST}\r\nX: a\r\n folded\r\n\r\n", [400]),
        (f"GET /health HTTP/1.1\r\nX: a\r{HOST}\r\n\r\n", [400]),
        (f"GET /health HTTP/1.1\r\n{HOST}\r\nX: a\x00b\r\n\r\n", [400]),
        (f"GET /health HTTP/1.1\n{HOST}\n\n", [400]),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\x03\x03" + "a" * 100, [400]),
        # A body where none is wanted is a body, not the next request.
        (f"GET /health HTTP/1.1\r\n{HOST}\r\nContent-Length: {len(SMUGGLED)}\r\n\r\n{SMUGGLED}", [200, 404]),
        # What comes with the last chunk is no header of a request.
        (
            f"{POST}\r\n{HOST}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\nX-More: 1\r\n\r\n",
            [200, 404],
        ),
    ],
)  # fmt: skip
@pytest.mark.asyncio
async def test_what_could_be_read_in_two_ways_is_read_in_one_or_not_at_all(
    request_: str, statuses: list[int]
) -> None:
    async with served(control=True) as server:
        assert await answers(server, request_) == statuses


# Paths.


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../README.md",
        "/static/..%2f..%2fREADME.js",
        "/static/%2e%2e/page.js",
        "/static/page.js%00.css",
        "/static/..%5c..%5cx.js",
        "/static//etc/passwd.js",
        "/static/" + "a" * 5_000 + ".js",
        "/static/" + "a" * 65 + ".js",
        "/static/%D9%A1%D9%A2.js",
        "/static/./page.js",
        "/nope%0d%0aX-Evil:%201",
        "/%0a/api/symbols",
        "/%ff%fe",
        "/" + "a" * 60_000,
        "//evil.example/%2f..",
    ],
)
@pytest.mark.asyncio
async def test_a_path_that_leads_elsewhere_is_no_path(path: str) -> None:
    """In JSON, with what was asked for as a text in it, and in no header."""
    async with served() as server, RawHttp(server) as http:
        answer = await http.get(path)
        assert (answer.status, answer.json()["code"]) == (404, "not_found")
        assert "x-evil" not in answer.headers
        assert len(answer.body) < 200
        assert server.access.stats.errors["not_found"] == 1


@pytest.mark.parametrize(
    "path",
    [
        "/static/../api/symbols",
        "/static/..%2fapi/symbols",
        "/static/%2e%2e/api/symbols",
        "/health/../api/symbols",
        "/%0a/api/symbols",
        "/api%2fsymbols",
        "/%61pi/symbols",
        "//api/symbols",
        "http://localhost/api/symbols",
        "/API/symbols",
    ],
)
@pytest.mark.asyncio
async def test_no_spelling_of_a_path_is_a_way_around_the_token(path: str) -> None:
    async with served(token=TOKEN) as server, RawHttp(server) as http:
        answer = await http.get(path)
        assert (answer.status, b"AAPL" in answer.body) in ((401, False), (404, False))


# Bytes that are no text, and numbers that are none.


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((b"GET /health HTTP/1.1", b"Origin: http://\xff\xfe"), 403),
        ((b"GET /health HTTP/1.1", b"Origin: http://a\tb"), 403),
        ((b"GET /health HTTP/1.1", b"Origin: http://a", b"Origin: http://b"), 403),
        ((b"GET /health HTTP/1.1", b"Authorization: Bearer \xff\xfe"), 200),
        ((b"GET /api/symbols HTTP/1.1", b'If-None-Match: "\xff", W/, "unclosed'), 200),
        ((b"GET /metrics HTTP/1.1", b"Accept: application/openmetrics-text; version=\xff; q=z"), 200),
        ((b"GET /metrics HTTP/1.1", b"Accept: application/openmetrics-text; version=" + b"9." * 900), 200),
        ((b"GET /metrics HTTP/1.1", b"Accept: \xff/\xfe;;;=,,"), 200),
        ((b"GET / HTTP/1.1", b"Range: bytes=99999999999999999999-1,-0,zz"), 416),
        ((b"GET / HTTP/1.1", b"If-Modified-Since: Thu, 99 Foo 99999 99:99:99 GMT"), 200),
        ((b"GET /sse?symbols=AAPL HTTP/1.1", b"Last-Event-ID: \xff\xfe"), 200),
        ((b"GET /api/depth?symbol=%ed%a0%80 HTTP/1.1",), 404),
        ((b"GET /api/depth?symbol=AAPL&session=%00 HTTP/1.1",), 404),
        ((b"GET /api/bars?symbol=AAPL&limit=%D9%A1 HTTP/1.1",), 400),
        ((b"GET /sse?symbols=AAPL&mode=latest&max_hz=nan HTTP/1.1",), 400),
        ((b"GET /sse?symbols=AAPL&mode=latest&max_hz=1_0 HTTP/1.1",), 400),
        ((b"GET /sse?symbols=AAPL&epoch=a&since=NaN HTTP/1.1",), 400),
        ((b"GET /\xff\xfe HTTP/1.1",), 400),
    ],
)  # fmt: skip
@pytest.mark.asyncio
async def test_bytes_that_are_no_text_are_no_error_of_ours(
    lines: tuple[bytes, ...], status: int
) -> None:
    async with served() as server, RawHttp(server) as http:
        await http.push(b"\r\n".join((*lines, b"Host: localhost", b"", b"")))
        head = await http.read(until=b"\r\n\r\n")
        assert int(head.split()[1]) == status
        assert b"\xff" not in head.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    "body",
    [
        b'{"n":NaN}',
        b'{"n":1e999}',
        b'{"n":' + b"9" * 400 + b"}",
        b'{"n":true}',
        b'{"n":"1"}',
        b"{\x00}\x00",
        b'\xef\xbb\xbf{"n":1}',
        b"[" * 10_000 + b"]" * 10_000,
        b'{"n":{"n":' * 400 + b"1" + b"}}" * 400,
        b'{"n\xff":1}',
    ],
)
@pytest.mark.asyncio
async def test_a_body_that_is_no_request_is_refused_as_one(body: bytes) -> None:
    async with served(control=True) as server, RawHttp(server) as http:
        head = f"{POST}\r\n{HOST}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        await http.push(head.encode() + body)
        answer = await http.answer()
        assert answer.status == 400
        assert answer.json()["code"] in ("invalid_json", "invalid_value", "unknown_field")


# Texts that would break a line, or a page, where they are shown.


@pytest.mark.asyncio
async def test_what_is_echoed_breaks_no_line_and_no_page(caplog: pytest.LogCaptureFixture) -> None:
    """Control characters are written as escapes, the type is JSON and isn't guessed, and the log has nothing of it."""
    caplog.set_level(logging.INFO)
    hostile = "%0d%0a%1b[2J%00<script>alert(1)</script>%e2%80%ae"
    async with served() as server:
        for path in (
            f"/api/depth?symbol={hostile}",
            f"/api/depth?symbol=AAPL&{hostile}=1",
            f"/api/depth?symbol=AAPL&session={hostile}",
            f"/{hostile}",
        ):
            async with RawHttp(server) as http:
                answer = await http.get(path)
            assert answer.headers["content-type"].startswith("application/json")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert not {0, 10, 13, 27} & {*answer.body}
        async with RawClient(server) as client:
            for symbol in ("\r\n\x1b[2J\0", "\u202e\ud800"[:1], "А" * 5_000, "AAPL\u200b"):
                refused = await client.ask(action="subscribe", symbols=[symbol])
                assert refused["code"] == "unknown_symbol"
                assert not {0, 10, 13, 27} & {*refused["message"].encode()}
                assert len(refused["message"]) < 200
    assert "script" not in caplog.text
    assert "\x1b" not in caplog.text


# Frames at random.


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.asyncio
async def test_whatever_frames_a_client_makes_up_others_get_their_events(seed: int) -> None:
    """Requests that are changed at random, cut, nested, in frames of random kinds: never an error in the log."""
    rng = random.Random(seed)
    async with running(rate=20) as server, RawClient(server) as witness:
        witness.send(action="subscribe", symbols="*", channels=["trades", "quotes"])
        for _ in range(6):
            async with RawClient(server) as client:
                client.polite = False
                for _ in range(60):
                    client.writer.write(_frame(rng))
                client.writer.write_eof()
                await client.closed()
        await step(server, 1_000_000)
        follower = Follower()
        witness.send(action="ping")
        follower.feed(await witness.until("pong"))
        assert (follower.events > 20, follower.merged) == (True, 0)


def _frame(rng: random.Random) -> bytes:
    payload = bytearray(rng.choice(SEEDS))
    for _ in range(rng.choice([0, 0, 1, 3, 20])):
        at = rng.randrange(len(payload) + 1)
        payload[at : at + rng.randrange(3)] = rng.choice(SPLICES)
    opcode = rng.choice([TEXT] * 8 + [0, 2, 3, 8, 9, 10, 11])
    frame = encode_frame(opcode, bytes(payload), fin=rng.random() < 0.9)
    if rng.random() < 0.05:
        frame = bytes([frame[0] | rng.choice([0x10, 0x20, 0x40])]) + frame[1:]
    return frame[: rng.randrange(len(frame))] if rng.random() < 0.03 else frame


SEEDS = [
    text(action="subscribe", id=1, symbols=["AAPL", "M*"], channels=["trades", "bars"], interval="1s"),
    text(action="subscribe", symbols="*", mode="latest", max_hz=5, snapshot=False),
    text(action="subscribe", symbols=["AAPL"], epoch="x", since={"AAPL": {"trades": 1}}),
    text(action="unsubscribe", symbols=["*"], channels=["depth"]),
    text(action="snapshot", symbols=["AAPL"]),
    text(action="auth", token="x"),
    text(action="ping", id="a"),
    b"",
    b"{}",
    b"[]",
]  # fmt: skip
SPLICES = [
    b"", b"\xff", b"\xed\xa0\x80", b"\x00", b'"', b"\\", b"\\u0000", b"\\ud800", b"{", b"}", b"[", b"]" * 9,
    b"[" * 300, b"9" * 400, b"-0", b"1e999", b"NaN", b"null", b"true", b"*" * 70, b"?", b",", b'"id":1,', b'"action":',
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"action":"ping","id":NaN}', "invalid_json"),
        (b'{"action":"ping","id":Infinity}', "invalid_json"),
        (b'{"action":"ping","id":1e999}', "invalid_json"),
        (b'{"action":"ping","id":' + b"9" * 5_000 + b"}", "invalid_json"),
        (b'{"action":"ping","id":9007199254740992}', "invalid_value"),
        (b'{"action":"ping","id":-1.5}', "invalid_value"),
        (b'{"action":"ping","id":"\\ud800"}', "invalid_json"),
        (b'{"action":"subscribe","symbols":["A\\u0000APL"]}', "unknown_symbol"),
        ('{"action":"subscribe","symbols":["ＡＡＰＬ"]}'.encode(), "unknown_symbol"),
        ('{"action":"subscribe","symbols":["ААРL"]}'.encode(), "unknown_symbol"),
        (b'{"action":"subscribe","symbols":["AAPL"],"mode":"latest","max_hz":1e-400}', "invalid_value"),
        (b'{"__proto__":{},"action":"ping"}', "unknown_field"),
        (b'\xef\xbb\xbf{"action":"ping"}', "invalid_json"),
    ],
)  # fmt: skip
@pytest.mark.asyncio
async def test_what_json_leaves_open_is_answered_with_an_error(data: bytes, code: str) -> None:
    async with running() as server, RawClient(server) as client:
        await client.message()
        client.send_frame(TEXT, data)
        (answer,) = await client.message()
        assert (answer["type"], answer["code"]) == ("error", code)


@pytest.mark.asyncio
async def test_of_a_field_that_comes_twice_the_last_counts() -> None:
    async with running() as server, RawClient(server) as client:
        await client.message()
        client.send_frame(TEXT, b'{"action":"subscribe","action":"ping","id":1,"id":2}')
        (answer,) = await client.message()
        assert (answer["type"], answer["id"]) == ("pong", 2)


# Crowds that never finish.


@on_both_loops
async def test_hundreds_that_never_finish_a_handshake_are_gone_with_its_time_and_others_get_in() -> (
    None
):
    """Nothing, half a request, or half an upgrade; who comes with a whole one is answered meanwhile."""
    limits = Limits(handshake_s=4.0)  # enough for who means it, however busy the machine is
    begun = [b"", b"GET ", b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n"]
    async with running(limits=limits) as server:
        assert server.doors is not None
        doors = server.doors
        loop = asyncio.get_running_loop()
        crowd: list[socket.socket] = []
        try:
            for n in range(300):
                sock = socket.socket()
                sock.setblocking(False)
                crowd.append(sock)
                await loop.sock_connect(sock, ("127.0.0.1", server.port))
                await loop.sock_sendall(sock, begun[n % 3])
            async with RawClient(server) as client:
                assert (await client.ask(action="ping"))["type"] == "pong"
                for sock in crowd:
                    answer = await asyncio.wait_for(loop.sock_recv(sock, 4_096), TIMEOUT_S)
                    assert answer.startswith(b"HTTP/1.1 408 ")
                await eventually(lambda: doors.turnstile.inside == 1, "only the client is there")
        finally:
            for sock in crowd:
                sock.close()


@pytest.mark.asyncio
async def test_a_body_that_drips_is_given_up_in_time() -> None:
    """However steadily: the time is for all of it."""
    async with (
        running(control=True, limits=Limits(handshake_s=2.0)) as server,
        RawHttp(server) as http,
    ):
        http.send(POST, HOST, "Content-Length: 1000000")

        async def drip() -> None:
            while not http.ended:
                http.send(" ", end="")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        answer = await http.answer()
        await dripping
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert orjson.loads(answer.body)["message"] == "no whole body within 2 s"
