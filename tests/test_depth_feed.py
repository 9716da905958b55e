"""Books over real sockets: subscribed, at a pace, read too slowly, resumed, over HTTP; each client checks every checksum."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

import aiohttp
import orjson
import pytest
from order_books import OrderBooks
from streaming import StreamClient
from websockets.asyncio.client import ClientConnection, connect
from wire import Follower, RawClient, eventually, on_both_loops, running, step

from clients.client import TickerClient
from clients.core.backoff import Backoff
from clients.events import Depth, Gap
from clients.order_book import OrderBook
from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy, Slow
from ticker.ladder import LEVELS

S = 1_000_000

PATIENT = BacklogPolicy(soft_limit=50_000_000, hard_limit=50_000_000)
"""For tests in which nobody may be conflated, however slow the machine is."""

BOTH = ["quotes", "depth"]


class Reader:
    """What one connection is told, checked as it comes."""

    def __init__(self) -> None:
        self.books, self.follower = OrderBooks(), Follower()
        self.items: list[dict[str, Any]] = []
        self.gaps: list[dict[str, Any]] = []

    def feed(self, items: list[dict[str, Any]]) -> None:
        self.items += items
        for item in items:
            if item["type"] == "gap":
                self.gaps.append(item)
                self.follower.last[item["symbol"], item["channel"]] = item["to"]
        self.follower.feed(items)
        self.books.feed(items)

    def seq(self, symbol: str) -> int | None:
        book = self.books.books.get(symbol)
        return book and book.seq


async def follow(client: RawClient, reader: Reader) -> None:
    while True:
        reader.feed(await client.message())


def newest(server: FeedServer, symbol: str) -> int:
    """The newest quote's sequence, so the newest book's."""
    market = server.plant.market
    return int(market.sequences()[1, market.universe.symbols.index(symbol)])


async def up_to_date(server: FeedServer, reader: Reader) -> None:
    for symbol in server.plant.market.universe.symbols:
        await eventually(
            lambda symbol=symbol: reader.seq(symbol) == newest(server, symbol), f"all of {symbol}"
        )


# Live.


@on_both_loops
async def test_who_subscribes_gets_a_book_and_then_its_changes() -> None:
    """In the answer, behind the snapshot, with the sequence that this tells; then one event a quote, right behind it."""
    async with running(rate=50.0, backlog=PATIENT) as server, RawClient(server) as client:
        (hello,) = await client.message()
        assert "depth" in hello["channels"]
        assert hello["depth_levels"] == LEVELS
        await step(server, 3 * S)
        client.send(action="subscribe", symbols="*", channels=BOTH)
        reader = Reader()
        answer = await client.message()
        reader.feed(answer)
        kinds = [item["type"] for item in answer]
        assert kinds == ["subscribed", *["snapshot", "depth"] * 5]
        for snapshot, book in zip(answer[1::2], answer[2::2], strict=True):
            assert snapshot["seq"]["depth"] == snapshot["seq"]["quotes"] == book["seq"] > 0
            assert book["bids"][0] == [snapshot["bid"], snapshot["bid_size"]]
            assert book["asks"][0] == [snapshot["ask"], snapshot["ask_size"]]
            assert [len(book["bids"]), len(book["asks"])] == [LEVELS, LEVELS]
        for _ in range(5):
            await step(server, S)
            reader.feed(await client.message())
        await up_to_date(server, reader)
        assert reader.books.kinds == {"snapshot": 5, "change": reader.books.checked}
        assert reader.books.checked > 100


@pytest.mark.asyncio
async def test_without_snapshots_only_changes_come() -> None:
    async with running(rate=50.0, backlog=PATIENT) as server, RawClient(server) as client:
        client.send(action="subscribe", symbols=["AAPL"], channels=["depth"], snapshot=False)
        hello, answer = await client.until("subscribed")
        assert [hello["type"], answer["type"]] == ["hello", "subscribed"]
        await step(server, S)
        assert all(
            item["type"] == "depth" and "snapshot" not in item for item in await client.message()
        )


@pytest.mark.asyncio
async def test_a_halted_symbol_keeps_its_book() -> None:
    """No quotes, no events: the book stands, and is what a snapshot tells; then it goes on with the next sequence."""
    async with (
        running(rate=50.0, control=True, symbols="AAPL", backlog=PATIENT) as server,
        RawClient(server) as client,
    ):
        reader = Reader()
        client.send(action="subscribe", symbols=["AAPL"], channels=["depth", "status"])
        task = asyncio.create_task(follow(client, reader))
        try:
            await step(server, S)
            await up_to_date(server, reader)
            halt = {"symbol": "AAPL", "status": "halted", "reason": "T1"}
            async with aiohttp.ClientSession() as web:
                async with web.post(f"{server.url}/control/status", json=halt) as answer:
                    assert answer.status == 200, await answer.text()
                stood = reader.seq("AAPL")
                await step(server, 10 * S)
                async with web.get(f"{server.url}/api/depth?symbol=AAPL") as answer:
                    book = await answer.json()
                assert (book["seq"], newest(server, "AAPL")) == (stood, stood)
                open_ = {"symbol": "AAPL", "status": "trading"}
                async with web.post(f"{server.url}/control/status", json=open_) as answer:
                    assert answer.status == 200, await answer.text()
            await step(server, S)
            await up_to_date(server, reader)
            assert reader.seq("AAPL") > stood
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.mark.asyncio
async def test_a_scripted_quote_moves_the_book() -> None:
    """As any other quote: its prices are the best levels."""
    async with running(rate=0, control=True, symbols="AAPL") as server, RawClient(server) as client:
        reader = Reader()
        client.send(action="subscribe", symbols=["AAPL"], channels=BOTH)
        reader.feed(await client.until("subscribed"))
        quote = {"symbol": "AAPL", "bid": 150.0, "bid_size": 7, "ask": 150.5, "ask_size": 9}
        async with (
            aiohttp.ClientSession() as web,
            web.post(f"{server.url}/control/quote", json=quote) as answer,
        ):
            assert answer.status == 200, await answer.text()
        reader.feed(await client.until("depth"))
        book = reader.books.books["AAPL"]
        assert (book.bids[0], book.asks[0]) == ((150.0, 7), (150.5, 9))
        assert len(book.bids) == len(book.asks) == LEVELS
        assert reader.books.checked == 1


# At a pace, and slow.


@on_both_loops
async def test_the_latest_only_is_whole_books() -> None:
    """What is changed several times in a window comes as a book with ``merged``; the rule of sequences holds."""
    async with running(rate=50.0, backlog=PATIENT) as server, RawClient(server) as client:
        reader = Reader()
        client.send(action="subscribe", symbols="*", channels=BOTH, mode="latest", max_hz=4)
        reader.feed(await client.until("subscribed"))
        for _ in range(8):
            await step(server, S // 4)
            reader.feed(await client.message())
        await up_to_date(server, reader)
        assert min(reader.books.kinds["merged"], reader.books.checked) > 10
        books = [item for item in reader.items if item["type"] == "depth"]
        assert all(item.get("snapshot") for item in books if "merged" in item)


SMALL = BacklogPolicy(soft_limit=20_000, low_water=4_000)


@on_both_loops
async def test_who_reads_too_slowly_gets_whole_books_and_goes_on() -> None:
    """Beside one that reads everything. After the pause every book is right again, and so is each change that follows."""
    async with (
        running(rate=300.0, history_mb=0, backlog=SMALL) as server,
        RawClient(server, receive_buffer=4096) as slow,
        RawClient(server) as quick,
    ):
        readers = {client: Reader() for client in (slow, quick)}
        for client, reader in readers.items():
            client.send(action="subscribe", symbols="*", channels=BOTH)
            reader.feed(await client.until("subscribed"))
        tasks = [asyncio.create_task(follow(quick, readers[quick]))]
        slow.pause()
        try:
            while not server.plant.hub.slow.laggards:
                await step(server, S // 20)
            for _ in range(10):
                await step(server, S // 20)
            slow.resume()
            tasks.append(asyncio.create_task(follow(slow, readers[slow])))
            while server.plant.hub.slow.laggards:
                await step(server, 1_000)
            await step(server, S // 20)
            for reader in readers.values():
                await up_to_date(server, reader)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert readers[slow].books.kinds["merged"] > 0
        assert readers[quick].books.kinds["change"] > 0


@pytest.mark.asyncio
async def test_where_slow_clients_are_dropped_a_gap_is_followed_by_a_book() -> None:
    async with (
        running(rate=300.0, slow=Slow.DROP, backlog=SMALL) as server,
        RawClient(server, receive_buffer=4096) as client,
    ):
        reader = Reader()
        client.send(action="subscribe", symbols="*", channels=BOTH)
        reader.feed(await client.until("subscribed"))
        client.pause()
        while not server.plant.hub.slow.laggards:
            await step(server, S // 20)
        for _ in range(5):
            await step(server, S // 20)
        client.resume()
        task = asyncio.create_task(follow(client, reader))
        try:
            while server.plant.hub.slow.laggards:
                await step(server, 1_000)
            await step(server, S // 20)
            await up_to_date(server, reader)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert {(gap["channel"], gap["reason"]) for gap in reader.gaps} == {
            ("quotes", "slow"),
            ("depth", "slow"),
        }
        assert reader.books.kinds["snapshot"] > 5
        assert not reader.books.kinds["merged"]


# Coming back.


async def read_some(ws: ClientConnection, reader: Reader, events: int) -> None:
    """Read until there were so many events of books."""
    while sum(reader.books.kinds.values()) < events:
        reader.feed(orjson.loads(await ws.recv()))


async def subscribe(ws: ClientConnection, reader: Reader) -> None:
    """Ask for all books, and for what is missing of those that the reader has; read the answer."""
    hello = orjson.loads(await ws.recv())[0]
    request = {"action": "subscribe", "symbols": ["*"], "channels": ["depth"]}
    if reader.books.books:
        since = {symbol: {"depth": book.seq} for symbol, book in reader.books.books.items()}
        request |= {"epoch": hello["epoch"], "since": since}
    await ws.send(orjson.dumps(request).decode())
    reader.feed(orjson.loads(await ws.recv()))


@pytest.mark.asyncio
async def test_who_comes_back_gets_exactly_the_changes_that_it_missed() -> None:
    """Although nobody else was there, so that they weren't made: no snapshot, no gap, and every checksum is right."""
    async with running(rate=50.0, backlog=PATIENT) as server:
        reader = Reader()
        for _ in range(4):
            async with connect(server.ws_url, compression=None) as ws:
                await subscribe(ws, reader)
                await step(server, S)
                await read_some(ws, reader, sum(reader.books.kinds.values()) + 1)
            await eventually(lambda: not server.plant.websockets.open, "it has gone")
            await step(server, 2 * S)
        assert reader.gaps == []
        assert reader.books.kinds["snapshot"] == 5
        assert reader.books.kinds["change"] > 300


