"""Plain HTTP beside the stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from streaming import StreamClient
from wire import Follower, RawClient, running, step

from feeds.http.rest import MAX_BARS
from feeds.server import FeedServer
from ticker import __version__

pytestmark = pytest.mark.asyncio
S = 1_000_000


class Http:
    """A server and an HTTP client."""

    def __init__(self, server: FeedServer, session: aiohttp.ClientSession) -> None:
        self.server, self.session = server, session

    async def get(self, path: str, status: int = 200) -> Any:
        """Get JSON; the query is sent as it stands here."""
        async with self.session.get(self.server.url + path) as answer:
            assert answer.content_type == "application/json"
            tagged = "ETag" in answer.headers
            assert answer.headers["Cache-Control"] == ("no-cache" if tagged else "no-store")
            assert answer.status == status, await answer.text()
            return await answer.json()


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[Http]:
    options = {"symbols": "AAPL,AMZN,MSFT"} | options
    async with running(**options) as server, aiohttp.ClientSession() as session:
        yield Http(server, session)


def error(code: str, message: str) -> dict[str, str]:
    return {"type": "error", "code": code, "message": message}


# Health and symbols.


async def test_health_tells_what_the_server_is_and_does() -> None:
    async with served(rate=100) as http, RawClient(http.server) as client:
        await client.ask(action="subscribe", symbols=["AAPL"])
        await step(http.server, S)
        health = await http.get("/health")
        assert health.pop("uptime_s") >= 0
        assert health.pop("deliveries") > 0
        assert health == {
            "status": "ok",
            "server": f"tickerplant/{__version__}",
            "url": http.server.url,
            "ws": http.server.ws_url,
            "epoch": http.server.plant.market.epoch,
            "clock": "manual",
            "control": False,
            "time": http.server.plant.market.now_us / 1000,
            "symbols": 3,
            "connections": 1,
            "events": http.server.plant.pump.events,
            "conflating": 0,
            "evicted": 0,
        }


async def test_symbols_are_listed_as_over_the_stream() -> None:
    async with served() as http, RawClient(http.server) as client:
        listed = await http.get("/api/symbols")
        assert listed["symbols"] == (await client.ask(action="symbols"))["symbols"]
        assert [i["symbol"] for i in listed["symbols"]] == ["AAPL", "AMZN", "MSFT"]


# Snapshots.


async def test_snapshots_are_those_of_the_stream() -> None:
    async with served(rate=100) as http, RawClient(http.server) as client:
        await step(http.server, 1_234_567)
        answer = await http.get("/api/snapshot?symbols=MSFT,AAPL")
        assert list(answer) == ["epoch", "cursor", "time", "snapshots"]
        assert answer["epoch"] == http.server.plant.market.epoch
        assert answer["time"] == http.server.plant.market.now_us / 1000
        client.send(action="subscribe", symbols=["MSFT", "AAPL"])
        assert answer["snapshots"] == (await client.until("subscribed"))[-2:]


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("", ["AAPL", "AMZN", "MSFT"]),
        ("?symbols=*", ["AAPL", "AMZN", "MSFT"]),
        ("?symbols=A*", ["AAPL", "AMZN"]),
        ("?symbols=AMZN,,A*,", ["AMZN", "AAPL"]),
    ],
)
async def test_snapshots_can_be_chosen(query: str, symbols: list[str]) -> None:
    async with served() as http:
        answer = await http.get(f"/api/snapshot{query}")
        assert [s["symbol"] for s in answer["snapshots"]] == symbols


async def test_a_snapshot_and_the_stream_can_be_joined() -> None:
    """Who has a snapshot over HTTP and then subscribes without one can tell that nothing is missing."""
    async with served(rate=100) as http, RawClient(http.server) as client:
        await step(http.server, S)
        follower = Follower()
        follower.feed((await http.get("/api/snapshot"))["snapshots"])
        await client.ask(
            action="subscribe", symbols="*", channels=["trades", "quotes"], snapshot=False
        )
        await step(http.server, S)
        client.send(action="ping")
        follower.feed(await client.until("pong"))
        assert follower.events > 100


# Bars.


async def test_bars_are_oldest_first_and_the_one_under_way_is_partial() -> None:
    async with served(symbols="AAPL", rate=100) as http:
        await step(http.server, 90 * S + 500_000)
        answer = await http.get("/api/bars?symbol=AAPL&interval=1m&limit=3")
        assert (answer["symbol"], answer["interval"]) == ("AAPL", "1m")
        bars = answer["bars"]
        times = [bar["time"] for bar in bars]
        assert times == sorted(times)
        assert len(bars) == 3
        assert [bar.get("partial", False) for bar in bars] == [False, False, True]
        start = http.server.plant.clock.start_us / 1000
        assert bars[-1]["time"] == start + 60_000
        assert list(bars[0]) == ["time", "open", "high", "low", "close", "volume", "vwap", "trades"]
        for bar in bars:
            assert bar["low"] <= min(bar["open"], bar["close"])
            assert bar["high"] >= max(bar["open"], bar["close"])
            assert bar["low"] <= bar["vwap"] <= bar["high"]


async def test_closed_bars_are_those_of_the_stream() -> None:
    async with served(symbols="AAPL", rate=100) as http, RawClient(http.server) as client:
        await client.ask(action="subscribe", symbols="*", channels=["bars"], interval="1s")
        await step(http.server, 5 * S)
        client.send(action="ping")
        live = [o for o in await client.until("pong") if o["type"] == "bar"]
        assert len(live) == 5
        told = (await http.get("/api/bars?symbol=AAPL&interval=1s&limit=5"))["bars"]
        kept = ("time", "open", "high", "low", "close", "volume", "vwap", "trades")
        assert told == [{key: bar[key] for key in kept} for bar in live]


async def test_there_are_bars_from_the_first_moment_on() -> None:
    """A chart isn't empty when the market has just begun."""
    async with served(symbols="AAPL") as http:
        for interval in ("1s", "1m", "5m", "1h", "1d"):
            bars = (await http.get(f"/api/bars?symbol=AAPL&interval={interval}"))["bars"]
            assert 1 <= len(bars) <= 500
            assert all(bar["time"] <= http.server.plant.clock.start_us / 1000 for bar in bars)


