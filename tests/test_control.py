"""The control API over real sockets: each operation, sessions apart from each other, and who may not drive."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from raw_http import RawHttp
from wire import RawClient, running

from feeds.admission.limits import Limits
from feeds.cli.banner import banner, ready_line
from feeds.config import FeedConfig
from feeds.control.errors import ControlCode
from feeds.control.operations import OPERATIONS
from feeds.directing.director import Director
from feeds.errors import ConfigError
from feeds.server import FeedServer

pytestmark = pytest.mark.asyncio

README = (Path(__file__).parent.parent / "feeds" / "README.md").read_text()


class Remote:
    """What a test in another language has: HTTP."""

    def __init__(self, server: FeedServer, http: aiohttp.ClientSession) -> None:
        self.server, self._http = server, http

    async def ask(
        self, method: str, name: str, body: Any = None, **query: str
    ) -> tuple[int, dict[str, Any]]:
        url = f"{self.server.url}/control/{name}"
        async with self._http.request(method, url, json=body, params=query) as answer:
            assert answer.content_type == "application/json"
            assert answer.headers["Cache-Control"] == "no-store"
            return answer.status, await answer.json()

    async def post(self, name: str, session: str = "", /, **body: Any) -> dict[str, Any]:
        """Do something that works."""
        query = {"session": session} if session else {}
        status, item = await self.ask("POST", name, body, **query)
        assert status == 200, item
        return item

    async def refused(self, method: str, name: str, body: Any = None, **query: str) -> list[Any]:
        """Do something that doesn't; give the status, the code and the message."""
        status, item = await self.ask(method, name, body, **query)
        assert item["type"] == "error"
        return [status, item["code"], item["message"]]


@asynccontextmanager
async def driven(**options: Any) -> AsyncIterator[Remote]:
    """Run a server under control, with a quiet market."""
    options = {"symbols": "AAPL,MSFT", "rate": 0, "control": True} | options
    async with running(**options) as server, aiohttp.ClientSession() as http:
        yield Remote(server, http)