@pytest.mark.asyncio
async def test_who_comes_back_too_late_gets_a_gap_and_a_book() -> None:
    async with running(rate=50.0, history_mb=0.02, backlog=PATIENT) as server:
        reader = Reader()
        for _ in range(2):
            async with connect(server.ws_url, compression=None) as ws:
                await subscribe(ws, reader)
            await eventually(lambda: not server.plant.websockets.open, "it has gone")
            await step(server, 10 * S)
        assert {(gap["channel"], gap["reason"]) for gap in reader.gaps} == {("depth", "too_old")}
        assert len(reader.gaps) == 5
        assert reader.books.kinds == {"snapshot": 10}


@pytest.mark.asyncio
async def test_the_client_goes_on_with_its_books_across_a_restart_of_the_connection() -> None:
    """The Python client, whose connection is cut at random: its books stay right, and nothing is missing."""
    chance = random.Random(3)
    async with (
        running(rate=50.0, symbols="3", backlog=PATIENT) as server,
        TickerClient(server.ws_url, channels=BOTH, backoff=Backoff(0.001, 0.01)) as client,
    ):
        await client.subscribe("*")
        books: dict[str, OrderBook] = {}

        async def read() -> None:
            async for event in client:
                assert not isinstance(event, Gap)
                if isinstance(event, Depth):
                    books.setdefault(event.symbol, OrderBook(event.symbol)).apply(event)

        task = asyncio.create_task(read())
        for _ in range(12):
            await step(server, S // 4)
            if chance.random() < 0.4:
                for transport in list(server.plant.websockets.open.values()):
                    transport.abort()
                await step(server, S // 4)
                await eventually(lambda: server.plant.websockets.open, "it is back")
        for symbol in server.plant.market.universe.symbols:
            await eventually(
                lambda s=symbol: task.done() or books[s].seq == newest(server, s), "all"
            )
        assert not task.done(), task
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


# Over HTTP.


@on_both_loops
async def test_streams_have_books_and_go_on_from_a_cursor() -> None:
    """``/sse`` and ``/stream``; what was missed comes after a cursor, also where the stream before had no books."""
    async with running(rate=50.0, backlog=PATIENT) as server:
        reader, cursor = Reader(), ""
        for _ in range(3):
            query = f"symbols=*&channels=quotes,depth&last_event_id={cursor}"
            async with StreamClient(server, f"/sse?{query}") as sse:
                await sse.event()
                ids: set[str] = set()
                while len(ids) < 3:  # a long answer's first pieces have none
                    event = await sse.event()
                    reader.feed(event.objects)
                    if event.last_event_id and event.last_event_id not in ids:
                        ids.add(cursor := event.last_event_id)
                        await step(server, S)
            await step(server, S)
        assert reader.gaps == []
        assert reader.books.kinds["snapshot"] == 5
        assert reader.books.checked > 200
        async with StreamClient(server, "/stream?symbols=AAPL&channels=depth") as stream:
            lines = [line for _ in range(2) for line in await stream.lines()]
            assert [line["type"] for line in lines] == ["hello", "subscribed", "snapshot", "depth"]


@pytest.mark.asyncio
async def test_a_book_and_its_history_can_be_asked_for() -> None:
    """``/api/depth`` is the book now; ``/api/history`` has its changes, whether or not anybody was subscribed."""
    async with (
        running(rate=50.0, backlog=PATIENT) as server,
        aiohttp.ClientSession(server.url) as web,
    ):

        async def get(path: str) -> Any:
            async with web.get(path) as answer:
                return await answer.json()

        before = await get("/api/depth?symbol=AAPL")
        await step(server, 4 * S)
        after = await get("/api/depth?symbol=AAPL")
        history = await get(f"/api/history?symbol=AAPL&channel=depth&since={before['seq']}")
        assert history["seq"] == after["seq"] == len(history["events"]) + before["seq"]
        books = OrderBooks()
        books.feed([before, *history["events"]])
        assert [list(level) for level in books.books["AAPL"].bids] == after["bids"]
        assert [list(level) for level in books.books["AAPL"].asks] == after["asks"]
        last = await get("/api/history?symbol=AAPL&channel=depth")
        assert last["events"] == history["events"][-100:]
        old = await get("/api/history?symbol=AAPL&channel=depth&since=-5")
        assert (old["events"], old["gap"]["reason"]) == ([], "too_old")
        wrong = await get("/api/depth")
        assert wrong["code"] == "missing_field"
