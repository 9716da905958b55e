"""Requests that don't come to an end: how much of them is kept, and who has to go when it is too much."""

from __future__ import annotations

import random

import pytest
from raw_http import RawHttp
from test_inbound import Recorder
from wire import PING, TEXT, RawClient, encode_frame, eventually, on_both_loops, running, text

from feeds.admission import unfinished as unfinished_module
from feeds.admission.inbound import Inbound
from feeds.admission.limits import Limits
from feeds.admission.unfinished import MOST_UNFINISHED, Unfinished
from feeds.http.access import MAX_PARAMETERS, MAX_QUERY_BYTES
from feeds.http.unreadable import MAX_HEADERS_BYTES, MAX_URL_BYTES
from feeds.server import FeedServer

KB = 1024


# The account.


def test_who_has_been_at_it_longest_goes_first() -> None:
    gone: list[str] = []
    account = Unfinished(most=100)
    one, two, three = (lambda name=name: gone.append(name) for name in ("one", "two", "three"))
    account.note(one, 40)
    account.note(two, 40)
    account.note(one, 50)
    assert (gone, account.total) == ([], 90)
    account.note(three, 20)
    assert (gone, account.total) == (["one"], 60)
    account.note(one, 0)
    account.note(two, 0)
    account.note(two, 0)
    assert (gone, account.total) == (["one"], 20)
    account.note(three, 101)
    assert (gone, account.total) == (["one", "three"], 0)


@pytest.mark.parametrize("seed", range(30))
def test_of_messages_in_whatever_pieces_what_isnt_whole_is_counted(seed: int) -> None:
    """At each cut, the account has the bytes since the message under way began, but for the header of a frame."""
    rng = random.Random(seed)
    data, begins, at = b"", [], 0
    for _ in range(30):
        begins.append(len(data))
        size = rng.choice([0, 1, 125, 126, 3_000, 70_000])
        if rng.random() < 0.5:
            data += encode_frame(TEXT, b"x" * size)
        else:
            data += encode_frame(TEXT, b"x" * size, fin=False)
            for _ in range(rng.randrange(3)):
                data += encode_frame(PING, b"?") + encode_frame(
                    0, b"y" * rng.randrange(900), fin=False
                )
            data += encode_frame(0, b"z" * rng.randrange(200))
    account = Unfinished()
    inbound = Inbound(Recorder(), lambda: 0.0, account)
    while at < len(data):
        more = rng.choice([1, 7, 1_000, 50_000])
        inbound.feed_data(data[at : at + more])
        at = min(len(data), at + more)
        begun = max(b for b in (*begins, len(data)) if b <= at)
        assert 0 <= at - begun - account.total < 14
    assert account.total == 0


def test_it_is_forgotten_with_the_connection_and_with_a_refusal() -> None:
    account = Unfinished()
    inbound = Inbound(Recorder(), lambda: 0.0, account)
    inbound.feed_data(encode_frame(TEXT, b"x" * 500)[:300])
    assert account.total == 300
    inbound.feed_eof()
    assert account.total == 0
    other = Inbound(Recorder(), lambda: 0.0, account)
    other.feed_data(encode_frame(TEXT, b"x" * 500, fin=False))
    assert account.total == 508
    other.feed_data(b"\x81\x00")
    assert other.refused is not None
    assert account.total == 0


# What a client sees.


