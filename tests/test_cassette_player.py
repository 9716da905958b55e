"""Cassettes played to real clients: which connection they get, when, and what if nothing matches."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from taping import Exchange, asking, received, write_tape
from websockets.exceptions import ConnectionClosed, InvalidStatus
from wire import TIMEOUT_S, eventually, running, step

from clients.client import TickerClient
from clients.events import Trade
from feeds.cassette.index import Index, Part, read_index
from feeds.cassette.lines import Closed, Line, Message, Opened, Refused, TapeError
from feeds.cassette.player import NOT_RECORDED, Player
from feeds.cassette.proxy import Recorder
from feeds.errors import ConfigError

pytestmark = pytest.mark.asyncio


def edit(path: Path, change: Any) -> None:
    path.write_bytes(change(path.read_bytes()))


def conversation(
    conn: int, *said: tuple[float, str, str | bytes], path: str = "/ws", end: Closed | None = None
) -> list[Line]:
    """Lines of one connection: times, `in` or `out`, and what."""
    lines: list[Line] = [Opened(said[0][0], conn, path)]
    lines += [Message(t, conn, way == "in", data) for t, way, data in said]
    return lines + ([end] if end else [])


def sub(*symbols: str, **more: Any) -> str:
    return orjson.dumps({"op": "sub", "symbols": symbols} | more).decode()


TWO = [
    *conversation(
        1,
        (0.0, "out", "hello 1"),
        (1.0, "in", sub("A", id=1)),
        (1.5, "out", '[{"id":1,"ok":true}]'),
        (2.0, "out", "A 1"),
        (3.0, "out", "A 2"),
    ),
    *conversation(
        2,
        (4.0, "out", "hello 2"),
        (5.0, "in", sub("B", id=1)),
        (5.5, "out", '[{"id":1,"ok":true}]'),
        (6.0, "out", "B 1"),
        (6.0, "out", b"\x00B"),
        end=Closed(7.0, 2, "server", 4009, "over"),
    ),
]


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return write_tape(tmp_path / "tape.ndjson", TWO)


async def closing(ws: Any) -> tuple[int | None, str]:
    """Read to the end; give the close code and reason that came, None if none did."""
    with suppress(ConnectionClosed):
        while True:
            await ws.recv()
    return ws.close_code if ws.close_code != 1006 else None, ws.close_reason or ""


# Which.


async def test_a_client_gets_the_connection_on_which_the_same_was_asked_for(tape: Path) -> None:
    """Whatever the order of fields; its own id is in the answer. It ends as the recorded one did."""
    async with Player(tape, timing="max") as player:
        async with asking(f"{player.ws_url}/ws", sub("B", id="mine")) as ws:
            assert await received(ws, 4) == [
                "hello 1",
                '[{"id":"mine","ok":true}]',
                "B 1",
                b"\x00B",
            ]
            assert await closing(ws) == (4009, "over")
        async with asking(f"{player.ws_url}/ws", sub("A", id=1)) as ws:
            assert (await received(ws, 4))[1:] == ['[{"id":1,"ok":true}]', "A 1", "A 2"]
        assert [part.played for part in player.index.parts] == [1, 1]


async def test_what_was_recorded_comes_back_byte_by_byte(tmp_path: Path) -> None:
    """Two clients of a real feed that isn't ours, in the other order, and with another key."""
    tape = tmp_path / "tape.ndjson"
    heard: dict[str, list[str | bytes]] = {}
    login, requests = '{"op":"login","args":["%s"]}', ("B", "A")
    async with Exchange() as feed, Recorder(feed.url, tape) as recorder:
        for symbol in requests:
            subscribe = f'{{"op":"subscribe","id":1,"args":["{symbol}"]}}'
            key = "the-key-of-" + symbol
            async with asking(f"{recorder.ws_url}/v1", login % key, subscribe) as ws:
                heard[symbol] = await received(ws, 6)
                heard[symbol][1] = str(heard[symbol][1]).replace(key, "[redacted]")
    async with Player(tape, timing="max") as player:
        for symbol in reversed(requests):
            subscribe = f'{{"args":["{symbol}"],"op":"subscribe","id":1}}'
            async with asking(f"{player.ws_url}/v1", subscribe, login % "another") as ws:
                assert await received(ws, 6) == heard[symbol]