async def events(client: RawClient, count: int) -> list[dict[str, Any]]:
    """Read so many events."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        found += [item for item in await client.message() if "seq" in item and "price" in item]
    return found


# Each operation.


async def test_events_are_written_when_the_answer_comes() -> None:
    """A trade, a quote, a status, several at their times; the answer says what time it is."""
    async with driven() as remote, RawClient(remote.server) as client:
        client.send(action="subscribe", symbols="*", channels=["trades"])
        await remote.post("wait", **{"for": "subscription", "symbol": "MSFT"})
        told = await remote.post("trade", symbol="AAPL", price=187.43, size=7)
        assert told == {"time": 1767623400000.001, "now": "2026-01-05T14:30:00.000001+00:00"}
        (trade,) = await events(client, 1)
        assert (trade["price"], trade["size"]) == (187.43, 7)
        odd = {"size": 1, "exchange": "V", "conditions": ["I"]}
        await remote.post("trade", symbol="AAPL", price=999.0, **odd)
        (trade,) = await events(client, 1)
        assert trade.items() >= odd.items()
        await remote.post("quote", symbol="AAPL", bid=187.4, ask=187.5)
        await remote.post("status", symbol="MSFT", status="halted", reason="T1")
        played = [
            {"type": "trade", "symbol": "AAPL", "price": 1.0, "at": "1s"},
            {"type": "trade", "symbol": "AAPL", "price": -5, "at": "2s", "raw": True},
        ]
        told = await remote.post("play", events=played)
        assert told["events"] == 2
        assert [trade["price"] for trade in await events(client, 2)] == [1.0, -5]
        snapshot = await client.ask(action="snapshot", symbols=["MSFT"])
        assert snapshot["status"] == "halted"


async def test_a_scenario_is_begun_with_its_terms() -> None:
    async with driven() as remote:
        terms = {"name": "halt_and_reopen", "symbol": "AAPL", "size": 0.5, "duration": "20s"}
        status, _ = await remote.ask("POST", "scenario", {**terms, "volatility": 1.5, "seed": 3})
        assert status == 200
        await remote.post("advance", by="10s")
        market = remote.server.plant.market
        assert (market.snapshot(0).status, market.snapshot(0).reason) == ("halted", "T1")
        await remote.post("advance", by="11s")
        state = market.snapshot(0)
        assert state.status == "trading"
        assert state.last == pytest.approx(1.5 * state.prev_close, rel=0.01)


async def test_time_is_moved() -> None:
    async with driven() as remote:
        assert (await remote.post("advance", by="250ms"))["time"] == 1767623400250
        assert (await remote.post("advance", by=0.75))["time"] == 1767623401000
        assert (await remote.post("run_until", when="09:45"))["now"].startswith("2026-01-05T14:45")


async def test_a_step_is_so_many_events() -> None:
    async with driven(rate=50) as remote:
        assert (await remote.post("step"))["events"] >= 1
        assert (await remote.post("step", n=5.0))["events"] >= 5


async def test_a_tape_is_played_from_a_file(tmp_path: Path) -> None:
    tape = tmp_path / "tape.ndjson"
    tape.write_bytes(orjson.dumps({"type": "trade", "symbol": "AAPL", "price": 5.0}))
    async with driven() as remote:
        assert (await remote.post("load", path=str(tape)))["events"] == 1
        status, code, message = await remote.refused("POST", "load", {"path": "missing"})
        assert (status, code) == (409, "conflict")
        assert "can't read the tape 'missing'" in message


async def test_what_clients_do_is_waited_for_and_told() -> None:
    """The first one, its subscription, that it has read everything, its end; and what it sent."""
    async with driven() as remote:
        waiting = asyncio.create_task(remote.post("wait", **{"for": "client"}))
        async with RawClient(remote.server) as client:
            assert (await waiting)["client"]["id"] == 1
            client.send(action="subscribe", id=5, symbols=["AAPL"], channels=["trades"])
            wait = {"for": "subscription", "symbol": "AAPL", "channel": "trades", "client": 1}
            found = (await remote.post("wait", **wait, timeout="60s"))["client"]
            assert found["subscriptions"] == {"AAPL": ["trades"]}
            assert found["sent"][0]["id"] == 5
            await remote.post("assert_subscribed", symbol="AAPL")
            reading = asyncio.create_task(client.closed())
            await remote.post("sync", client=1)
            reading.cancel()
        ended = (await remote.post("wait", **{"for": "close", "client": 1}))["client"]
        assert (ended["is_open"], ended["closed_by"]) == (False, "network")
        assert await remote.ask("GET", "clients") == (200, {"clients": [ended]})
        _, journal = await remote.ask("GET", "journal", client="1")
        assert [entry["kind"] for entry in journal["entries"]][:1] == ["open"]
        _, newest = await remote.ask("GET", "journal", kind="close", last="1")
        assert newest["count"] == journal["count"]
        assert [entry["code"] for entry in newest["entries"]] == [1006]


async def test_a_wait_in_vain_is_408_and_shows_what_there_was() -> None:
    async with driven() as remote, RawClient(remote.server):
        await remote.post("wait", **{"for": "client"})
        wait = {"for": "subscription", "symbol": "MSFT", "timeout": "1ms"}
        status, item = await remote.ask("POST", "wait", wait)
        assert status == 408
        assert (item["type"], item["code"]) == ("error", "timeout")
        assert item["message"] == "no subscription to 'MSFT' within 0.001 s"
        assert [client["id"] for client in item["clients"]] == [1]
        assert item["journal"][0]["kind"] == "open"


async def test_what_is_asserted_and_is_not_so_is_409() -> None:
    async with driven() as remote, RawClient(remote.server) as client:
        client.send(action="jump")
        await client.ask(action="ping")
        status, item = await remote.ask("POST", "assert_subscribed", {"symbol": "AAPL"})
        assert (status, item["code"]) == (409, "assertion_failed")
        assert item["message"] == "nobody is subscribed to 'AAPL'"
        assert item["clients"][0]["sent"][0] == {"action": "jump"}
        refused = await remote.refused("POST", "assert_no_unknown_messages", {"client": 1})
        assert refused[:2] == [409, "assertion_failed"]
        assert "client 1 sent {'action': 'jump'}" in refused[2]


async def test_a_reset_begins_anew_and_perhaps_otherwise() -> None:
    """Clients are told 1012."""
    async with driven() as remote:
        await remote.post("trade", symbol="AAPL", price=187.43)
        before = (await remote.ask("GET", "state"))[1]
        assert before["events"] == 1
        async with RawClient(remote.server) as client:
            told = await remote.post("reset", seed=99, symbols="3", rate=2)
            assert told["time"] == 1767623400000
            assert await client.closed() == 1012
        state = (await remote.ask("GET", "state"))[1]
        assert (state["seed"], len(state["symbols"]), state["events"]) == (99, 3, 0)
        assert state["epoch"] != before["epoch"]
        assert (await remote.ask("GET", "clients"))[1] == {"clients": []}


async def test_who_waits_is_told_of_a_reset() -> None:
    async with driven() as remote:
        asking = remote.refused("POST", "wait", {"for": "client", "timeout": "60s"})
        waiting = asyncio.create_task(asking)
        while not waiting.done():
            await remote.post("reset")
        status, code, message = await waiting
        assert (status, code) == (409, "conflict")
        assert "waited for client 1, but the session was reset" in message


async def test_faults_are_put_in_force_and_taken_out_of_it() -> None:
    """What is done at once is done when the answer comes."""
    async with driven() as remote, RawClient(remote.server) as client:
        await remote.post("wait", **{"for": "client"})
        status, put = await remote.ask(
            "PUT", "faults", {"name": "close", "code": 4001, "client": 1}
        )
        assert (status, put["fault"]["code"]) == (200, 4001)
        assert await client.closed() == 4001
        _, other = await remote.ask("PUT", "faults", {"name": "gap", "symbol": "AAPL"})
        _, found = await remote.ask("GET", "faults")
        assert other["id"] in [armed["id"] for armed in found["faults"]]
        gone = await remote.ask("DELETE", "faults", id=str(other["id"]))
        assert other["id"] not in [armed["id"] for armed in gone[1]["faults"]]
        refused = await remote.refused("DELETE", "faults", id=str(other["id"]))
        assert refused[:2] == [404, "unknown_fault"]
        assert (await remote.ask("DELETE", "faults"))[1] == {"faults": []}


@pytest.mark.parametrize(
    ("fault", "status", "code", "message"),
    [
        ({"name": "x"}, 400, "invalid_value", "'name' must be refuse or silence or"),
        (
            {"name": "gap", "events": 0},
            400,
            "invalid_value",
            "'events' must be a whole number from",
        ),
        ({"name": "gap", "code": 1}, 400, "unknown_field", "has no field 'code'"),
        ({"name": "abort", "client": 9}, 404, "unknown_client", "unknown client 9"),
        ({"name": "gap", "symbol": "X"}, 404, "unknown_symbol", "unknown symbol 'X'"),
        ({"name": "refuse", "on": "ping"}, 409, "conflict", "refuse can't wait for 'on'"),
    ],
)
async def test_a_fault_that_cannot_be_is_told(
    fault: dict[str, Any], status: int, code: str, message: str
) -> None:
    async with driven() as remote:
        refused = await remote.refused("PUT", "faults", fault)
        assert refused[:2] == [status, code], refused
        assert message in refused[2]


async def test_a_scenario_takes_its_course() -> None:
    async with driven(rate=20) as remote, RawClient(remote.server) as client:
        await remote.post("scenario", name="flash_crash", symbol="AAPL", duration="10s", size=-0.2)
        await remote.post("advance", by="20s")
        day = await client.ask(action="snapshot", symbols=["AAPL"])
        assert day["low"] < 0.85 * day["open"]


# Sessions.


async def test_sessions_know_nothing_of_each_other() -> None:
    """Each has a market, a clock, clients and a journal; the first command begins it, and clients name it likewise."""
    async with driven() as remote, aiohttp.ClientSession() as http:
        assert (await remote.post("advance", "1s", by="1s"))["time"] == 1767623401000
        assert (await remote.post("advance", "2s", by="2s"))["time"] == 1767623402000
        async with http.ws_connect(f"{remote.server.ws_url}?session=1s") as ws:
            await ws.receive()
            assert (await remote.post("wait", "1s", **{"for": "client"}))["client"]["id"] == 1
            wait = {"for": "client", "timeout": 0}
            assert (await remote.refused("POST", "wait", wait, session="2s"))[0] == 408
            state = (await remote.ask("GET", "state", session="1s"))[1]
            assert (state["session"], state["sessions"]) == ("1s", ["", "1s", "2s"])
            assert state["clients"] == 1
            assert (await remote.ask("GET", "state"))[1]["time"] == 1767623400000
        assert await remote.ask("DELETE", "session", session="1s") == (
            200,
            {"sessions": ["", "2s"]},
        )


async def test_only_commands_begin_a_session() -> None:
    """A look at one that isn't there is 404, and so is its end."""
    async with driven() as remote:
        for method, name in (("GET", "state"), ("GET", "journal"), ("DELETE", "session")):
            refused = await remote.refused(method, name, session="w1")
            assert refused[:2] == [404, "unknown_session"]
            assert "unknown session 'w1'; there is '' (the default)" in refused[2]
        refused = await remote.refused("DELETE", "session")
        assert refused == [409, "conflict", "the session '' is always there; it can be reset"]


