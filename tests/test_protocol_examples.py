"""
The JSON that documents show is what goes over the wire: each request is asked of a real server, each object that a server
sends is compared, field by field, with one that a real server sent.
"""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import DOCUMENTS, ROOT, blocks
from taping import asking
from websockets.exceptions import ConnectionClosed, InvalidStatus
from wire import RawClient, running, step

from feeds.cassette.lines import parse_line
from feeds.cassette.player import Player
from feeds.testing import AsyncTickerFeed

PROTOCOL = ROOT / "feeds" / "PROTOCOL.md"
TOKEN = "..."  # as the document has it


def examples() -> Iterator[tuple[str, str]]:
    """Give each piece of JSON of the protocol's document, fenced or in the text, with where it stands."""
    for block in blocks(PROTOCOL):
        if block.language == "json":
            yield f"line {block.line}", block.text
    plain = re.sub(r"^```.*?^```", "", PROTOCOL.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"`([^`]+)`", plain):
        if code.startswith(("{", "[{")) and "..." not in code.replace('"..."', ""):
            yield code[:40], code


PARSED = [(where, json.loads(text)) for where, text in examples()]
REQUESTS = [pytest.param(e, id=w) for w, e in PARSED if isinstance(e, dict) and "action" in e]
SENT = [
    pytest.param(item, id=f"{where} {item['type']}")
    for where, example in PARSED
    for item in (example if isinstance(example, list) else [example])
    if "type" in item and item["type"] != "cursor"  # that one is a line of a stream
]


def shape(value: object) -> object:
    """What a value is made of: names in their order, and kinds; a list is as its first entry."""
    if isinstance(value, dict):
        return [(name, shape(inner)) for name, inner in value.items()]
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "a number"
    return type(value).__name__


async def all_that_is_sent() -> list[dict[str, Any]]:
    """Have servers say everything that they can."""
    found = await said_of_a_market() + await said_on_resuming() + await said_about_tokens()
    async with running(clock="wall", rate=0.0, heartbeat_s=0.5) as server, RawClient(server) as ws:
        return found + await ws.until("heartbeat")


async def said_of_a_market() -> list[dict[str, Any]]:
    options = {"symbols": ["AAPL", "MSFT"], "rate": 50.0}
    async with AsyncTickerFeed(**options) as feed, RawClient(feed.port) as ws:  # type: ignore[arg-type]
        ws.send(action="subscribe", id=1, symbols=["AAPL"], channels=["trades", "quotes"])
        ws.send(action="subscribe", symbols=["AAPL"], channels=["status", "depth"])
        ws.send(action="subscribe", symbols=["MSFT"], mode="latest", max_hz=5)
        ws.send(action="subscribe", id=5, symbols=["APPL"])
        ws.send(action="symbols", id=3)
        ws.send(action="ping", id=5)
        found = await ws.until("pong")
        await feed.status("AAPL", "halted", "T1")
        scripted = {"type": "trade", "symbol": "AAPL", "price": 187.43, "size": 7}
        await feed.play([scripted | {"exchange": "V", "conditions": ["I"], "at": "1ms"}])
        await feed.status("AAPL", "trading")
        await feed.advance("1s")
        ws.send(action="unsubscribe", id=2, symbols=["MSFT"])
        return found + await ws.until("unsubscribed")


async def said_on_resuming() -> list[dict[str, Any]]:
    options = {"symbols": "AAPL", "rate": 50.0, "history_mb": 0.0}
    async with running(**options) as server, RawClient(server) as ws:
        (hello,) = await ws.message()
        ws.send(action="subscribe", symbols=["AAPL"])
        await ws.until("snapshot")
        await step(server, 2_000_000)
        await ws.until("trade")
        since = {"AAPL": {"trades": 1}}
        ws.send(action="subscribe", symbols=["AAPL"], epoch=hello["epoch"], since=since)
        return await ws.until("gap")