async def test_one_minute_and_500_bars_are_the_defaults() -> None:
    async with served(symbols="AAPL") as http:
        await step(http.server, 3 * 60 * S)
        short, long = [
            await http.get(f"/api/bars?symbol=AAPL{rest}")
            for rest in ("", "&interval=1m&limit=500")
        ]
        assert short == long


@pytest.mark.parametrize(
    ("query", "status", "code", "message"),
    [
        ("", 400, "missing_field", "the parameter 'symbol' is missing"),
        ("?symbol=", 400, "missing_field", "the parameter 'symbol' is missing"),
        (
            "?symbol=APPL",
            404,
            "unknown_symbol",
            "unknown symbol 'APPL'; did you mean 'AAPL'?",
        ),
        (
            "?symbol=A*",
            400,
            "invalid_value",
            "'symbol' must be one symbol, and 'A*' matches several",
        ),
        (
            "?symbol=AAPL&interval=2m",
            400,
            "invalid_value",
            "unknown interval '2m'; the intervals are 1s, 1m, 5m, 1h, 1d",
        ),
        *(
            (
                f"?symbol=AAPL&limit={limit}",
                400,
                "invalid_value",
                f"limit {limit!r} is not a whole number from 1 to {MAX_BARS}",
            )
            for limit in ("0", "-1", "5001", "1e3", "ten", "", "9" * 40)
        ),
    ],
)
async def test_a_bad_question_about_bars_is_answered_with_what_is_allowed(
    query: str, status: int, code: str, message: str
) -> None:
    async with served() as http:
        assert await http.get(f"/api/bars{query}", status) == error(code, message)


