"""Frames of a client before they are read: what doesn't count, what is too many, and what isn't masked."""

from __future__ import annotations

import asyncio
import random
import struct
import zlib
from itertools import pairwise

import aiohttp
import pytest
import websockets
from fault_table import inject
from wire import (
    BINARY,
    CLOSE,
    HANDSHAKE,
    PING,
    PONG,
    TEXT,
    RawClient,
    encode_frame,
    eventually,
    on_both_loops,
    running,
    text,
)

from feeds.admission.inbound import FRAMES_BURST, FRAMES_S, GRACE, Inbound

CONTINUATION = 0
TOO_MANY = "more than 100 control frames and fragments a second"


class Recorder:
    """A reader that keeps what it was given."""

    def __init__(self) -> None:
        self.data = b""
        self.ended = False

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        self.ended = True


def guarded() -> tuple[Inbound, Recorder]:
    """A guard for which no time passes."""
    reader = Recorder()
    return Inbound(reader, lambda: 0.0), reader


# What passes.


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_pieces_in_which_they_come_good_frames_pass_unchanged(seed: int) -> None:
    draw = random.Random(seed)
    sizes = (0, 1, 125, 126, 1_000, 65_535, 65_536, 70_000)
    data = b"".join(
        encode_frame(draw.choice((TEXT, BINARY)), draw.randbytes(draw.choice(sizes)))
        if draw.random() < 0.7
        else encode_frame(draw.choice((PING, PONG)), draw.randbytes(draw.randrange(126)))
        for _ in range(30)
    )
    cuts = [0, *sorted(draw.randrange(len(data)) for _ in range(draw.choice((3, 300)))), len(data)]
    inbound, reader = guarded()
    for start, end in pairwise(cuts):
        assert inbound.feed_data(data[start:end]) == (False, b"")
    assert inbound.refused is None
    assert reader.data == data


def test_byte_by_byte_is_no_different() -> None:
    frames = encode_frame(TEXT, b"x" * 300) + encode_frame(CLOSE, b"\x03\xe8")
    inbound, reader = guarded()
    for n in range(len(frames)):
        inbound.feed_data(frames[n : n + 1])
    inbound.feed_eof()
    assert (reader.data, reader.ended, inbound.refused) == (frames, True, None)


def test_whole_messages_and_close_frames_dont_count() -> None:
    inbound, _ = guarded()
    frames = (0x81, 0x82, 0xC1, 0xC2, 0x88)
    inbound.feed_data(b"".join(bytes([f, 0x80, 0, 0, 0, 0]) for f in frames) * FRAMES_BURST)
    assert inbound.refused is None


def test_what_was_read_before_a_reader_had_enough_is_said() -> None:
    class Sated(Recorder):
        def feed_data(self, data: bytes) -> tuple[bool, bytes]:
            return True, data

    assert Inbound(Sated()).feed_data(b"\x81\x80") == (True, b"\x81\x80")


# What doesn't.

COUNTED = {
    "pings": encode_frame(PING),
    "pongs": encode_frame(PONG, b"?"),
    "empty pieces": encode_frame(CONTINUATION, fin=False),
    "last pieces": encode_frame(CONTINUATION),
    "first pieces": encode_frame(TEXT, fin=False),
}


@pytest.mark.parametrize("frame", COUNTED.values(), ids=COUNTED.keys())
def test_one_frame_too_many_is_refused_and_not_read(frame: bytes) -> None:
    inbound, reader = guarded()
    inbound.feed_data(frame * FRAMES_BURST)
    assert inbound.refused is None
    inbound.feed_data(frame * 3)
    assert inbound.refused == (1008, TOO_MANY)
    assert reader.data == frame * FRAMES_BURST + b"\x8a\x00", "then a pong, to wake who reads"


def test_as_many_as_the_rate_allows_may_go_on_for_ever() -> None:
    now = 0.0
    inbound = Inbound(Recorder(), lambda: now)
    for _ in range(100):
        inbound.feed_data(encode_frame(PING) * int(FRAMES_S))
        now += 1.0
    assert inbound.refused is None
    inbound.feed_data(encode_frame(PING) * FRAMES_BURST)
    assert inbound.refused is None
    inbound.feed_data(encode_frame(PING))
    assert inbound.refused is not None


def test_pongs_that_were_asked_for_dont_count() -> None:
    inbound, _ = guarded()
    inbound.pongs = 5_000
    inbound.feed_data(encode_frame(PONG, b"1") * 5_000)
    assert inbound.refused is None
    assert inbound.pongs == 0
    inbound.feed_data(encode_frame(PONG, b"1") * (FRAMES_BURST + 1))
    assert inbound.refused is not None


@pytest.mark.parametrize("first", [0x81, 0x89, 0x01])
def test_a_frame_that_is_not_masked_is_refused(first: int) -> None:
    inbound, reader = guarded()
    inbound.feed_data(encode_frame(TEXT, b"good") + bytes([first, 2]) + b"hi")
    assert inbound.refused == (1002, "a frame that is not masked")
    assert reader.data == encode_frame(TEXT, b"good") + b"\x8a\x00"


@pytest.mark.parametrize("step", [1, 3, 1_000])
def test_of_who_is_refused_only_the_close_frame_is_read(step: int) -> None:
    inbound, reader = guarded()
    inbound.feed_data(b"\x81\x00")
    reader.data = b""
    close = encode_frame(CLOSE, struct.pack("!H", 1002) + b"well")
    data = encode_frame(TEXT, b"more" * 100) + encode_frame(PING) + close + encode_frame(TEXT)
    for n in range(0, len(data), step):
        inbound.feed_data(data[n : n + step])
    assert reader.data == close


