"""Requests that aren't HTTP, or are too much of it: one kind of answer, and nothing of them in it or in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import websockets
from raw_http import RawHttp
from wire import HANDSHAKE, eventually, on_both_loops, running

from feeds.admission.limits import Limits
from feeds.engine.feed import Feed
from feeds.http.rest import Api
from ticker import __version__

TOKEN = "s3sameOpen"
LINES = HANDSHAKE.decode().strip().split("\r\n")
HOST = "Host: localhost\r\n"
NOT_HTTP = 400, "invalid_request", "what came is no request of HTTP/1.1"
TOO_LONG = 414, "uri_too_long", "a URL of more than 65536 bytes; no more are allowed"
BIG_HEADER = (
    431,
    "headers_too_large",
    "a header of more than 8190 bytes; no more are allowed",
)
MANY_HEADERS = 431, "headers_too_large", "more than 128 headers; no more are allowed"

UNREADABLE = {
    "a long URL": (
        f"GET /sse?token={TOKEN}&symbols={'A' * 70_000} HTTP/1.1\r\n{HOST}\r\n",
        TOO_LONG,
    ),
    "a control character": (f"GET /api/symbols?token={TOKEN}\x01 HTTP/1.1\r\n{HOST}\r\n", NOT_HTTP),
    "a space": (f"GET /api/symbols?token={TOKEN} x HTTP/1.1\r\n{HOST}\r\n", NOT_HTTP),
    "a zero": (
        f"GET /api/symbols HTTP/1.1\r\n{HOST}Authorization: Bearer \x00{TOKEN}\r\n\r\n",
        NOT_HTTP,
    ),
    "an address that is none": (f"GET http://[{TOKEN} HTTP/1.1\r\n{HOST}\r\n", NOT_HTTP),
    "a method that is none": (f"{TOKEN} / HTTP/1.1\r\n{HOST}\r\n", NOT_HTTP),
    "a bad length": (f"GET / HTTP/1.1\r\n{HOST}Content-Length: {TOKEN}\r\n\r\n", NOT_HTTP),
    "a bad chunk": (
        f"GET / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n{TOKEN}\r\n",
        NOT_HTTP,
    ),
    "another version": (f"GET /?token={TOKEN} HTTP/9.9\r\n{HOST}\r\n", NOT_HTTP),
    "TLS": (f"\x16\x03\x01{TOKEN}\r\n\r\n", NOT_HTTP),
    "a big header": (f"GET / HTTP/1.1\r\n{HOST}X: {TOKEN * 1_000}\r\n\r\n", BIG_HEADER),
    "many headers": (
        "GET / HTTP/1.1\r\n" + HOST + f"X: {TOKEN}\r\n" * 150 + "\r\n",
        MANY_HEADERS,
    ),
}


@pytest.mark.parametrize("what", list(UNREADABLE))
@on_both_loops
async def test_it_is_answered_in_json_and_neither_repeated_nor_logged(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    request, (status, code, message) = UNREADABLE[what]
    caplog.set_level(logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.INFO)
    async with running(token=TOKEN) as server, RawHttp(server) as http:
        caplog.clear()  # of what was said at the start
        await http.push(request.encode())
        answer = await http.answer()
        assert answer.status == status
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["connection"].lower() == "close"
        assert answer.json() == {"type": "error", "code": code, "message": message}
        assert TOKEN.encode() not in answer.body
    assert TOKEN not in caplog.text
    assert [r for r in caplog.records if r.levelno > logging.DEBUG] == []


@pytest.mark.asyncio
async def test_a_connection_ends_with_it() -> None:
    async with running() as server, RawHttp(server) as http:
        http.send("GET /health HTTP/1.1", "Host: localhost")
        assert b" 200 OK" in await http.read(until=b"}")
        await http.push(b"nonsense\r\n\r\n")
        assert (await http.answer()).status == 400
        assert http.ended


@pytest.mark.asyncio
async def test_an_http_client_sees_a_long_url_refused() -> None:
    """A URL of 64 KiB is read, and one that is longer isn't."""
    async with running() as server, aiohttp.ClientSession(server.url) as http:
        path = "/api/bars?symbol="
        async with http.get(path + "A" * (64 * 1024 - len(path))) as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, "unknown_symbol")
        async with http.get(path + "A" * (64 * 1024 - len(path) + 1)) as answer:
            assert (answer.status, (await answer.json())["code"]) == (414, "uri_too_long")


@pytest.mark.asyncio
async def test_a_websocket_client_sees_it_too() -> None:
    async with running() as server:
        headers = {"X-Much": "x" * 9_000}
        with pytest.raises(websockets.InvalidStatus) as error:
            async with websockets.connect(server.ws_url, additional_headers=headers):
                pass
        assert error.value.response.status_code == 431
        assert b'"headers_too_large"' in (error.value.response.body or b"")