@pytest.mark.parametrize("query", ["symbols=", "symbols=,"])
async def test_snapshots_of_nothing_are_refused(query: str) -> None:
    """As on every other path: whoever joins an empty list finds out."""
    async with served() as http:
        message = "'symbols' must be symbols and patterns, with commas between, or left out: all"
        answer = await http.get(f"/api/snapshot?{query}", 400)
        assert answer == error("invalid_value", message)


@pytest.mark.parametrize(
    ("query", "known"),
    [
        ("/api/snapshot?symbol=AAPL", "symbols, session, token"),
        ("/api/symbols?symbol=AAPL", "session, token"),
        ("/api/bars?symbol=AAPL&symbol_=x", "symbol, interval, limit, session, token"),
        ("/api/history?symbol=AAPL&from=3", "symbol, channel, since, session, token"),
    ],
)
async def test_a_parameter_that_there_isnt_is_named_with_those_that_there_are(
    query: str, known: str
) -> None:
    """A slip of the pen must not give another answer than what was asked for."""
    path, wrong = query.split("?")[0], query.split("&")[-1].split("?")[-1].split("=")[0]
    async with served() as http:
        message = f"{path} has no parameter {wrong!r}; its parameters are {known}"
        assert await http.get(query, 400) == error("unknown_field", message)


async def test_a_parameter_that_comes_twice_is_refused() -> None:
    async with served() as http:
        message = "the parameter 'symbols' is given twice"
        answer = await http.get("/api/snapshot?symbols=AAPL&symbols=MSFT", 400)
        assert answer == error("invalid_value", message)


async def test_monitors_may_ask_with_parameters_of_their_own() -> None:
    async with served() as http:
        assert (await http.get("/health?now=1"))["status"] == "ok"


async def test_a_pattern_that_means_one_symbol_is_allowed() -> None:
    async with served() as http:
        assert (await http.get("/api/bars?symbol=MS*"))["symbol"] == "MSFT"


# History.


async def test_the_history_has_exactly_what_came_after_a_sequence() -> None:
    async with served(symbols="AAPL", rate=100) as http, RawClient(http.server) as client:
        await client.ask(action="subscribe", symbols="*", channels=["trades", "quotes"])
        await step(http.server, 2 * S)
        client.send(action="ping")
        live = await client.until("pong")
        for channel, kind in (("trades", "trade"), ("quotes", "quote")):
            events = [o for o in live if o["type"] == kind]
            answer = await http.get(f"/api/history?symbol=AAPL&channel={channel}&since=10")
            assert list(answer) == ["epoch", "symbol", "channel", "seq", "events"]
            assert answer["events"] == events[10:]
            assert (answer["channel"], answer["seq"]) == (channel, events[-1]["seq"])
            answer = await http.get(f"/api/history?symbol=AAPL&channel={channel}&since=0")
            assert answer["events"] == events


async def test_without_a_sequence_it_gives_the_newest() -> None:
    async with served(symbols="AAPL", rate=400) as http:
        await step(http.server, 3 * S)
        newest = (await http.get("/api/history?symbol=AAPL"))["events"]
        assert len(newest) == 100
        seq = int(http.server.plant.market.sequences()[0, 0])
        assert [e["seq"] for e in newest] == list(range(seq - 99, seq + 1))


async def test_before_anything_happened_there_is_a_tape_and_what_happens_joins_it() -> None:
    """In the first second, then while both are part of the newest; with a sequence of 0 or less, exactly."""
    async with served(symbols="AAPL", rate=20) as http:
        for channel in ("trades", "quotes"):
            path = f"/api/history?symbol=AAPL&channel={channel}"
            first = await http.get(path)
            assert first["seq"] == 0
            assert [e["seq"] for e in first["events"]] == list(range(-99, 1))
        await step(http.server, 2 * S)
        for channel in ("trades", "quotes"):
            path = f"/api/history?symbol=AAPL&channel={channel}"
            newest = await http.get(path)
            seq = newest["seq"]
            assert 0 < seq < 100
            assert [e["seq"] for e in newest["events"]] == list(range(seq - 99, seq + 1))
            times = [e["time"] for e in newest["events"]]
            assert times == sorted(times)
            if channel == "quotes":
                assert first["events"][-10:] == [e for e in newest["events"] if -10 < e["seq"] <= 0]
            since = (await http.get(path + "&since=-7"))["events"]
            assert since == newest["events"][-7 - seq :]
            assert (await http.get(path + "&since=0"))["events"] == newest["events"][-seq:]