@on_both_loops
async def test_requests_without_end_are_bounded_and_nobody_else_notices() -> None:
    """Each within all limits, with pings between its pieces; those that began first are cut off, without a close frame."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unfinished_module.Unfinished.__init__, "__defaults__", (1_000 * KB,))
        async with running() as server, RawClient(server) as witness:
            first = [await _endless(server) for _ in range(2)]
            second = [await _endless(server) for _ in range(2)]
            for client in first:
                assert await client.closed() is None
            for client in second:
                assert (await client.ask_between())["type"] == "pong"
            assert (await witness.ask(action="ping"))["type"] == "pong"
            for client in (*first, *second):
                await client.__aexit__()


class Endless(RawClient):
    async def ask_between(self) -> dict[str, str]:
        """Send a ping of the WebSocket, which may come between two pieces, and read its answer."""
        self.send_frame(PING, b"still there")
        while (await self.frame()) != (10, b"still there"):
            pass
        return {"type": "pong"}


async def _endless(server: FeedServer) -> Endless:
    client = await Endless(server).__aenter__()
    client.send_frame(TEXT, text(action="ping")[:-1] + b" " * 400 * KB, fin=False)
    try:
        await client.ask_between()
    except EOFError:
        pytest.fail("it was cut off at once")
    return client


@pytest.mark.asyncio
async def test_a_request_that_comes_slowly_is_answered_all_the_same() -> None:
    async with running() as server, RawClient(server) as client:
        data = encode_frame(TEXT, text(action="ping", id="slow") + b" " * 2_000)
        for at in range(0, len(data), 100):
            client.writer.write(data[at : at + 100])
            await client.writer.drain()
        assert (await client.until("pong"))[-1]["id"] == "slow"


def test_by_default_some_dozens_of_the_longest_requests_may_be_under_way() -> None:
    assert MOST_UNFINISHED == 16 * 1024 * KB


# Heads of requests over HTTP, which are kept as long as the answer goes on: for ever, if it is a WebSocket.


def headers(total: int, each: int = 4_000) -> list[str]:
    """Headers of so many bytes together, names included."""
    made = []
    while total > 0:
        name = f"X-{len(made):04d}"
        size = min(each, total)
        made.append(f"{name}: {'a' * (size - len(name))}")
        total -= size
    return made


UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.mark.parametrize("path", ["/ws", "/health", "/stream?symbols=*"])
@pytest.mark.asyncio
async def test_headers_that_are_too_long_together_get_431_and_the_connection_ends(
    path: str,
) -> None:
    async with running() as server, RawHttp(server) as http:
        upgrade = UPGRADE if path == "/ws" else ()
        http.send(f"GET {path} HTTP/1.1", "Host: localhost", *upgrade, *headers(MAX_HEADERS_BYTES))
        answer = await http.answer()
        assert (answer.status, answer.headers["connection"]) == (431, "close")
        assert answer.json() == {
            "type": "error",
            "code": "headers_too_large",
            "message": "headers of more than 32768 bytes together; no more are allowed",
        }
        assert server.access.stats.errors["headers_too_large"] == 1


@pytest.mark.asyncio
async def test_headers_that_are_just_short_enough_are_read() -> None:
    async with running() as server, RawHttp(server) as http:
        rest = MAX_HEADERS_BYTES - len("Hostlocalhost" + "Connectionclose")
        assert (await http.get("/health", *headers(rest))).status == 200
    async with running() as server, RawHttp(server) as http:
        assert (await http.get("/health", *headers(rest + 1))).status == 431


@on_both_loops
async def test_a_head_without_end_is_refused_before_it_is_whole() -> None:
    """The first of a connection, or a later one, for which no handshake time runs."""
    for requests in (0, 1):
        async with running(limits=Limits(handshake_s=600)) as server, RawHttp(server) as http:
            for _ in range(requests):
                http.send("GET /health HTTP/1.1", "Host: localhost")
                assert b" 200 OK" in await http.read(until=b"}")
            await http.push(b"GET /health HTTP/1.1\r\n")
            for line in headers(110 * 8_000, 8_000):
                await http.push(line.encode() + b"\r\n")
            answer = await http.answer()
            assert (answer.status, answer.json()["code"]) == (431, "headers_too_large")
            assert server.access.stats.errors["headers_too_large"] == 1
            assert server.doors is not None
            turnstile = server.doors.turnstile
            await eventually(lambda: not turnstile.inside, "it is gone")  # noqa: B023


@pytest.mark.asyncio
async def test_a_head_without_end_behind_a_stream_is_dropped_with_it() -> None:
    """Nothing can be said to it, as an answer is under way; it isn't kept either."""
    async with running() as server, RawHttp(server) as http:
        http.send("GET /stream?symbols=* HTTP/1.1", "Host: localhost")
        assert b'"snapshot"' in await http.read(until=b'"snapshot"')
        protocol = http_protocol(server)
        for line in ("GET /health HTTP/1.1", *headers(110 * 8_000, 8_000)):
            await http.push(line.encode() + b"\r\n")
        await eventually(lambda: protocol._close, "no more is read")
        assert server.plant.streams.open


def http_protocol(server: FeedServer) -> object:
    """The protocol behind the one door."""
    assert server.doors is not None
    (door,) = server.doors.open
    return door._inner


@pytest.mark.asyncio
async def test_a_url_as_long_as_is_allowed_with_headers_is_read() -> None:
    path = "/health?x=" + "a" * (MAX_URL_BYTES - 200)
    async with running() as server, RawHttp(server) as http:
        assert (await http.get(path, *headers(MAX_HEADERS_BYTES - 100))).status == 200


@pytest.mark.parametrize("path", ["/health", "/", "/ws", "/sse", "/api/symbols", "/nowhere"])
@pytest.mark.asyncio
async def test_a_url_has_so_many_parameters_and_no_more(path: str) -> None:
    """They are counted before they are read, as reading thousands takes as long as many other requests."""
    async with running() as server:
        for count in (MAX_PARAMETERS, MAX_PARAMETERS + 1):
            async with RawHttp(server) as http:
                answer = await http.get(path + "?" + "&".join(f"x{n}" for n in range(count)))
            assert (answer.status == 414) == (count > MAX_PARAMETERS)
        assert answer.headers["connection"] == "close"
        assert answer.json() == {
            "type": "error",
            "code": "uri_too_long",
            "message": "more than 100 parameters in a URL; no more are allowed",
        }


@pytest.mark.asyncio
async def test_an_upgrade_has_parameters_of_a_few_kilobytes_and_no_more() -> None:
    """They are kept for as long as the WebSocket is; a stream may say what it has."""
    for size, status in ((MAX_QUERY_BYTES, 101), (MAX_QUERY_BYTES + 1, 414)):
        async with running() as server, RawHttp(server) as http:
            path = "/ws?x=" + "a" * (size - 2)
            http.send(f"GET {path} HTTP/1.1", "Host: localhost", *UPGRADE)
            if status == 101:
                assert b" 101 " in await http.read(until=b"\r\n\r\n")
                continue
            answer = await http.answer()
            assert (answer.status, answer.headers["connection"]) == (414, "close")
            assert answer.json()["code"] == "uri_too_long"
            assert answer.json()["message"] == (
                "parameters of more than 4096 bytes; no more are allowed for a WebSocket"
            )
