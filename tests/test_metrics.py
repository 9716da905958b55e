"""Metrics: what a live server exposes, what it says of what clients did, and the documents and the dashboard about it."""

from __future__ import annotations

import asyncio
import importlib.resources
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text
from raw_http import RawHttp
from wire import BINARY, RawClient, eventually, on_both_loops, running, step

import feeds
from feeds.admission.limits import Limits
from feeds.errors import Code
from feeds.fanout.resume import OUTCOMES
from feeds.http.metrics import backlogs
from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy, Eviction
from ticker import __version__
from ticker.batch import CHANNELS

S = 1_000_000
FEEDS = Path(feeds.__file__).parent

Values = dict[str, float]


async def scrape(server: FeedServer) -> str:
    """Give the metrics as Prometheus gets them from a server that it asks for nothing special."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{server.url}/metrics") as answer,
    ):
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        return await answer.text()


async def values(server: FeedServer) -> Values:
    """Give every sample: ``name`` or ``name{label}``, without the prefix."""
    found: Values = {}
    for family in read_text(await scrape(server)):
        for sample in family.samples:
            labels = f"{{{','.join(sample.labels.values())}}}" if sample.labels else ""
            found[sample.name.removeprefix("tickerplant_") + labels] = sample.value
    return found


# What clients did.


@on_both_loops
async def test_the_metrics_are_what_clients_got() -> None:
    """Everything that two clients with one interest, and one with none, read and said is in the figures."""
    async with (
        running(symbols="AAPL,MSFT", rate=100) as server,
        RawClient(server) as one,
        RawClient(server) as two,
        RawClient(server) as idle,
    ):
        for client in (one, two):
            await client.ask(action="subscribe", symbols="*", channels=["trades", "quotes"])
        await idle.message()
        await step(server, 3 * S)
        events = 0
        for client in (one, two):
            client.send(action="ping")
            objects = await client.until("pong")
            events += sum(item["type"] in ("trade", "quote") for item in objects)
        assert events > 100
        found = await values(server)
        assert found["clients{websocket}"] == found["connections_accepted_total{websocket}"] == 3
        assert (found["groups"], found["subscriptions"], found["slots_wanted"]) == (1, 8, 4)
        assert found["deliveries_total"] == events
        assert found["published_events_total"] == events / 2
        assert found["events_total"] == server.plant.pump.events > events / 2, "and bars"
        assert found["requests_total{subscribe}"] == found["requests_total{ping}"] == 2
        assert found["requests_total{symbols}"] == 0
        assert found["messages_written_total"] == server.plant.hub.stats.writes
        assert found["written_bytes_total"] == server.plant.hub.stats.bytes
        assert found["symbols"] == 2
        assert found["market_time_seconds"] == server.plant.market.now_us / 1e6
        assert found["healthy"] == 1
        assert found["backlog_bytes_bucket{0.0}"] == found["backlog_bytes_gcount"] == 3
        assert found["turn_duration_seconds_count"] == server.plant.pump.turns
        assert found["tick_to_write_seconds_count"] == 0, "a manual clock has no pace"
        assert found["history_events"] == server.plant.pump.events
        seq = server.plant.hub.seq.reshape(CHANNELS, 2)
        rings = {channel for channel in range(CHANNELS) if seq[channel].any()}
        assert found["history_rings"] == 2 * len(rings)
        assert found["history_bytes"] > 100 * found["history_events"]


@on_both_loops
async def test_every_error_is_counted_by_its_code() -> None:
    async with running() as server, RawClient(server) as client:
        for text, code in (
            (b"{", Code.INVALID_JSON),
            (b"[]", Code.INVALID_REQUEST),
            (b'{"action":"buy"}', Code.UNKNOWN_ACTION),
            (b'{"action":"subscribe","symbols":["NONE"]}', Code.UNKNOWN_SYMBOL),
        ):
            client.send_frame(1, text)
            await client.until("error")
            assert server.plant.feed.stats.errors[code] == 1
        client.send_frame(BINARY, b"\0")
        await client.until("error")
        client.send_frame(1, b"\xff")
        assert await client.closed() == 1007
        await eventually(lambda: not server.plant.websockets.open, "it is forgotten")
        found = await values(server)
        told = {code: found[f"request_errors_total{{{code}}}"] for code in Code}
        counted = {code: n for code, n in told.items() if n}
        assert counted == dict.fromkeys(
            (
                Code.INVALID_JSON,
                Code.INVALID_UTF8,
                Code.BINARY_FRAME,
                Code.INVALID_REQUEST,
                Code.UNKNOWN_ACTION,
                Code.UNKNOWN_SYMBOL,
            ),
            1,
        )
        assert found["requests_total{subscribe}"] == 1, "well-formed, though it couldn't be done"


@pytest.mark.asyncio
async def test_a_subscription_to_the_latest_is_one_too() -> None:
    async with running() as server, RawClient(server) as client:
        asked = {"symbols": ["AAPL", "MSFT"], "channels": ["trades", "quotes"]}
        await client.ask(action="subscribe", **asked, mode="latest")
        await client.ask(action="subscribe", symbols=["AAPL"])
        found = await values(server)
        assert (found["groups"], found["subscriptions"], found["slots_wanted"]) == (1, 4, 4)


@on_both_loops
async def test_the_end_of_too_many_errors_is_counted() -> None:
    async with running() as server, RawClient(server) as client:
        for _ in range(100):
            client.send(action="buy")
        assert await client.closed() == 1008
        found = await values(server)
        assert found["request_errors_total{unknown_action}"] == 100
        assert found["request_errors_total{too_many_errors}"] == 1


@on_both_loops
async def test_connections_are_counted_by_how_they_ended() -> None:
    async with running() as server:

        def closed() -> Values:
            return {code: n for code, n in server.plant.feed.stats.closed.items() if n}

        for code in (1000, 4321, 3000):
            async with RawClient(server) as client:
                client.send_frame(8, code.to_bytes(2))
                await client.closed()
        async with RawClient(server) as client:
            client.send_frame(8, b"")
            await client.closed()
        async with RawClient(server) as client:
            client.send_frame(1, b"x" * 600_000)
            assert await client.closed() == 1009
        async with RawClient(server) as client:
            await client.message()
            client.vanish()
        async with aiohttp.ClientSession() as http, http.get(f"{server.url}/ws") as answer:
            assert answer.status == 426
        await eventually(lambda: sum(closed().values()) == 6, "all have ended")
        found = await values(server)
        assert found["connections_closed_total{1000}"] == 1
        assert found["connections_closed_total{1005}"] == 1, "a browser's close() says no code"
        assert found["connections_closed_total{1009}"] == 1, "closed by us while it was writing"
        assert found["connections_closed_total{1006}"] == 1
        assert found["connections_closed_total{other}"] == 2, "a client can't make up labels"
        assert found["connections_closed_total{1011}"] == 0
        assert found["connections_accepted_total{websocket}"] == 6
        assert found["connections_refused_total{upgrade_required}"] == 1
        assert found["clients{websocket}"] == 0


@on_both_loops
async def test_what_is_refused_over_http_is_counted_by_its_code() -> None:
    """By the rules of access, by what reads requests, and by what answers them; nothing that a client sent is a label."""
    async with running() as server:
        for request, code in (
            ("GET /api/symbols HTTP/1.1|Host: evil.example", "forbidden_host"),
            (
                "GET /health HTTP/1.1|Host: localhost|Origin: http://evil.example",
                "forbidden_origin",
            ),
            ("GET /evil HTTP/1.1|Host: localhost", "not_found"),
            ("PUT /health HTTP/1.1|Host: localhost", "method_not_allowed"),
            ("GET /api/bars?symbol=EVIL HTTP/1.1|Host: localhost", "unknown_symbol"),
            ("GET /api/bars?evil=1 HTTP/1.1|Host: localhost", "unknown_field"),
            ("GET /ws?session=evil HTTP/1.1|Host: localhost", "unknown_session"),
            ("EVIL / HTTP/1.1|Host: localhost", "invalid_request"),
        ):
            async with RawHttp(server) as http:
                http.send(*request.split("|"), "Connection: close")
                assert (await http.answer()).json()["code"] == code
            assert server.access.stats.errors[code] == 1
        async with RawHttp(server) as http:
            assert (await http.get("/ws")).status == 426
        text = await scrape(server)
        assert "evil" not in text.lower()
        found = await values(server)
        assert found["http_errors_total{forbidden_host}"] == 1
        assert found["http_errors_total{unknown_symbol}"] == 1
        assert found["http_errors_total{uri_too_long}"] == 0, "there before it happens"
        assert sum(n for name, n in found.items() if name.startswith("http_errors_total")) == 8
        assert found["connections_refused_total{upgrade_required}"] == 1


@on_both_loops
async def test_who_is_one_too_many_or_reads_no_answer_is_counted() -> None:
    policy = BacklogPolicy(no_progress_s=0.2)
    limits = Limits(max_connections=2, max_per_address=1)
    async with running(symbols="3000", limits=limits, backlog=policy) as server:
        async with RawHttp(server) as http:
            http.send("GET /health HTTP/1.1", "Host: localhost")
            await http.read(b"}")
            async with RawHttp(server) as second:
                assert (await second.get("/api/symbols")).status == 429
            async with RawHttp(server, address="127.0.0.2") as other:
                other.send("GET /health HTTP/1.1", "Host: localhost")
                await other.read(b"}")
                async with RawHttp(server, address="127.0.0.3") as third:
                    assert (await third.get("/api/symbols")).status == 503
        assert server.doors is not None
        turnstile = server.doors.turnstile
        await eventually(lambda: not turnstile.inside, "all have left")
        async with RawHttp(server) as http:
            for _ in range(8):
                http.send("GET /api/snapshot HTTP/1.1", "Host: localhost")
            await eventually(lambda: any(server.access.stats.unread.values()), "it is cut off")
        await eventually(lambda: not turnstile.inside, "all have left")
        found = await values(server)
        assert found["connections_refused_total{too_many_from_address}"] == 1
        assert found["connections_refused_total{too_many_connections}"] == 1
        assert found["http_errors_total{too_many_from_address}"] == 1
        assert found["unread_answers_total{no_progress}"] == 1
        assert found["unread_answers_total{too_long}"] == 0


@on_both_loops
async def test_a_stream_that_is_over_is_counted() -> None:
    async with running() as server:
        async with RawHttp(server) as http:
            http.send("GET /sse?symbols=* HTTP/1.1", "Host: localhost")
            await http.read(b"snapshot")
        await eventually(lambda: server.plant.feed.stats.closed["none"], "it is over")
        found = await values(server)
        assert found["connections_accepted_total{sse}"] == 1
        assert found["connections_closed_total{none}"] == 1


@on_both_loops
async def test_who_comes_back_is_counted_by_what_came_of_it() -> None:
    async with (
        running(symbols="AAPL,MSFT", rate=400, history_mb=0.02) as server,
        RawClient(server) as client,
    ):
        (hello,) = await client.message()
        await step(server, 10 * S)
        seq = {
            name: int(server.plant.market.sequences()[0, n])
            for n, name in enumerate(("AAPL", "MSFT"))
        }

        async def resume(epoch: str, **since: int) -> None:
            channels = {name: {"trades": last} for name, last in since.items()}
            await client.ask(action="subscribe", symbols=list(since), epoch=epoch, since=channels)

        await resume(hello["epoch"], AAPL=seq["AAPL"] - 1, MSFT=seq["MSFT"])
        await resume(hello["epoch"], AAPL=0, MSFT=seq["MSFT"] + 1)
        await resume("f" * 16, AAPL=1)
        found = await values(server)
        told = {outcome: found[f"resumed_total{{{outcome}}}"] for outcome in OUTCOMES}
        assert told == {"replayed": 2, "too_old": 1, "ahead": 1, "epoch": 1}


@on_both_loops
async def test_slow_clients_show_while_they_are_slow_and_when_they_are_gone() -> None:
    policy = BacklogPolicy(no_progress_s=2)
    async with (
        running(clock="wall", rate=2000, symbols="50", backlog=policy) as server,
        RawClient(server, receive_buffer=4096) as slow,
        RawClient(server) as quick,
    ):
        await quick.message()
        slow.send(action="subscribe", symbols="*", channels=["trades", "quotes"])
        slow.pause()
        await eventually(lambda: server.plant.hub.slow.laggards, "it is behind")
        spread = backlogs(server.plant.hub)
        assert spread.counts[0] == 1, "who reads has nothing unread"
        assert spread.sum > 0
        assert sum(spread.counts) == 2
        assert (await values(server))["conflating_clients"] in (0, 1)
        await eventually(lambda: not server.plant.hub.slow.laggards, "it is cut off")
        await eventually(lambda: len(server.plant.websockets.open) == 1, "it is forgotten")
        found = await values(server)
        assert found["conflating_clients"] == 0
        assert found[f"evicted_total{{{Eviction.NO_PROGRESS.value}}}"] == 1
        assert found["connections_closed_total{1006}"] == 1
        assert found["backlog_bytes_gcount"] == 1


@on_both_loops
async def test_with_max_who_is_waited_for_shows() -> None:
    async with (
        running(clock="max", rate=2000, symbols="50") as server,
        RawClient(server, receive_buffer=4096) as slow,
    ):
        slow.send(action="subscribe", symbols="*", channels=["trades", "quotes"])
        slow.pause()
        await eventually(lambda: server.plant.hub.slow.congested, "it is waited for")
        found = await values(server)
        assert (found["congested_clients"], found["conflating_clients"]) == (1, 0)
        assert found["tick_to_write_seconds_count"] == 0


@on_both_loops
async def test_on_a_clock_with_a_pace_every_event_that_is_written_has_an_age() -> None:
    async with running(clock="x5", rate=200, slow_turn_ms=0) as server:
        await eventually(lambda: server.plant.pump.events > 100, "events")
        assert (await values(server))["tick_to_write_seconds_count"] == 0, "nobody is there"
        async with RawClient(server) as client:
            await client.ask(action="subscribe", symbols="*", channels=["trades", "quotes"])
            await eventually(lambda: server.plant.hub.deliveries() > 1_000, "deliveries")
            await server.plant.pump.between_turns()
            delivered = server.plant.hub.deliveries()
            assert server.plant.pump.timing.ages.cumulative()[-1] >= delivered
            found = await values(server)
        assert found["tick_to_write_seconds_bucket{+Inf}"] >= delivered
        assert found["tick_to_write_seconds_sum"] > 0


@on_both_loops
async def test_two_servers_in_one_process_have_metrics_of_their_own() -> None:
    async with (
        running(symbols="3", seed=1) as first,
        running(symbols="4", seed=2) as second,
        RawClient(second) as client,
    ):
        await client.message()
        told = [await values(server) for server in (first, second)]
        assert [found["symbols"] for found in told] == [3, 4]
        assert [found["clients{websocket}"] for found in told] == [0, 1]


@on_both_loops
async def test_it_says_what_runs() -> None:
    async with running() as server:
        about = next(f for f in read_text(await scrape(server)) if f.name.endswith("build_info"))
        (sample,) = about.samples
        assert sample.value == 1
        labels = dict(sample.labels)
        assert labels.pop("python").count(".") == 2
        assert labels.pop("loop") in ("asyncio", "uvloop")
        assert labels == {
            "version": __version__,
            "clock": "manual",
            "seed": "7",
            "epoch": server.plant.market.epoch,
        }


@on_both_loops
async def test_who_asks_for_openmetrics_gets_it() -> None:
    async with running() as server, aiohttp.ClientSession() as http:
        wanted = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
        async with http.get(f"{server.url}/metrics", headers=wanted) as answer:
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text; ")
            text = await answer.text()
        types = {family.name: family.type for family in read_openmetrics(text)}
        assert types["tickerplant_backlog_bytes"] == "gaugehistogram"
        assert types["tickerplant_deliveries"] == "counter"
        async with http.post(f"{server.url}/metrics") as answer:
            assert answer.status == 405


# The names, in the documents and on the dashboard.


@pytest.fixture(scope="module")
def exposed() -> str:
    """What a live server exposes, fetched once."""
    found: list[str] = []

    async def fetch() -> None:
        async with running(clock="wall") as server, RawClient(server) as client:
            await client.ask(action="subscribe", symbols="*")
            await client.until("trade")
            found.append(await scrape(server))

    asyncio.run(fetch())
    return found[0]


def families(exposed: str) -> Iterator[tuple[str, str, str, set[str]]]:
    """Give name, type, labels and help of every family of ours."""
    types = dict(re.findall(r"^# TYPE (tickerplant_\w+) (\w+)$", exposed, re.MULTILINE))
    for name, text in re.findall(r"^# HELP (tickerplant_\w+) (.*)$", exposed, re.MULTILINE):
        if not name.endswith(("_gcount", "_gsum")):  # of a gauge histogram, in the old format
            found = re.findall(rf"^{name}(?:_bucket)?{{(.*?)}} ", exposed, re.MULTILINE)
            labels = {label for some in found for label in re.findall(r'(\w+)="', some)}
            yield name, types[name], text, labels - {"le"}


def test_the_readme_has_every_metric_as_a_live_server_exposes_it(exposed: str) -> None:
    """Name, type, labels and meaning, in the same order."""
    text = (FEEDS / "README.md").read_text(encoding="utf-8")
    rows = [
        line.strip("|").split("|")
        for line in text.splitlines()
        if line.startswith("| `tickerplant_")
    ]
    told = [
        (name.strip(" `"), kind.strip(), meaning.strip(), set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, meaning in rows
    ]
    assert told == list(families(exposed))


def test_names_follow_the_conventions_of_prometheus(exposed: str) -> None:
    """Counters end with _total and nothing else does; what has a unit has it in its name, a base unit."""
    for name, kind, text, _ in families(exposed):
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(ms|us|milliseconds|kb|mb|kilobytes)(_|$)", name), name
        if kind == "histogram":
            assert name.endswith(("_seconds", "_bytes"))
        assert text.endswith("."), name


def test_buckets_rise_and_the_last_is_the_count(exposed: str) -> None:
    seen = 0
    for family in read_text(exposed):
        buckets = [s.value for s in family.samples if s.name.endswith("_bucket")]
        if buckets:
            seen += 1
            assert buckets == sorted(buckets)
            counts = [s.value for s in family.samples if s.name.endswith("_count")]
            assert counts in ([], [buckets[-1]])
    assert seen == 4


# The dashboard.


def dashboard() -> dict[str, Any]:
    text = importlib.resources.files("feeds").joinpath("grafana.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def expressions() -> Iterator[str]:
    """Give every PromQL expression: of panels, of variables, of annotations."""
    board = dashboard()
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield re.fullmatch(r"label_values\((.*), \w+\)", variable["definition"])[1]  # type: ignore[index]
    yield from (a["expr"] for a in board["annotations"]["list"] if "expr" in a)


def names_in(expression: str) -> set[str]:
    """Give the names of metrics in PromQL: what is no label, function or keyword."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(by|without) \([^)]*\)", " ", expression)
    return set(re.findall(r"\b[a-zA-Z_:][\w:]*\b(?!\s*\()", bare))