async def test_further_back_than_the_past_goes_is_a_gap() -> None:
    """And so is a past that what is kept doesn't join; bars of the past are elsewhere."""
    async with served(symbols="AAPL", rate=20) as http:
        for path in ("trades&since=-9000", "bars:1s&since=-3", "status&since=-1"):
            since = int(path.rpartition("=")[2])
            answer = await http.get(f"/api/history?symbol=AAPL&channel={path}")
            assert answer["gap"] == {"from": since + 1, "to": 0, "reason": "too_old"}
            assert answer["events"] == []
    async with served(symbols="AAPL", rate=100, history_mb=0.01) as http:
        await step(http.server, 5 * S)
        answer = await http.get("/api/history?symbol=AAPL&since=-5")
        assert answer["gap"]["reason"] == "too_old"
        newest = (await http.get("/api/history?symbol=AAPL"))["events"]
        assert 0 < len(newest) < 100
        assert newest[0]["seq"] > 0


async def test_bars_have_a_history_by_interval() -> None:
    async with served(symbols="AAPL", rate=100) as http:
        await step(http.server, 5 * S)
        answer = await http.get("/api/history?symbol=AAPL&channel=bars:1s&since=3")
        assert [e["seq"] for e in answer["events"]] == [4, 5]


async def test_what_it_cant_give_it_says() -> None:
    """None of the events then, and a gap that tells which ones and why."""
    async with served(symbols="AAPL", rate=100, history_mb=0.01) as http:
        await step(http.server, 5 * S)
        seq = int(http.server.plant.market.sequences()[0, 0])
        for since, reason in ((0, "too_old"), (seq + 1, "ahead")):
            answer = await http.get(f"/api/history?symbol=AAPL&since={since}")
            assert answer["events"] == []
            assert answer["gap"] == {"from": since + 1, "to": seq, "reason": reason}
        answer = await http.get(f"/api/history?symbol=AAPL&since={seq}")
        assert answer["events"] == []
        assert "gap" not in answer


@pytest.mark.parametrize(
    ("query", "status", "code", "message"),
    [
        ("", 400, "missing_field", "the parameter 'symbol' is missing"),
        (
            "?symbol=XXXX",
            404,
            "unknown_symbol",
            "unknown symbol 'XXXX'; ask for the list with 'symbols'",
        ),
        (
            "?symbol=AAPL&channel=bars",
            400,
            "unknown_channel",
            (
                "unknown channel 'bars'; the channels are trades, quotes, status,"
                " bars:1s, bars:1m, bars:5m, bars:1h, bars:1d, depth"
            ),
        ),
        (
            "?symbol=AAPL&since=1.5",
            400,
            "invalid_value",
            "since '1.5' is not a whole number from -9007199254740991 to 9007199254740991",
        ),
        (
            "?symbol=AAPL&since=x",
            400,
            "invalid_value",
            "since 'x' is not a whole number from -9007199254740991 to 9007199254740991",
        ),
    ],
)
async def test_a_bad_question_about_history_is_answered_with_what_is_allowed(
    query: str, status: int, code: str, message: str
) -> None:
    async with served() as http:
        assert await http.get(f"/api/history{query}", status) == error(code, message)


# The page.


