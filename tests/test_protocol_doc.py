"""The document of the protocol and the code say the same."""

import json
import re
from pathlib import Path

import aiohttp
import pytest
from streaming import StreamClient
from wire import running, step

import feeds
from clients.core.decode import BUILDERS
from clients.events import Depth
from clients.order_book import OrderBook
from feeds.admission.budget import (
    ADDRESS_BURST,
    ADDRESS_REQUESTS_BURST,
    ADDRESS_REQUESTS_S,
    ADDRESS_S,
    BURST,
    SYMBOLS_S,
)
from feeds.admission.inbound import FRAMES_BURST, FRAMES_S
from feeds.admission.limits import Limits
from feeds.admission.quota import ADDRESS_PACED, MOST_RATES
from feeds.admission.unfinished import MOST_UNFINISHED
from feeds.admission.unread_answers import MOST_UNREAD
from feeds.dialects.patterns import LONGEST
from feeds.dialects.requests import CHANNEL_NAMES, MAX_REQUEST_BYTES, MAX_REQUEST_SYMBOLS
from feeds.errors import CloseCode, Code, HttpCode, RequestError
from feeds.fanout.paced import MOST_SLOTS
from feeds.http.access import MAX_PARAMETERS, MAX_QUERY_BYTES
from feeds.http.unreadable import (
    MAX_FIELD_BYTES,
    MAX_HEADERS,
    MAX_HEADERS_BYTES,
    MAX_URL_BYTES,
)
from feeds.protocol.query import OF_EVERY_PATH, parse_query
from feeds.wire.backlog import BacklogPolicy
from feeds.wire.transport import SPARE_S
from ticker.batch import INTERVALS
from ticker.ladder import LEVELS
from ticker.reference.conditions import CONDITIONS
from ticker.reference.exchanges import EXCHANGES
from ticker.reference.status import QUOTES_IN, REASONS, STATUSES, TRADES_IN

TEXT = (Path(feeds.__file__).parent / "PROTOCOL.md").read_text(encoding="utf-8")
WEB_ROOT = Path(__file__).parent.parent / "clients" / "web"
NOT_SENT_BY_A_SERVER = {1000, 1002, 1006}
"""Close codes that the document explains and that the server doesn't choose itself."""