# What is refused.


@pytest.mark.parametrize(
    ("name", "body", "status", "code", "message"),
    [
        ("trade", {"symbol": "AAPL"}, 400, "missing_field", "the field 'price' is missing"),
        (
            "trade",
            {"symbol": "AAPL", "price": "5"},
            400,
            "invalid_value",
            "'price' must be a price",
        ),
        ("trade", {"symbol": "AAPL", "price": 1, "x": 2}, 400, "unknown_field", "has no field 'x'"),
        ("trade", {"symbol": "APPL", "price": 1}, 404, "unknown_symbol", "did you mean 'AAPL'?"),
        (
            "trade",
            {"symbol": "AAPL", "price": 187.435},
            409,
            "conflict",
            "price 187.435 of AAPL is not on its grid of 0.01: 187.43 and 187.44 are",
        ),
        ("advance", {"by": "soon"}, 400, "invalid_value", "'by' must be a length of time: 250ms,"),
        ("advance", {"by": True}, 400, "invalid_value", "a number of seconds, not true"),
        ("advance", {"by": "5s\n"}, 400, "invalid_value", "'by' must be a length of time"),
        ("step", {"n": 0}, 400, "invalid_value", "'n' must be a number of events from 1 to"),
        ("run_until", {"when": "09:00"}, 409, "conflict", "'09:00' has passed"),
        ("run_until", {"when": "late"}, 409, "conflict", "'late' is no moment"),
        ("scenario", {"name": "doom"}, 400, "invalid_value", "not 'doom'"),
        (
            "reset",
            {"port": 1},
            400,
            "unknown_field",
            "the body has no field 'port'; its fields are",
        ),
        ("reset", {"symbols": "A,A"}, 409, "conflict", "symbols: "),
        ("wait", {}, 400, "missing_field", "the field 'for' is missing in the body"),
        ("wait", {"for": 3}, 400, "invalid_value", "'for' must be client or subscription or close"),
        ("wait", {"for": "close"}, 400, "missing_field", "the field 'client' is missing"),
        ("wait", {"for": "close", "client": 3}, 404, "unknown_client", "unknown client 3; those"),
        ("sync", {"client": 1}, 404, "unknown_client", "since the last reset are none"),
        (
            "play",
            {"events": [{"type": "x"}]},
            400,
            "invalid_value",
            "'type' must be trade or quote",
        ),
        (
            "play",
            {"events": [{"type": "trade", "symbol": "AAPL", "price": 1}, 5]},
            400,
            "invalid_value",
            "entry 2 of 'events' must be an object, not 5",
        ),
        ("play", {"events": {}}, 400, "invalid_value", "'events' must be a list of at most 10000"),
    ],
)
async def test_what_cannot_be_done_is_told_with_the_value(
    name: str, body: dict[str, Any], status: int, code: str, message: str
) -> None:
    """400: the request isn't as documented. 404: what it names isn't there. 409: the market can't."""
    async with driven() as remote:
        refused = await remote.refused("POST", name, body)
        assert refused[:2] == [status, code], refused
        assert message in refused[2]