async def test_our_own_client_plays_from_a_tape_of_our_own_feed(tmp_path: Path) -> None:
    """The same events, none lost by its count of sequences."""
    tape = tmp_path / "tape.ndjson"

    async def trades(url: str, drive: Any) -> list[Trade]:
        async with TickerClient(url) as client:
            await client.subscribe("AAPL")
            await drive()
            found: list[Trade] = []
            async with asyncio.timeout(TIMEOUT_S):
                async for event in client:
                    found += [event] if isinstance(event, Trade) else []
                    if len(found) == 5:
                        return found
        raise AssertionError

    async with (
        running(symbols="AAPL,MSFT", rate=50) as server,
        Recorder(server.ws_url, tape) as recorder,
    ):
        before = await trades(recorder.ws_url, lambda: step(server, 10_000_000))
    async with Player(tape, timing="max") as player:
        assert await trades(player.ws_url, lambda: asyncio.sleep(0)) == before


async def test_a_request_that_nobody_made_is_told_and_closes(
    tape: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        Player(tape, timing="max") as player,
        asking(f"{player.ws_url}/ws", sub("C")) as ws,
    ):
        assert await closing(ws) == (NOT_RECORDED, f"not on the tape: {sub('C')}")
    assert f"{sub('C')} isn't on the tape; at /ws, it has {sub('A', id=1)}" in caplog.text


async def test_a_long_or_binary_request_is_told_in_short(tape: Path) -> None:
    async with Player(tape, timing="max") as player:
        async with asking(f"{player.ws_url}/ws", "x" * 200) as ws:
            assert await closing(ws) == (NOT_RECORDED, f"not on the tape: {'x' * 97}...")
        async with asking(f"{player.ws_url}/ws") as ws:
            await ws.send(b"\xff" * 7)
            assert await closing(ws) == (NOT_RECORDED, "not on the tape: 7 bytes")


async def test_a_path_where_nothing_was_recorded_is_not_found(tape: Path) -> None:
    async with Player(tape) as player, aiohttp.ClientSession() as session:
        with pytest.raises(InvalidStatus) as refused:
            async with asking(f"{player.ws_url}/other?x=1"):
                pass
        assert refused.value.response.status_code == 404
        assert orjson.loads(refused.value.response.body or b"") == {
            "type": "error",
            "code": "not_recorded",
            "message": "nothing was recorded at '/other?x=1'; there is something at /ws",
        }
        async with session.get(f"{player.url}/ws") as answer:
            assert answer.status == 426


async def test_refusals_are_played_in_their_turn(tmp_path: Path) -> None:
    """A client that was refused and tried again sees that again."""
    lines = [Refused(0.0, 1, "/ws", 503), *conversation(2, (1.0, "out", "hello"))]
    tape = write_tape(tmp_path / "tape", lines)
    async with Player(tape, timing="max") as player:
        with pytest.raises(InvalidStatus, match="503"):
            async with asking(f"{player.ws_url}/ws"):
                pass
        async with asking(f"{player.ws_url}/ws") as ws:
            assert await ws.recv() == "hello"


async def test_keep_alives_are_no_requests(tmp_path: Path) -> None:
    """Those on the tape needn't be sent, and those that are sent needn't be on the tape."""
    said = [
        (0.0, "in", sub("A")),
        (1.0, "out", "A 1"),
        (2.0, "in", '{"op":"ping"}'),
        (3.0, "out", "A 2"),
    ]
    tape = write_tape(tmp_path / "tape", conversation(1, *said))
    async with (
        Player(tape, timing="max") as player,
        asking(f"{player.ws_url}/ws", "ping", sub("A"), '{"op":"pong"}') as ws,
    ):
        assert await received(ws, 2) == ["A 1", "A 2"]