def section(title: str) -> str:
    """The text under a heading, up to the next one of its kind."""
    (found,) = re.findall(rf"^## \d+\. {title}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return found


def first_cells(text: str) -> list[str]:
    """The first cell of each row of the tables, without the heads."""
    rows = re.findall(r"^\|(?!-)\s*(.*?)\s*\|", text, re.MULTILINE)
    heads = re.findall(r"^\|\s*(.*?)\s*\|.*\n\|-", text, re.MULTILINE)
    return [row for row in rows if row not in heads]


def test_every_error_code_is_in_the_table_and_nothing_else() -> None:
    assert sorted(c.strip("`") for c in first_cells(section("Errors"))) == sorted(Code)


def test_every_close_code_is_in_the_table_and_nothing_else() -> None:
    documented = {int(c) for c in first_cells(section("Close codes"))}
    assert documented - NOT_SENT_BY_A_SERVER == {int(c) for c in CloseCode} - NOT_SENT_BY_A_SERVER
    assert documented >= {int(c) for c in CloseCode}


def test_every_error_code_of_http_is_in_the_table_and_nothing_else() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", section("HTTP"), re.MULTILINE)
    assert [code for code, _ in rows] == list(HttpCode)
    assert [status for _, status in rows] == sorted(status for _, status in rows)


def test_the_limits_are_those_of_the_code() -> None:
    """Every one has its option, and the default is what is written."""
    text, limits = section("Limits"), Limits()
    for name in Limits.__dataclass_fields__:
        assert f"`--{name.replace('_', '-')}`" in text
    cells = re.findall(r"^\| [^|]*(?:\(`[^|]*) \| ([^|]*) \|", text, re.MULTILINE)
    assert cells == [
        f"{limits.max_connections:,}",
        f"{limits.max_per_address:,}",
        f"{limits.handshake_s:g} s",
        f"{limits.max_requests_s:g}, bursts of {limits.max_burst}",
        f"{limits.max_symbols:,}",
        f"{BacklogPolicy().hard_limit // 1024**2} MiB",
    ]


def test_the_fixed_limits_are_those_of_the_code() -> None:
    """They have no option, and the document says so of none that has one."""
    limits = Limits()
    rows = dict(re.findall(r"^\| ([^|(]+?) \| ([^|]*) \|", section("Limits"), re.MULTILINE))
    del rows["limit"]
    assert section("Limits").count(f"on one connection | {MOST_RATES} |") == 1
    assert rows == {
        "pause between two requests of HTTP on one connection": "75 s",
        "URL of HTTP": f"{MAX_URL_BYTES // 1024} KiB",
        "headers of HTTP": f"{MAX_HEADERS}, of {MAX_FIELD_BYTES:,} bytes each,"
        f" {MAX_HEADERS_BYTES // 1024} KiB together",
        "parameters in a URL": f"{MAX_PARAMETERS}",
        "bytes of the parameters of an upgrade to WebSocket": f"{MAX_QUERY_BYTES // 1024} KiB",
        "bytes of requests over WebSocket that aren't whole yet, of all connections together": ""
        f"{MOST_UNFINISHED // 1024**2} MiB",
        "size of a request": f"{MAX_REQUEST_BYTES // 1024} KiB",
        "characters of a pattern": f"{LONGEST}",
        "entries of one request": f"{MAX_REQUEST_SYMBOLS:,}",
        "unread bytes of plain answers over HTTP, of all connections together": f"{MOST_UNREAD // 1024**2} MiB",
        "requests a second of one address": f"{ADDRESS_REQUESTS_S * limits.max_requests_s:,g},"
        f" bursts of {ADDRESS_REQUESTS_BURST * limits.max_burst:,}",
        "symbols a second that the answers to one connection come to": f"{SYMBOLS_S:,.0f}, bursts of {BURST:,}",
        "symbols a second that the answers to one address come to": f"{ADDRESS_S:,.0f}, bursts of {ADDRESS_BURST:,}",
        "symbols times channels with `latest`, of all connections of one address together": f"{ADDRESS_PACED:,}",
        "symbols times channels with `latest`, of all connections together": f"{MOST_SLOTS:,}",
        "frames of the WebSocket a second of one connection that are no whole message: pings, pongs,"
        " and the pieces of messages": f"{FRAMES_S:g}, bursts of {FRAMES_BURST:,}",
    }


def test_the_time_after_which_the_kernel_gives_up_is_that_of_the_code() -> None:
    text, default = section("Heartbeat"), BacklogPolicy().no_progress_s
    assert f"{SPARE_S:g} s more, so {default + SPARE_S:g} s by default" in text


def test_close_codes_are_in_order() -> None:
    codes = [int(c) for c in first_cells(section("Close codes"))]
    assert codes == sorted(codes)


def test_every_channel_has_its_events() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", section("Events"), re.MULTILINE)
    assert [channel for _, channel in rows] == list(CHANNEL_NAMES)
    assert [kind for kind, _ in rows] == ["trade", "quote", "bar", "status", "depth"]


def test_the_example_of_a_book_is_right() -> None:
    """What is written out is what the clients' own book makes of it."""
    text = subsection("Books")
    (block,) = re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    book = OrderBook("AAPL")
    for item in json.loads(block):
        event = BUILDERS["depth"](item)
        assert isinstance(event, Depth)
        book.apply(event)  # which raises, if the checksum isn't the book's
        levels = [(round(price / 0.01), size) for price, size in book.bids + book.asks]
        numbers = ",".join(f"{tick},{size}" for tick, size in levels)
        assert re.search(rf"^{event.seq} +{numbers} +-> {event.checksum}$", text, re.MULTILINE)
    assert f'"depth_levels":{LEVELS}' in TEXT


def test_every_status_is_in_the_table_with_what_the_market_makes() -> None:
    table = subsection("Status").split("What it doesn't make")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", table, re.MULTILINE))
    assert tuple(rows) == STATUSES
    for status, made in rows.items():
        assert made.startswith("trades and quotes") == (status in TRADES_IN)
        assert made.startswith(("trades and quotes", "quotes")) == (status in QUOTES_IN)


def test_every_reason_is_named() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (.*) \|$", subsection("Status"), re.MULTILINE)
    reasons = [(reason, meaning) for reason, meaning in REASONS.items() if reason]
    assert listed[len(STATUSES) :] == reasons


def test_every_condition_is_in_the_table_with_what_it_moves() -> None:
    text = subsection("Exchange and conditions")
    rows = re.findall(
        r"^\| `(\w)` \| (.*?) \| (yes|no) \| (yes|no) \| (yes|no) \|$", text, re.MULTILINE
    )
    told = [(code, name, *(cell == "yes" for cell in cells)) for code, name, *cells in rows]
    assert told == [(c.code, c.name, c.last, c.range, c.volume) for c in CONDITIONS]
    assert [c.code for c in CONDITIONS] == first_cells(text.replace("`", ""))


def test_every_exchange_is_named() -> None:
    text = subsection("Exchange and conditions").split("tapes: ")[1].split(".")[0]
    assert dict(re.findall(r"`(\w)` (.*?)(?:, (?=`)|$)", text)) == EXCHANGES


def test_every_interval_is_named() -> None:
    assert ", ".join(f"`{i}`" for i in INTERVALS) in section("Requests")


def test_every_action_has_its_heading() -> None:
    actions = re.findall(r"^### (\w+)$", section("Requests"), re.MULTILINE)
    assert {"subscribe", "unsubscribe", "snapshot", "symbols", "ping", "auth"} <= set(actions)


# HTTP.


def subsection(title: str) -> str:
    (found,) = re.findall(rf"^### {title}\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return found


def test_every_parameter_of_a_stream_is_in_the_table_and_nothing_else() -> None:
    documented = [c.strip("`") for c in first_cells(subsection("Streams"))]
    for path, known in (("/stream", documented), ("/sse", documented[:-1])):
        with pytest.raises(RequestError) as caught:
            parse_query(path, [("?", "")])
        every = [*known, *OF_EVERY_PATH]
        assert caught.value.message.endswith("its parameters are " + ", ".join(every))


def stream_urls() -> list[str]:
    return re.findall(r"(/(?:sse|stream)\?[^`\"\s]+)", section("HTTP"))


@pytest.mark.asyncio
@pytest.mark.parametrize("url", stream_urls())
async def test_every_stream_of_the_document_is_served(url: str) -> None:
    async with running(rate=50.0) as server, StreamClient(server, url) as client:
        assert client.status == 200
        assert f"(`{client.headers['content-type'].split(';')[0]}`" in subsection("Streams")
        read = client.lines if url.startswith("/stream") else client.event
        await read()
        await read()
        await step(server, 1_000_000)
        await read()


@pytest.mark.asyncio
async def test_the_example_of_events_is_what_is_sent() -> None:
    """The same fields in the same order: only the values differ."""
    (text,) = re.findall(r"^```text\n(retry.*?)```", TEXT, re.MULTILINE | re.DOTALL)
    target = "/sse?symbols=AAPL"
    async with running(rate=50.0) as server, StreamClient(server, target) as client:
        sent = [await client.chunk(), await client.chunk()]
        await step(server, 100_000)
        sent.append(await client.chunk())
    documented = text.strip().split("\n\n")
    assert len(documented) == len(sent)
    for block, chunk in zip(documented, sent, strict=True):
        lines = chunk.decode().strip().split("\n")
        for shown, line in zip(block.split("\n"), lines, strict=True):
            assert shown.split(":")[0] == line.split(":")[0]
            assert (
                list(re.findall(r'"(\w+)":', shown))
                == re.findall(r'"(\w+)":', line)[: shown.count('":')]
            )


@pytest.mark.asyncio
async def test_every_path_of_the_document_is_there() -> None:
    paths = [c.strip("`") for c in first_cells(section("HTTP")) if c.startswith("`/")]
    assert len(paths) == 10
    async with running(web_root=WEB_ROOT) as server, aiohttp.ClientSession() as http:
        for path in paths:
            async with http.head(server.url + path) as answer:
                assert answer.status == 200, path