async def test_requests_that_are_none_are_told_apart() -> None:
    async with driven() as remote, aiohttp.ClientSession() as http:
        url = f"{remote.server.url}/control/"
        cases = [
            ("POST", "advance", b"{", 400, "invalid_json"),
            ("POST", "advance", b"[]", 400, "invalid_request"),
            ("POST", "advance?x=1", b"{}", 400, "unknown_field"),
            ("POST", "advance?session=a&session=b", b'{"by":1}', 400, "invalid_value"),
            ("POST", "advance?session=%20", b'{"by":1}', 400, "invalid_value"),
            ("GET", "journal?last=0", b"", 400, "invalid_value"),
            ("GET", "journal?last=x", b"", 400, "invalid_value"),
            ("GET", "journal?last=1&last=2", b"", 400, "invalid_value"),
            ("GET", "state", b"{}", 400, "invalid_request"),
            ("GET", "advance", b"", 405, "method_not_allowed"),
            ("POST", "jump", b"", 404, "not_found"),
        ]
        for method, path, body, status, code in cases:
            async with http.request(method, url + path, data=body) as answer:
                item = await answer.json()
                assert (answer.status, item["code"]) == (status, code), (path, item)


# Who may drive.


async def test_without_the_option_there_is_nothing() -> None:
    async with driven(control=False) as remote:
        assert (await remote.refused("GET", "state"))[0] == 404
        assert (await remote.refused("POST", "advance", {"by": 1}))[0] == 404