async def test_a_request_opens_only_what_was_said_after_it(tmp_path: Path) -> None:
    """In whatever order they come: what was said between two requests waits for the first of them."""
    said = [
        (0.0, "in", sub("A")),
        (1.0, "out", "A 1"),
        (2.0, "in", sub("B")),
        (3.0, "out", "B 1"),
    ]
    tape = write_tape(tmp_path / "tape", conversation(1, *said))
    async with Player(tape, timing="max") as player:
        async with asking(f"{player.ws_url}/ws", sub("A")) as ws:
            assert await ws.recv() == "A 1"
            await ws.send(sub("B"))
            assert await ws.recv() == "B 1"
        async with asking(f"{player.ws_url}/ws", sub("B"), sub("A")) as ws:
            assert await received(ws, 2) == ["A 1", "B 1"]


async def test_a_second_subscription_leads_over_to_the_connection_that_had_both(
    tmp_path: Path,
) -> None:
    lines = [
        *conversation(1, (0.0, "in", sub("A")), (1.0, "out", "only A")),
        *conversation(
            2,
            (2.0, "in", sub("A")),
            (3.0, "out", "A of both"),
            (4.0, "in", sub("B")),
            (5.0, "out", "B of both"),
        ),
    ]
    tape = write_tape(tmp_path / "tape", lines)
    async with (
        Player(tape, timing="max") as player,
        asking(f"{player.ws_url}/ws", sub("A")) as ws,
    ):
        assert await ws.recv() == "only A"
        await ws.send(sub("B"))
        assert await ws.recv() == "B of both"


async def test_a_request_that_comes_while_the_tape_is_read_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's end is found, in a thread, after that which leads away from it has come."""
    lines = [
        *conversation(1, (0.0, "in", sub("A")), (0.0, "out", "A")),
        *conversation(2, (0.0, "in", sub("A")), (0.0, "in", sub("B")), (0.0, "out", "B")),
    ]
    tape = write_tape(tmp_path / "tape", lines)
    read, asked = Index.lines, threading.Event()

    def slowly(self: Index, part: Part, at: int) -> Iterator[list[Line]]:
        yield from read(self, part, at)
        asked.wait(TIMEOUT_S)

    monkeypatch.setattr(Index, "lines", slowly)
    async with (
        Player(tape, timing="max") as player,
        asking(f"{player.ws_url}/ws", sub("A")) as ws,
    ):
        assert await ws.recv() == "A"
        await ws.send(sub("B"))
        await (await ws.ping())
        asked.set()
        assert await ws.recv() == "B"


async def test_a_subprotocol_is_agreed_on_as_before(tmp_path: Path) -> None:
    lines = [Opened(0.0, 1, "/ws", "ticks.v1"), Message(0.0, 1, False, "hello")]
    tape = write_tape(tmp_path / "tape", lines)
    async with Player(tape, timing="max") as player:
        async with asking(f"{player.ws_url}/ws", subprotocols=["v0", "ticks.v1"]) as ws:
            assert ws.subprotocol == "ticks.v1"
        async with asking(f"{player.ws_url}/ws") as ws:
            assert ws.subprotocol is None


# When.


async def test_time_that_is_moved_by_hand_sends_what_is_due_and_no_more(tape: Path) -> None:
    """Counted from the request that let it go; an advance returns when it is written."""
    async with (
        Player(tape, timing="manual") as player,
        asking(f"{player.ws_url}/ws", sub("A")) as ws,
    ):
        got: list[str | bytes] = []

        async def read() -> None:
            while True:
                got.append(await ws.recv())

        reading = asyncio.create_task(read())
        await eventually(lambda: got == ["hello 1"], "the greeting, at once")
        await (await ws.ping())  # so the request has come
        await player.advance("499ms")
        await (await ws.ping())
        assert got == ["hello 1"]
        await player.advance("1ms")
        await eventually(lambda: len(got) == 2, "the answer")
        await player.advance(1.5)
        await eventually(lambda: got[2:] == ["A 1", "A 2"], "all that is due")
        reading.cancel()