async def test_the_page_and_its_files_are_served_and_may_load_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    (tmp_path / "index.html").write_text("<h1>prices</h1>")
    (tmp_path / "app.js").write_text("export {}")
    (tmp_path / "secret.txt").write_text("no")
    async with served(web_root=tmp_path) as http:
        async with http.session.get(f"{http.server.url}/") as page:
            assert page.status == 200
            assert await page.text() == "<h1>prices</h1>"
            assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
            assert page.headers["X-Content-Type-Options"] == "nosniff"
        async with http.session.get(f"{http.server.url}/static/app.js") as script:
            assert script.status == 200
            assert script.content_type in ("text/javascript", "application/javascript")
        for path in (
            "/static/secret.txt",
            "/static/none.js",
            "/static/../secret.txt",
            "/static/%2e%2e/rest.py",
            "/static/",
        ):
            answer = await http.get(path, 404)
            assert answer["code"] == "not_found"


async def test_without_the_page_there_is_none() -> None:
    async with served() as http:
        assert await http.get("/", 404) == error("not_found", "no such path: '/'")


# What there isn't.


async def test_a_path_that_there_isnt_is_named() -> None:
    async with served() as http:
        answer = await http.get("/api/prices?symbol=AAPL", 404)
        assert answer == error("not_found", "no such path: '/api/prices'")
        answer = await http.get("/api/symbol", 404)
        assert answer["message"] == "no such path: '/api/symbol'; did you mean '/api/symbols'?"


@pytest.mark.parametrize("path", ["/health", "/api/symbols", "/api/snapshot", "/api/bars"])
async def test_what_can_only_be_read_cant_be_written(path: str) -> None:
    async with served() as http, http.session.post(f"{http.server.url}{path}") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD"
        assert await answer.json() == error(
            "method_not_allowed", f"{path} allows GET, HEAD, not POST"
        )


# Polling.


@pytest.mark.parametrize(
    "path", ["/api/symbols", "/api/snapshot?symbols=AAPL", "/api/bars?symbol=AAPL&interval=1s"]
)
async def test_who_polls_is_told_when_nothing_is_new(path: str) -> None:
    async with served(rate=100) as http:
        for _ in range(2):
            async with http.session.get(http.server.url + path) as answer:
                assert answer.status == 200
                tag = answer.headers["ETag"]
                first = await answer.read()
            for known, status in ((tag, 304), (f'"x", {tag}', 304), ("*", 304), ('"x"', 200)):
                headers = {"If-None-Match": known}
                async with http.session.get(http.server.url + path, headers=headers) as answer:
                    assert answer.status == status
                    assert answer.headers["ETag"] == tag
                    assert await answer.read() == (first if status == 200 else b"")
            await step(http.server, S)
            async with http.session.get(
                http.server.url + path, headers={"If-None-Match": tag}
            ) as answer:
                assert answer.status == (304 if path == "/api/symbols" else 200)


async def test_a_snapshot_of_a_symbol_without_news_is_not_new() -> None:
    """Though the market's time goes on."""
    async with served(rate=0) as http:
        url = f"{http.server.url}/api/snapshot?symbols=AAPL"
        async with http.session.get(url) as answer:
            tag = answer.headers["ETag"]
        await step(http.server, S)
        async with http.session.get(url, headers={"If-None-Match": tag}) as answer:
            assert answer.status == 304


async def test_the_cursor_of_a_snapshot_is_where_a_stream_goes_on() -> None:
    async with served(rate=100) as http:
        await step(http.server, S)
        answer = await http.get("/api/snapshot?symbols=AAPL")
        await step(http.server, S)
        follower = Follower()
        follower.feed(answer["snapshots"])
        target = "/sse?symbols=AAPL&channels=trades,quotes&last_event_id=" + answer["cursor"]
        async with StreamClient(http.server, target) as client:
            await client.event()
            items = (await client.event()).objects
        assert {item["type"] for item in items} == {"subscribed", "trade", "quote"}
        follower.feed(items)
        assert follower.last["AAPL", "trades"] == http.server.plant.market.sequences()[0, 0]