@pytest.mark.parametrize("origin", [(), ("*",), ("https://app.example",)])
@pytest.mark.parametrize(
    "headers",
    [
        ("Origin: https://evil.example",),
        ("Origin: https://app.example",),
        ("Origin: null",),
        ("Host: evil.example",),
        ("Host: evil.example", "Origin: http://evil.example"),
        ("Sec-Fetch-Site: cross-site",),
        ("Sec-Fetch-Site: same-site",),
    ],
)
async def test_no_page_from_elsewhere_drives_it(
    headers: tuple[str, ...], origin: tuple[str, ...]
) -> None:
    """Not even those that may read, by whatever kind of request; and nothing is done."""
    async with driven(origin=origin) as remote:
        body = '{"by":"1s"}'
        for content in ("text/plain", "application/json", "application/x-www-form-urlencoded"):
            async with RawHttp(remote.server) as http:
                host = (
                    [] if any(line.startswith("Host") for line in headers) else ["Host: localhost"]
                )
                about = (f"Content-Type: {content}", f"Content-Length: {len(body)}")
                lines = ("POST /control/advance HTTP/1.1", *host, *headers, *about)
                http.send(*lines, "Connection: close", end=f"\r\n\r\n{body}")
                answer = await http.answer()
                assert answer.status == 403
                assert answer.json()["code"] in ("forbidden_origin", "forbidden_host")
        async with RawHttp(remote.server) as http:
            assert (await http.get("/control/state", *headers)).status == 403
        assert remote.server.plant.market.now_us == 1767623400000000