async def test_only_time_that_stands_still_is_moved_by_hand(tape: Path) -> None:
    async with Player(tape) as player:
        with pytest.raises(ConfigError, match="only with the timing 'manual'"):
            await player.advance(1)


@pytest.mark.parametrize("timing", ["original", "x100000"])
async def test_pauses_are_kept(tmp_path: Path, timing: str) -> None:
    """An hour is an hour, or so many times less."""
    said = [(0.0, "out", "first"), (3600.0, "out", "second")]
    tape = write_tape(tmp_path / "tape", conversation(1, *said))
    async with Player(tape, timing=timing) as player, asking(f"{player.ws_url}/ws") as ws:
        assert await ws.recv() == "first"
        if timing == "original":
            reading = asyncio.create_task(ws.recv())
            await (await ws.ping())
            assert not reading.done()
            reading.cancel()
        else:
            assert await ws.recv() == "second"


async def test_a_request_that_comes_early_hurries_what_stands_before_it(tmp_path: Path) -> None:
    """Nothing is left out, and the client doesn't wait for an hour to get its answer."""
    said = [
        (0.0, "out", "hello"),
        (3600.0, "out", "still there?"),
        (7200.0, "in", sub("A")),
        (7200.0, "out", "A 1"),
    ]
    tape = write_tape(tmp_path / "tape", conversation(1, *said))
    async with Player(tape) as player, asking(f"{player.ws_url}/ws") as ws:
        assert await ws.recv() == "hello"
        await ws.send(sub("A"))
        assert await received(ws, 2) == ["still there?", "A 1"]


async def test_another_subscription_does_not_wait_for_what_it_will_not_get(tmp_path: Path) -> None:
    """The rest of a stream without an end is left where it is."""
    lines = [
        *conversation(1, (0.0, "in", sub("A")), (0.0, "out", "A 1"), (3600.0, "out", "A 2")),
        *conversation(
            2, (0.0, "in", sub("A")), (0.0, "out", "A"), (1.0, "in", sub("B")), (1.0, "out", "B")
        ),
    ]
    tape = write_tape(tmp_path / "tape", lines)
    async with Player(tape) as player, asking(f"{player.ws_url}/ws", sub("A")) as ws:
        assert await ws.recv() == "A 1"
        await ws.send(sub("B"))
        assert await ws.recv() == "B"


async def test_a_loop_begins_anew_after_the_last_request(tape: Path) -> None:
    """Also where the recorded connection was closed."""
    async with Player(tape, timing="max", loop=True) as player:
        async with asking(f"{player.ws_url}/ws", sub("A")) as ws:
            got = await received(ws, 7)
            assert got[0] == "hello 1"
            assert got[1:4] == got[4:7] == ['[{"id":1,"ok":true}]', "A 1", "A 2"]
        async with asking(f"{player.ws_url}/ws", sub("B")) as ws:
            got = await received(ws, 9)
            assert got[2:4] == got[5:7] == ["B 1", b"\x00B"]


async def test_a_loop_of_nothing_stands_still(tmp_path: Path) -> None:
    lines: list[Line] = [Opened(0.0, 1, "/ws"), Closed(1.0, 1, "server", 1000)]
    tape = write_tape(tmp_path / "tape", lines)
    async with (
        Player(tape, timing="max", loop=True) as player,
        asking(f"{player.ws_url}/ws") as ws,
    ):
        assert await closing(ws) == (1000, "")


# How it ends.


@pytest.mark.parametrize(
    ("code", "seen"), [(1000, 1000), (1005, 1000), (1011, 1011), (4001, 4001), (1006, None)]
)
async def test_a_client_sees_the_recorded_end(tmp_path: Path, code: int, seen: int | None) -> None:
    end = Closed(1.0, 1, "server", code, "why")
    tape = write_tape(tmp_path / "tape", conversation(1, (0.0, "out", "x"), end=end))
    async with Player(tape, timing="max") as player, asking(f"{player.ws_url}/ws") as ws:
        assert await closing(ws) == (seen, "why" if seen else "")