@pytest.mark.asyncio
async def test_an_error_inside_the_server_is_logged_and_told_as_json(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any) -> Any:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(Api, "symbols", fail)
    async with running(loggers=()) as server, aiohttp.ClientSession(server.url) as http:
        async with http.get("/api/symbols") as answer:
            assert answer.status == 500
            body = await answer.text()
            assert (await answer.json())["code"] == "internal_error"
            assert "inside the server" in body
            assert "ZeroDivision" not in body
        async with http.get("/health") as answer:
            assert answer.status == 200
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert (record.name, record.getMessage()) == ("feeds", "a request failed; please report this")
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


@on_both_loops
async def test_who_goes_away_in_the_middle_is_no_error_of_ours() -> None:
    """Whatever the event loop says of writing to it: nothing is logged, and others are served."""
    tried = False

    async def late(_: Api, request: aiohttp.web.Request) -> Any:
        nonlocal tried
        assert request.transport is not None
        request.transport.abort()
        tried = True
        raise RuntimeError("unable to perform operation on <TCPTransport>; the handler is closed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Api, "symbols", late)
        async with running() as server:
            async with RawHttp(server) as http:
                http.send("GET /api/symbols HTTP/1.1", "Host: localhost")
                await eventually(lambda: tried, "it was asked for")
            async with RawHttp(server) as http:
                assert (await http.get("/health")).status == 200


@pytest.mark.asyncio
async def test_a_failure_in_the_middle_of_an_answer_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no second head behind the first."""

    async def fail(_: Api, request: aiohttp.web.Request) -> Any:
        response = aiohttp.web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{")
        raise ZeroDivisionError

    monkeypatch.setattr(Api, "symbols", fail)
    async with running(loggers=()) as server, RawHttp(server) as http:
        http.send("GET /api/symbols HTTP/1.1", "Host: localhost")
        assert (await http.read()).count(b"HTTP/1.1") == 1
    assert [r.name for r in caplog.records if r.levelno >= logging.ERROR] == ["feeds"]


@pytest.mark.parametrize("path", ["/sse", "/stream"])
@on_both_loops
async def test_who_goes_away_before_a_stream_begins_is_nothing_to_talk_about(path: str) -> None:
    """Nothing is logged: whoever can connect could fill the log with it."""
    asked, gone = asyncio.Event(), asyncio.Event()

    def wanted(*_: Any) -> Iterator[None]:
        asked.set()
        while not gone.is_set():
            yield

    async with running() as server:
        assert server.doors is not None
        turnstile, before = server.doors.turnstile, len(asyncio.all_tasks())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Feed, "wanted", wanted)
            async with RawHttp(server) as http:
                http.send(f"GET {path}?symbols=* HTTP/1.1", "Host: localhost")
                await eventually(asked.is_set, "it is looked at")
                http.reset()
            await eventually(lambda: not turnstile.inside, "it is gone")
            gone.set()
            await eventually(lambda: len(asyncio.all_tasks()) == before, "it is over")
        assert not server.plant.feed.stats.accepted
        assert not server.access.stats.errors


@pytest.mark.parametrize("request_", ["CONNECT localhost:80", "CONNECT /health", "OPTIONS *"])
@on_both_loops
async def test_who_asks_for_no_path_gets_400_and_nothing_more(request_: str) -> None:
    """It would otherwise be answered past the limits, again and again."""
    async with running(loggers=()) as server, RawHttp(server) as http:
        for _ in range(3):
            http.send(f"{request_} HTTP/1.1", "Host: localhost")
        answer = await http.answer()
        assert answer.status == 400
        assert answer.json() == {
            "type": "error",
            "code": "invalid_request",
            "message": "what is asked for is no path, and this server is no proxy",
        }
        assert server.access.stats.errors == {"invalid_request": 1}


@on_both_loops
async def test_whatever_else_is_expected_the_rules_come_first() -> None:
    """``Expect`` is no way past the limits, and isn't repeated."""
    limits = Limits(max_requests_s=0.1, max_burst=2)
    async with running(limits=limits) as server, RawHttp(server) as http:
        for _ in range(3):
            http.send("GET /nothing HTTP/1.1", "Host: localhost", f"Expect: {TOKEN}")
        http.send("GET /health HTTP/1.1", "Host: localhost", "Connection: close")
        answers = await http.read()
        assert answers.count(b"HTTP/1.1 404 ") == 2
        assert answers.count(b"HTTP/1.1 429 ") == 2
        assert TOKEN.encode() not in answers


@on_both_loops
async def test_who_waits_to_send_a_body_is_told_to_go_on() -> None:
    """But not where there is none: there the answer is all that comes (RFC 9110, section 10.1.1)."""
    async with running(control=True) as server, RawHttp(server) as http:
        expect = "Host: localhost", "Expect: 100-continue"
        http.send("GET /health HTTP/1.1", *expect)
        assert (await http.read(until=b"}")).startswith(b"HTTP/1.1 200 ")
        http.send("POST /control/advance HTTP/1.1", *expect, "Content-Length: 10")
        assert await http.read(until=b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await http.push(b'{"by":"1"}')
        assert (await http.read(until=b"}")).startswith(b"HTTP/1.1 400 ")


@pytest.mark.asyncio
async def test_no_answer_says_what_the_server_is_made_of() -> None:
    """Neither a good one, nor one to what can't be read, nor that to an upgrade."""
    async with running() as server:
        for lines in (
            ["GET /health HTTP/1.1", "Host: localhost"],
            ["x"],
            LINES,
            ["CONNECT x HTTP/1.1"],
        ):
            async with RawHttp(server) as http:
                http.send(*lines)
                head = await http.read(until=b"\r\n\r\n")
                assert f"\r\nServer: tickerplant/{__version__}\r\n".encode() in head
                assert b"aiohttp" not in head


@on_both_loops
async def test_a_body_that_doesnt_end_is_not_waited_for_for_ever() -> None:
    limits = Limits(handshake_s=0.3)
    async with running(control=True, limits=limits) as server, RawHttp(server) as http:
        http.send("POST /control/advance HTTP/1.1", "Host: localhost", "Content-Length: 10")
        await http.push(b"{")
        answer = await http.read(until=b"}")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"request_timeout","message":"no whole body within 0.3 s"' in answer
        assert b"\r\nConnection: close\r\n" in answer


@on_both_loops
async def test_a_body_that_is_too_big_is_refused_in_json() -> None:
    async with running(control=True) as server, RawHttp(server) as http:
        size = 2**20 + 1
        http.send("POST /control/advance HTTP/1.1", "Host: localhost", f"Content-Length: {size}")
        await http.push(b"x" * size)
        answer = await http.read(until=b"}")
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b'"code":"message_too_big","message":"a body of more than 1048576 bytes' in answer


@on_both_loops
async def test_a_body_that_says_that_it_is_too_big_isnt_waited_for() -> None:
    async with running(control=True) as server, RawHttp(server) as http:
        size = 2**20 + 1
        http.send("POST /control/advance HTTP/1.1", "Host: localhost", f"Content-Length: {size}")
        answer = await http.read(until=b"}")
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nConnection: close\r\n" in answer


@on_both_loops
async def test_a_body_in_pieces_that_are_too_many_is_refused() -> None:
    async with running(control=True) as server, RawHttp(server) as http:
        http.send("POST /control/advance HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked")
        for _ in range(17):
            await http.push(b"10000\r\n" + b"x" * 2**16 + b"\r\n")
        answer = await http.read(until=b"}")
        assert answer.startswith(b"HTTP/1.1 413 ")


@on_both_loops
async def test_a_compressed_body_is_refused_with_what_is_understood() -> None:
    async with running(control=True) as server, RawHttp(server) as http:
        lines = "Host: localhost", "Content-Encoding: gzip", "Content-Length: 3"
        http.send("POST /control/advance HTTP/1.1", *lines)
        await http.push(b"xyz")
        answer = await http.read(until=b"}")
        assert answer.startswith(b"HTTP/1.1 415 ")
        assert b"\r\nAccept-Encoding: identity\r\n" in answer
        assert (
            b'"code":"unsupported_encoding","message":"a body with Content-Encoding \'gzip\''
            in answer
        )


@pytest.mark.parametrize("path", ["/health", "/ws", "/nothing"])
@pytest.mark.parametrize("hosts", [(), ("Host: localhost", "Host: x")], ids=["none", "two"])
@pytest.mark.asyncio
async def test_a_request_without_a_host_or_with_several_gets_400(
    path: str, hosts: tuple[str, ...]
) -> None:
    """As RFC 9112, section 3.2, asks; one of HTTP/1.0 needs none."""
    async with running() as server:
        async with RawHttp(server) as http:
            http.send(f"GET {path} HTTP/1.1", *hosts)
            answer = await http.read(until=b"}")
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b'"code":"invalid_request"' in answer
        async with RawHttp(server) as http:
            http.send(f"GET {path} HTTP/1.0")
            assert b" 400 " not in await http.read(until=b"\r\n")