def test_the_reading_of_expressions_finds_what_is_there() -> None:
    text = 'sum by (le, job) (rate(a_total{b=~"$c", d="e"}[5m])) / sum(f:g) - time() > 0'
    assert names_in(text) == {"a_total", "f:g"}


def test_the_dashboard_asks_for_nothing_that_isnt_exposed(exposed: str) -> None:
    samples = {sample.name for family in read_text(exposed) for sample in family.samples}
    asked = set()
    for expression in expressions():
        assert expression.count("(") == expression.count(")")
        assert names_in(expression), expression
        asked |= names_in(expression)
    of_process = {name for name in asked if name.startswith("process_")}
    assert asked - of_process <= samples
    assert of_process <= {
        "process_cpu_seconds_total",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
    }


def test_the_dashboard_shows_every_metric(exposed: str) -> None:
    """But for two counts that go with what is shown."""
    asked = {
        re.sub(r"_(bucket|sum|count|gsum|gcount)$", "", name)
        for expression in expressions()
        for name in names_in(expression)
    }
    unseen = {name for name, *_ in families(exposed)} - asked
    assert unseen == {
        "tickerplant_symbols",
        "tickerplant_history_rings",
        "tickerplant_history_events",
    }


def test_every_panel_has_its_own_id_a_description_and_the_chosen_data_source() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        if panel["type"] == "row":
            continue
        assert panel["description"].endswith("."), panel["title"]
        for source in (panel["datasource"], *(t["datasource"] for t in panel["targets"])):
            assert source == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            assert 'job=~"$job", instance=~"$instance"' in target["expr"]
            assert target["legendFormat"]


def test_variables_choose_data_source_job_and_instance() -> None:
    variables = {v["name"]: v for v in dashboard()["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance"]
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"


def test_panels_fill_the_grid_and_dont_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    height = max(y for _, y in taken) + 1
    assert taken == {(x, y) for x in range(24) for y in range(height)}