def test_who_floods_after_that_is_not_looked_at_for_long() -> None:
    inbound, reader = guarded()
    inbound.feed_data(b"\x81\x00")
    reader.data = b""
    inbound.feed_data(encode_frame(PING) * GRACE)
    inbound.feed_data(encode_frame(CLOSE))
    assert reader.data == b""


def test_a_close_frame_without_end_is_not_kept() -> None:
    inbound, reader = guarded()
    inbound.feed_data(b"\x81\x00\x88\xff" + struct.pack("!Q", 1 << 40))
    for _ in range(100):
        inbound.feed_data(b"x" * 10_000)
    assert len(inbound._held) < 20
    assert reader.data == b"\x8a\x00"


# What clients see.


@on_both_loops
async def test_pings_without_end_are_closed_and_nobody_waits_for_them() -> None:
    """Those within the limit are answered, the one over it is not."""
    async with running() as server, RawClient(server) as client, RawClient(server) as witness:
        for _ in range(FRAMES_BURST):
            client.send_frame(PING, b"x")
        client.send(action="ping")
        await client.until("pong")
        for _ in range(5 * FRAMES_BURST):
            client.send_frame(PING, b"y")
        late = 0
        while client.close_code is None:
            opcode, payload = await client.frame()
            late += (opcode, payload) == (PONG, b"y")
        assert (await client.closed(), client.reason) == (1008, TOO_MANY)
        assert late < 5 * FRAMES_BURST
        assert (await witness.ask(action="ping"))["type"] == "pong"
        await eventually(lambda: len(server.plant.websockets.open) == 1, "it is forgotten")


FLOODS = {
    "pongs": [encode_frame(PONG)] * (2 * FRAMES_BURST),
    "pieces": [encode_frame(TEXT, fin=False)]
    + [encode_frame(CONTINUATION, fin=False)] * (2 * FRAMES_BURST),
}


@pytest.mark.parametrize("frames", FLOODS.values(), ids=FLOODS.keys())
@on_both_loops
async def test_what_gets_no_answer_counts_as_well(frames: list[bytes]) -> None:
    async with running() as server, RawClient(server) as client, RawClient(server) as witness:
        client.writer.writelines(frames)
        assert (await client.closed(), client.reason) == (1008, TOO_MANY)
        assert (await witness.ask(action="ping"))["type"] == "pong"


@on_both_loops
async def test_a_frame_that_isnt_masked_is_closed_with_1002_after_what_came_before() -> None:
    async with running() as server, RawClient(server) as client:
        client.send(action="ping", id=1)
        client.writer.write(b"\x81\x11" + text(action="ping"))
        kinds = [(await client.message())[0]["type"] for _ in range(2)]
        assert kinds == ["hello", "pong"]
        assert await client.closed() == 1002
        assert client.reason == "a frame that is not masked"


@pytest.mark.asyncio
async def test_what_comes_with_the_upgrade_is_looked_at_too() -> None:
    """In the same segment, before there is a connection of ours."""
    async with running() as server, aiohttp.ClientSession() as http:
        async with http.ws_connect(server.ws_url) as good:
            assert (await good.receive_json())[0]["type"] == "hello"
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(HANDSHAKE + b"\x81\x02{}")
        data = await reader.read()
        assert data.endswith(b"\x03\xeaa frame that is not masked")
        writer.close()
        await writer.wait_closed()


@pytest.mark.asyncio
async def test_a_client_that_answers_thousands_of_our_pings_stays() -> None:
    async with running() as server, websockets.connect(server.ws_url) as ws:
        await ws.recv()
        inject(server, "ping_flood", pings=3 * FRAMES_BURST)
        for n in range(3):
            await ws.send(text(action="ping", id=n).decode())
            assert '"pong"' in str(await ws.recv())


@pytest.mark.asyncio
async def test_a_message_in_a_few_pieces_is_one_request() -> None:
    async with running() as server, RawClient(server) as client:
        await client.message()
        request = text(action="ping", id="pieces")
        pieces = [request[n : n + 1] for n in range(len(request))]
        client.send_frame(TEXT, pieces[0], fin=False)
        for piece in pieces[1:-1]:
            client.send_frame(CONTINUATION, piece, fin=False)
        client.send_frame(CONTINUATION, pieces[-1])
        assert (await client.message())[0]["id"] == "pieces"


@on_both_loops
async def test_a_compressed_message_that_unfolds_beyond_the_limit_is_closed_with_1009() -> None:
    """Of 100 MB in 100 KB, no more is unfolded than the limit."""
    press = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = press.compress(b" " * 100_000_000) + press.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < 200_000
    async with running(compress=True) as server, RawClient(server) as witness:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )
        assert b"permessage-deflate" in await reader.readuntil(b"\r\n\r\n")
        frame = bytearray(encode_frame(TEXT, bomb[:-4]))
        frame[0] |= 0x40
        writer.write(frame)
        data = await reader.read()
        said = b"\x03\xf1Decompressed message exceeds size limit 524288"
        assert said in data
        writer.close()
        await writer.wait_closed()
        assert (await witness.ask(action="ping"))["type"] == "pong"