async def said_about_tokens() -> list[dict[str, Any]]:
    async with running(token=(TOKEN,)) as server, RawClient(server) as ws:
        ws.send(action="auth", id=1, token=TOKEN)
        return await ws.until("authenticated")


@pytest.fixture(scope="module")
def sent() -> dict[str, list[object]]:
    """The shapes of what servers said, by type."""
    found: dict[str, list[object]] = {}
    for item in asyncio.run(all_that_is_sent()):
        found.setdefault(item["type"], []).append(shape(item))
    return found


@pytest.mark.parametrize("item", SENT)
def test_what_a_server_sends_has_the_fields_that_are_shown(
    item: dict[str, Any], sent: dict[str, list[object]]
) -> None:
    """The same names in the same order, with values of the same kinds."""
    assert shape(item) in sent[item["type"]]


@pytest.mark.asyncio
@pytest.mark.parametrize("request_", REQUESTS)
async def test_a_request_that_is_shown_is_granted(request_: dict[str, Any]) -> None:
    """A real server answers it, with its `id`, and without an error."""
    options = {"token": (TOKEN,)} if request_["action"] == "auth" else {}
    async with running(symbols="AAPL,MSFT", **options) as server, RawClient(server) as ws:
        answer = await ws.ask(**request_)
    expected = {"auth": "authenticated", "ping": "pong"}
    expected |= {"subscribe": "subscribed", "unsubscribe": "unsubscribed"}
    assert answer["type"] == expected.get(request_["action"], request_["action"])


def test_there_are_examples_of_everything() -> None:
    """Of each action and each type that an ordinary client meets."""
    actions = {param.values[0]["action"] for param in REQUESTS}
    assert actions == {"auth", "ping", "snapshot", "subscribe", "symbols", "unsubscribe"}
    types = {param.values[0]["type"] for param in SENT}
    assert types >= {"hello", "subscribed", "snapshot", "gap", "status", "trade", "error", "pong"}


# Books.


def test_the_checksums_that_are_shown_are_those_of_the_books() -> None:
    """Of each line of the example, and in the order of the events above it."""
    books = [block for block in blocks(PROTOCOL) if block.section == "Books"]
    shown = [line for b in books if b.language == "text" for line in b.text.splitlines()]
    events = [item for b in books if b.language == "json" for item in json.loads(b.text)]
    for line, event in zip(shown, events, strict=True):
        seq, numbers, arrow, checksum = line.split()
        assert (int(seq), arrow, int(checksum)) == (event["seq"], "->", event["checksum"])
        assert zlib.crc32(numbers.encode()) == event["checksum"]


# The cassette.


def test_every_block_of_json_is_looked_at() -> None:
    """Those of other documents are cassettes."""
    for document in DOCUMENTS:
        for block in blocks(document):
            if block.language == "json" and document != PROTOCOL:
                assert (block.document, block.section) == ("feeds/README.md", "Cassettes")


@pytest.mark.asyncio
async def test_the_cassette_that_is_shown_is_played(tmp_path: Path) -> None:
    """What is on it comes, when the client asks as it did then, with secrets of its own; so does the refusal."""
    (text,) = [b.text for b in blocks(ROOT / "feeds" / "README.md") if b.language == "json"]
    path = tmp_path / "tape.ndjson"
    path.write_text(text)
    for line in text.encode().splitlines(keepends=True)[1:]:
        assert parse_line(line).encode() == line
    async with Player(path, timing="max") as player:
        async with asking(f"{player.ws_url}/iex?token=mine") as ws:
            assert await ws.recv() == '[{"T":"success","msg":"connected"}]'
            await ws.send('{"action":"auth","key":"mine","secret":"mine too"}')
            assert await ws.recv() == bytes(range(4))[:4]
            with pytest.raises(ConnectionClosed) as closed:
                await ws.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "going away")
        with pytest.raises(InvalidStatus) as refused:
            async with asking(f"{player.ws_url}/iex"):
                pass
        assert refused.value.response.status_code == 401