async def test_a_preflight_from_elsewhere_allows_no_commands() -> None:
    async with driven(origin=("*",)) as remote:
        headers = ("Origin: https://evil.example", "Access-Control-Request-Method: POST")
        async with RawHttp(remote.server) as http:
            lines = ("OPTIONS /control/advance HTTP/1.1", "Host: localhost", *headers)
            http.send(*lines, "Connection: close")
            assert (await http.answer()).status == 403


async def test_the_token_is_wanted_here_too() -> None:
    async with driven(token="sesame") as remote:
        assert (await remote.refused("POST", "advance", {"by": 1}))[:2] == [401, "unauthorized"]
        assert (await remote.ask("POST", "advance", {"by": 1}, token="sesame"))[0] == 200
        _, document = await remote.ask("GET", "openapi.json", token="sesame")
        assert document["security"] == [{"token": []}]


async def test_others_need_a_token_to_drive() -> None:
    with pytest.raises(
        ConfigError, match=r"control on '0\.0\.0\.0', which others can reach, needs"
    ):
        FeedConfig(host="0.0.0.0", control=True)
    assert FeedConfig(host="0.0.0.0", control=True, token="sesame").journal == 1000
    assert FeedConfig(host="::1", control=True, journal=5).journal == 5
    assert FeedConfig().journal == 0


async def test_commands_are_not_counted_as_requests_of_clients() -> None:
    """A test sends hundreds of them in a second."""
    async with driven(limits=Limits(max_requests_s=0.1, max_burst=1)) as remote:
        for _ in range(20):
            await remote.post("advance", by="1ms")
        async with aiohttp.ClientSession() as http:
            statuses = []
            for _ in range(3):
                async with http.get(f"{remote.server.url}/api/symbols") as answer:
                    statuses.append(answer.status)
            assert 429 in statuses


async def test_where_it_is_driven_is_told() -> None:
    """To people and to programs; where it isn't, nothing is."""
    for control in (True, False):
        async with driven(control=control) as remote:
            where = f"{remote.server.url}/control"
            assert (where in banner(remote.server)) is control
            assert orjson.loads(ready_line(remote.server)).get("control") == (
                where if control else None
            )


# The documents.


async def test_the_operations_are_the_directors_methods() -> None:
    """One to one, with the same arguments; the waits are one operation, and what isn't a command is looked at."""
    methods = {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(Director, inspect.isfunction)
        if not name.startswith("_") and name not in ("report", "at_us")
    }
    posts = {operation.name: operation for operation in OPERATIONS if operation.method == "POST"}
    waits = {name for name in methods if name.startswith("wait_for_")}
    assert waits == {"wait_for_client", "wait_for_subscription", "wait_for_close"}
    assert methods.keys() - waits == posts.keys() - {"wait"}
    for name, operation in posts.items():
        if name not in ("wait", "reset"):
            assert operation.body is not None
            assert [*operation.body["properties"]] == [*methods[name].parameters][1:], name


async def test_the_document_is_made_of_the_operations() -> None:
    async with driven() as remote:
        status, document = await remote.ask("GET", "openapi.json")
    assert status == 200
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": remote.server.url}]
    told = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    assert told == {(operation.method, operation.path) for operation in OPERATIONS}


async def test_the_readme_lists_all_operations_and_their_fields() -> None:
    """The table in `feeds/README.md` is the table in the code."""
    rows = re.findall(r"^\| `(\w+) /control/(\w+)` \| (.*?) \| (.*?) \|$", README, re.MULTILINE)
    shown = {
        (method, name): (re.findall(r"`(\w+)`", fields), text)
        for method, name, fields, text in rows
    }
    real = {}
    for operation in OPERATIONS:
        bodies = (operation.body or {}).get("oneOf", [operation.body or {}])
        names = {name: None for body in bodies for name in body.get("properties", {})}
        real[operation.method, operation.name] = ([*names, *operation.query], operation.summary)
    assert shown == real


async def test_the_readme_lists_all_codes() -> None:
    for code in ControlCode:
        assert f"`{code}`" in README
