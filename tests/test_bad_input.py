"""
Bad input over real sockets: one clear error that names the value, and nothing else changes.

After each, the same connection still gets its events and answers, and so does everybody else; where the document says
that the connection is closed, it is closed with the code that the document says.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
import websockets
from raw_http import RawHttp
from wire import (
    BINARY,
    CLOSE,
    HANDSHAKE,
    PING,
    PONG,
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
from feeds.wire.backlog import BacklogPolicy

PATIENT = BacklogPolicy(soft_limit=10**7, hard_limit=10**8)
"""Nobody is conflated, however busy this machine is."""

STREAM = {"action": "subscribe", "symbols": "*", "channels": ["trades", "quotes"]}
CHANNELS_ARE = "the channels are trades, quotes, bars, status, depth"


class Stream:
    """A client whose stream is followed; what isn't an event is kept in `others`."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        self.follower = Follower()

    async def read(self) -> list[dict[str, Any]]:
        """Read a message, check its events, and give what else is in it."""
        items = await self.client.message()
        self.follower.feed(items)
        events = ("trade", "quote", "snapshot", "subscribed", "hello")
        return [i for i in items if i["type"] not in events]

    async def other(self) -> dict[str, Any]:
        """Read up to the next object that is no event."""
        while True:
            if found := await self.read():
                (item,) = found
                return item

    async def still_streams(self) -> None:
        seen = self.follower.events
        while self.follower.events < seen + 20:
            assert await self.read() == []


@asynccontextmanager
async def two_streams() -> AsyncIterator[tuple[FeedServer, Stream, Stream]]:
    """A server with two subscribed clients: one that misbehaves and a witness."""
    async with (
        running(clock="wall", rate=200, symbols="20", backlog=PATIENT) as server,
        RawClient(server) as one,
        RawClient(server) as two,
    ):
        streams = Stream(one), Stream(two)
        for stream in streams:
            stream.client.send(**STREAM)
            while not stream.follower.events:
                assert await stream.read() == []
        yield server, *streams
        assert streams[0].follower.merged == streams[1].follower.merged == 0


def error(code: str, message: str, request_id: Any = None) -> dict[str, Any]:
    head = {"type": "error"} if request_id is None else {"type": "error", "id": request_id}
    return head | {"code": code, "message": message}


ANSWERED: dict[str, tuple[bytes, dict[str, Any]]] = {
    "an unknown symbol": (
        text(action="subscribe", symbols=["APPL"], id=5),
        error("unknown_symbol", "unknown symbol 'APPL'; did you mean 'AAPL'?", 5),
    ),
    "one unknown symbol among known ones": (
        text(action="unsubscribe", symbols=["AAPL", "QQQQQQ"]),
        error("unknown_symbol", "unknown symbol 'QQQQQQ'; ask for the list with 'symbols'"),
    ),
    "a pattern that matches nothing": (
        text(action="snapshot", symbols=["%*"]),
        error("unknown_symbol", "the pattern '%*' matches no symbol"),
    ),
    "a pattern that is too long": (
        text(action="snapshot", symbols=["?" * 65], id=2),
        error(
            "invalid_value",
            "a pattern of 65 characters, '" + "?" * 56 + "...; at most 64 are allowed",
            2,
        ),
    ),
    "a pattern that is far too long": (
        text(action="unsubscribe", symbols="*A" * 100_000, id=3),
        error(
            "invalid_value",
            "a pattern of 200000 characters, '" + "*A" * 28 + "...; at most 64 are allowed",
            3,
        ),
    ),
    "an unknown action": (
        text(action="by", id="a"),
        error(
            "unknown_action",
            "unknown action 'by'; the actions are subscribe, unsubscribe, snapshot, symbols, ping, auth",
            "a",
        ),
    ),
    "an unknown channel": (
        text(action="subscribe", symbols="*", channels=["trades", "prices"]),
        error("unknown_channel", f"unknown channel 'prices'; {CHANNELS_ARE}"),
    ),
    "an unknown field": (
        text(action="unsubscribe", symbols="*", chanels=["quotes"]),
        error(
            "unknown_field",
            "'unsubscribe' has no field 'chanels'; its fields are symbols, channels, interval, id",
        ),
    ),
    "a missing field": (
        text(action="unsubscribe", id=1),
        error("missing_field", "the field 'symbols' is missing: a list of symbols, or \"*\"", 1),
    ),
    "a wrong type": (
        text(action="unsubscribe", symbols=7),
        error(
            "invalid_value",
            "'symbols' must be a list of symbols and patterns, or \"*\", not 7",
        ),
    ),
    "what is nested too deep": (
        b'{"action":"unsubscribe","symbols":' + b"[" * 900 + b"]" * 900 + b',"id":4}',
        error(
            "invalid_json",
            "invalid JSON at character 0: nested more than 254 deep:"
            """ '{"action":"unsubscribe","symbols":[[[[[[...'""",
        ),
    ),
    "no object": (
        b'["ping"]',
        error("invalid_request", 'a request must be a JSON object, not ["ping"]'),
    ),
    "10,000 symbols in one request": (
        text(action="unsubscribe", symbols=["AAPL"] * 10_000, id=3),
        error(
            "too_many_symbols",
            "10000 symbols in one request; at most 1000 are allowed:"
            ' use several requests, a pattern such as "A*", or "*"',
            3,
        ),
    ),
    "a message of 300 KiB": (
        b'{"action":"unsubscribe","symbols":"*","id":"' + b"x" * (300 * 1024 - 46) + b'"}',
        error("message_too_big", "a request of 307200 bytes; at most 262144 are allowed"),
    ),
    "a token where none is wanted": (
        text(action="auth", token="letmein"),
        error(
            "auth_not_configured",
            "this server was started without a token: no authentication is needed",
        ),
    ),
}