@pytest.mark.parametrize("by", ["client", "recorder", None])
async def test_an_end_that_the_server_did_not_make_is_left_to_the_client(
    tmp_path: Path, by: str | None
) -> None:
    """It stays open, silent, until the client or the player goes."""
    end = Closed(1.0, 1, by, 1001) if by else None
    tape = write_tape(tmp_path / "tape", conversation(1, (0.0, "out", "x"), end=end))
    player = Player(tape, timing="max")
    async with player, asking(f"{player.ws_url}/ws") as ws:
        assert await ws.recv() == "x"
        await (await ws.ping())
        reading = asyncio.create_task(closing(ws))
        await player.__aexit__(None, None, None)
        assert await reading == (1001, "the player is stopping")


async def test_a_client_that_vanishes_is_let_go(tape: Path) -> None:
    async with Player(tape, timing="manual") as player:
        async with asking(f"{player.ws_url}/ws") as ws:
            assert await ws.recv() == "hello 1"
            ws.transport.abort()
        await eventually(lambda: not player._open, "it is gone")
        await player.advance(100.0)


# The file.


async def test_a_damaged_tape_is_told_with_its_line(tmp_path: Path) -> None:
    tape = tmp_path / "tape"
    cases = {
        b"": "line 1: it is not JSON",
        b'{"t":0,"conn":1,"dir":"in","text":"x"}\n': "line 2: connection 1 isn't open here",
        Opened(0, 1, "/").encode() * 2: "line 3: connection 1 opens a second time",
        Refused(0, 1, "/", 400).encode()
        + Message(0, 1, True, "x").encode(): "line 3: connection 1",
        b"{}\n": "line 2: its field 't' must be a number",
    }
    for lines, message in cases.items():
        write_tape(tape, [])
        edit(tape, lambda raw: raw + lines if lines else b"")  # noqa: B023
        with pytest.raises(TapeError, match=f"{tape}, {message}"):
            read_index(tape)
    write_tape(tape, [])
    with pytest.raises(TapeError, match="there is no connection on it"):
        read_index(tape)
    with pytest.raises(TapeError, match=r"can't read '.*missing': No such file"):
        read_index(tmp_path / "missing")


async def test_a_last_line_that_was_cut_is_told_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As of a recorder that was killed."""
    tape = write_tape(tmp_path / "tape", conversation(1, (0.0, "out", "x"), (1.0, "out", "y")))
    edit(tape, lambda raw: raw[:-9])
    async with Player(tape, timing="max") as player, asking(f"{player.ws_url}/ws") as ws:
        assert await ws.recv() == "x"
        await (await ws.ping())
    assert caplog.messages == [f"{tape}: its last line is incomplete, and left out"]


async def test_a_tape_that_changes_meanwhile_is_told(
    tape: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Player(tape, timing="max") as player:
        edit(tape, lambda raw: raw.replace(b'"dir":"out"', b'"dir":"abc"'))
        async with asking(f"{player.ws_url}/ws", sub("A")) as ws:
            assert await closing(ws) == (1011, "the tape can't be played on")
    assert f"{tape} changed: its field 'dir' must be in or out, and is 'abc'" in caplog.text


async def test_a_large_tape_takes_little_memory(tmp_path: Path) -> None:
    """Reading it takes a hundredth of it, and playing it too."""
    lines: list[Line] = [Opened(0.0, conn, f"/{conn}") for conn in range(10)]
    lines += [Message(float(n), n % 10, False, "x" * 1000) for n in range(20_000)]
    tape = write_tape(tmp_path / "tape", lines)
    del lines
    tracemalloc.start()
    try:
        index = read_index(tape)
        part = index.parts[7]
        count = sum(len(batch) for batch in index.lines(part, part.at))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 2001
    assert peak < 1e6