@pytest.mark.parametrize(("request_", "answer"), ANSWERED.values(), ids=ANSWERED.keys())
@pytest.mark.asyncio
async def test_a_request_that_cant_be_done_is_answered_and_nothing_changes(
    request_: bytes, answer: dict[str, Any]
) -> None:
    async with two_streams() as (server, bad, witness):
        bad.client.send_frame(TEXT, request_)
        assert await bad.other() == answer
        await bad.still_streams()
        await witness.still_streams()
        bad.client.send(action="ping", id="well")
        assert (await bad.other())["id"] == "well"
        (group,) = server.plant.hub.roster.groups.values()
        assert group.members == 2, "the subscription is what it was"


@pytest.mark.asyncio
async def test_what_is_nested_deep_is_shown_to_who_drives_the_server() -> None:
    """As text, since it couldn't be written as JSON."""
    deep = b"[" * 900 + b"]" * 900
    async with running(control=True, journal=100) as server:
        async with RawClient(server) as client:
            client.send_frame(TEXT, b'{"action":"ping","x":' + deep + b"}")
            await client.until("error")
        async with RawHttp(server) as http:
            answer = await http.get("/control/journal")
            assert answer.status == 200
            assert b"[" * 200 in answer.body
        async with RawHttp(server) as http:
            body = b'{"symbol":"AAPL","price":' + deep + b"}"
            http.send(
                "POST /control/trade HTTP/1.1",
                "Host: localhost",
                f"Content-Length: {len(body)}",
                "Connection: close",
            )
            await http.push(body)
            answer = await http.answer()
            assert (answer.status, answer.json()["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("data", [b"", b"{", b"subscribe AAPL", b'{"action":"ping",}', b"\0"])
@pytest.mark.asyncio
async def test_what_isnt_json_is_answered_with_the_place(data: bytes) -> None:
    with pytest.raises(orjson.JSONDecodeError) as reason:
        orjson.loads(data)
    async with two_streams() as (_, bad, witness):
        bad.client.send_frame(TEXT, data)
        text = (
            f"invalid JSON at character {reason.value.pos}: {reason.value.msg}: {data.decode()!r}"
        )
        assert await bad.other() == error("invalid_json", text)
        await bad.still_streams()
        await witness.still_streams()


@pytest.mark.asyncio
async def test_a_binary_message_is_answered_and_nothing_changes() -> None:
    async with two_streams() as (_, bad, witness):
        bad.client.send_frame(BINARY, text(action="ping"))
        assert await bad.other() == error(
            "binary_frame", "a binary message of 17 bytes; requests are JSON in text messages"
        )
        await bad.still_streams()
        await witness.still_streams()


@pytest.mark.asyncio
async def test_a_malformed_request_before_the_greeting_was_read_is_answered_after_it() -> None:
    async with running() as server, RawClient(server) as client:
        client.send_frame(TEXT, b"hello?")
        client.send(action="ping", id=1)
        kinds = [(await client.message())[0]["type"] for _ in range(3)]
        assert kinds == ["hello", "error", "pong"]


# Those that are closed.


async def farewell(stream: Stream) -> list[dict[str, Any]]:
    """Read to the end; give what wasn't an event."""
    found: list[dict[str, Any]] = []
    try:
        while True:
            found += await stream.read()
    except EOFError:
        return found


@on_both_loops
async def test_text_that_isnt_utf8_is_answered_and_closed_with_1007() -> None:
    async with two_streams() as (_, bad, witness):
        bad.client.send_frame(TEXT, b'{"action":"\xc3\x28"}')
        message = "invalid UTF-8: byte 0xc3 at position 11"
        assert await farewell(bad) == [error("invalid_utf8", message)]
        assert (bad.client.close_code, bad.client.reason) == (1007, message)
        await witness.still_streams()


@on_both_loops
async def test_a_hundred_malformed_requests_in_a_row_are_closed_with_1008() -> None:
    async with two_streams() as (_, bad, witness):
        for _ in range(150):
            bad.client.send_frame(TEXT, b"{")
        said = await farewell(bad)
        assert [e["code"] for e in said] == ["invalid_json"] * 100 + ["too_many_errors"]
        assert said[-1]["message"] == "100 malformed requests in a row"
        assert (bad.client.close_code, bad.client.reason) == (
            1008,
            "100 malformed requests in a row",
        )
        await witness.still_streams()


@pytest.mark.asyncio
async def test_malformed_requests_with_good_ones_between_are_answered_for_ever() -> None:
    async with running(limits=Limits(max_burst=300)) as server, RawClient(server) as client:
        await client.message()
        for n in range(300):
            client.send_frame(TEXT, b"{" if n % 60 else text(action="ping"))
        kinds = [(await client.message())[0]["type"] for n in range(300)]
        assert kinds == ["error" if n % 60 else "pong" for n in range(300)]


LIMIT = 512 * 1024


@on_both_loops
async def test_a_message_of_5_mib_isnt_read_and_closed_with_1009() -> None:
    """Its length, in the head of the frame, is enough."""
    async with two_streams() as (server, bad, witness):
        head = encode_frame(TEXT, b"")[:1] + b"\xff" + struct.pack("!Q", 5 * 1024 * 1024)
        bad.client.writer.write(head + b"\0\0\0\0" + b" " * 1000)
        assert await farewell(bad) == []
        assert bad.client.close_code == 1009
        assert bad.client.reason == f"Message size {5 * 1024 * 1024} exceeds limit {LIMIT}"
        await witness.still_streams()
        await eventually(lambda: len(server.plant.websockets.open) == 1, "it is forgotten")


@on_both_loops
async def test_fragments_that_come_to_more_than_the_limit_are_closed_with_1009() -> None:
    async with two_streams() as (_, bad, witness):
        piece = 64 * 1024
        for start in range(0, LIMIT, piece):
            bad.client.send_frame(0 if start else TEXT, b" " * piece, fin=False)
        bad.client.send_frame(0, b" ")
        assert await farewell(bad) == []
        assert bad.client.close_code == 1009
        await witness.still_streams()


@pytest.mark.asyncio
async def test_a_message_of_5_mib_from_a_library_is_not_read() -> None:
    """Whether it is told 1009 or sees its connection reset depends on how fast it writes; the server goes on."""
    async with running() as server:
        async with websockets.connect(server.ws_url) as ws:
            with pytest.raises(websockets.ConnectionClosedError):
                await say(ws, b" " * 5 * 1024 * 1024)
        await eventually(lambda: not server.plant.websockets.open, "it is forgotten")


@pytest.mark.parametrize("data", [b"\x81\xff" + struct.pack("!Q", 5 << 20), b"\x83\x80\0\0\0\0"])
@on_both_loops
async def test_what_is_unread_comes_whole_before_the_close_frame(data: bytes) -> None:
    """The library below closes by itself then; its frame must not come into the middle of one of ours."""
    policy = BacklogPolicy(soft_limit=10**8, hard_limit=10**8, no_progress_s=1_000)
    async with (
        running(rate=1_000, backlog=policy) as server,
        RawClient(server, receive_buffer=4096) as client,
    ):
        await client.ask(**STREAM)
        client.pause()
        await step(server, 2_000_000)
        (line,) = server.plant.websockets.open.values()
        assert line.unread() > 100_000
        client.writer.write(data)
        await eventually(lambda: not server.plant.hub.roster.groups, "the hub has let go")
        client.resume()
        opcode, events = TEXT, 0
        while opcode != CLOSE:
            opcode, payload = await client.frame()
            events += len(orjson.loads(payload)) if opcode == TEXT else 0
        assert client.close_code in (1002, 1009)
        assert client.reason
        assert events > 5_000


@pytest.mark.parametrize(("data", "count"), [(b"\xff", 1), (b"{", 100)], ids=["1007", "1008"])
@on_both_loops
async def test_after_the_servers_close_frame_nothing_comes(data: bytes, count: int) -> None:
    """However long the client takes to answer it."""
    async with running(rate=100) as server, RawClient(server) as client:
        await client.ask(**STREAM)
        client.polite = False
        for _ in range(count):
            client.send_frame(TEXT, data)
        while client.close_code is None:
            await client.frame()
        await step(server, 1_000_000)
        client.send_frame(CLOSE, struct.pack("!H", client.close_code))
        with pytest.raises(EOFError):
            await client.frame()


BROKEN: dict[str, tuple[bytes, int]] = {
    "an opcode that there isn't": (encode_frame(3, b"x"), 1002),
    "a reserved bit": (b"\xf1\x80\0\0\0\0", 1002),
    "a ping of 126 bytes": (encode_frame(PING, b"x" * 126), 1002),
    "a ping in fragments": (encode_frame(PING, b"x", fin=False), 1002),
    "a close code that may not be sent": (encode_frame(8, struct.pack("!H", 1005)), 1002),
    "a continuation of nothing": (encode_frame(0, b"x"), 1002),
}


@pytest.mark.parametrize(("data", "code"), BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.asyncio
async def test_a_frame_that_breaks_the_standard_is_closed_with_1002(data: bytes, code: int) -> None:
    async with two_streams() as (server, bad, witness):
        bad.client.writer.write(data)
        assert await farewell(bad) == []
        assert bad.client.close_code == code
        assert len(bad.client.reason) > 10
        await witness.still_streams()
        await eventually(lambda: len(server.plant.websockets.open) == 1, "it is forgotten")


@on_both_loops
async def test_whatever_is_sent_the_others_dont_notice() -> None:
    """Random bytes behind a good handshake, again and again."""
    import random

    draw = random.Random(7)
    async with running(clock="wall", rate=200) as server, RawClient(server) as witness:
        stream = Stream(witness)
        witness.send(**STREAM)
        for _ in range(40):
            async with RawClient(server) as client:
                client.polite = False
                client.writer.write(draw.randbytes(draw.randrange(1, 400)))
                client.writer.write_eof()
                await client.closed()
        while stream.follower.events < 20:
            await stream.read()
        await stream.still_streams()
        await eventually(lambda: len(server.plant.websockets.open) == 1, "all are forgotten")


# Before there is a WebSocket.

GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "no HTTP": b"hello\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    "random bytes": bytes(range(256)) * 4,
    "a header without an end": b"GET /ws HTTP/1.1\r\nX: " + b"x" * 100_000,
    "a path of 100 KB": b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "half a handshake": HANDSHAKE[:60],
    "two lengths": b"POST /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.asyncio
async def test_garbage_on_the_port_is_refused_and_the_server_goes_on(data: bytes) -> None:
    async with running() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(data)
        writer.write_eof()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await reader.read()
        except ConnectionError:
            answer = b""
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer[:100]
        writer.close()
        async with RawClient(server) as client:
            assert (await client.message())[0]["type"] == "hello"


@pytest.mark.asyncio
async def test_a_body_that_isnt_compressed_as_it_says_is_nothing_to_talk_about() -> None:
    """No body is unpacked, neither that nor one that would unfold to gigabytes."""
    async with running() as server, RawHttp(server) as http:
        http.send(
            "POST /ws HTTP/1.1",
            "Host: localhost",
            "Content-Encoding: gzip",
            "Content-Length: 5",
            end="\r\n\r\nhello",
        )
        assert b" 405 " in await http.read(until=b"}")
        http.send("GET /health HTTP/1.1", "Host: localhost", "Connection: close")
        assert (await http.answer()).status == 200


async def say(ws: websockets.ClientConnection, *messages: bytes) -> None:
    """Send messages, and read until the connection is closed, which raises."""
    for data in messages:
        await ws.send(data, text=True)
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            await ws.recv()


@pytest.mark.asyncio
async def test_a_library_sees_the_close_codes_too() -> None:
    """`websockets` reads 1007 and 1008 as what they are."""
    async with running() as server:
        for messages, code in (([b"\xff"], 1007), ([b"{"] * 100, 1008)):
            async with websockets.connect(server.ws_url) as ws:
                with pytest.raises(websockets.ConnectionClosedError) as closed:
                    await say(ws, *messages)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code


@pytest.mark.asyncio
async def test_pings_and_pongs_out_of_turn_are_harmless() -> None:
    async with running() as server, RawClient(server) as client:
        await client.message()
        client.send_frame(PONG, b"nobody asked")
        client.send_frame(PING, b"")
        assert await client.frame() == (PONG, b"")
        assert (await client.ask(action="ping"))["type"] == "pong"
