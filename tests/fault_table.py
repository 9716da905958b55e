"""The table of faults in feeds/README.md, and one real client that states what it observes of each."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import websockets
from websockets.asyncio.client import ClientConnection
from wire import TIMEOUT_S, RawClient, eventually, step

from feeds.faults.fault import Fault
from feeds.faults.kinds import KINDS, Kind
from feeds.faults.plan import Armed
from feeds.server import FeedServer

__all__ = ["OBSERVERS", "Row", "inject", "parameters_of", "parse_call", "rows"]

README = Path(__file__).parent.parent / "feeds" / "README.md"


class Row(NamedTuple):
    """One row of the table."""

    name: str
    does: str
    parameters: str
    example: str
    observed: str
    close_event: str


def rows() -> dict[str, Row]:
    """Read the table."""
    section = README.read_text().split("\n## Faults\n")[1].split("\n## ")[0]
    found = {}
    for line in section.splitlines():
        if match := re.fullmatch(r"\| `(\w+)` \| (.*) \| (.*) \| `(.*)` \| (.*) \| (.*) \|", line):
            assert match[1] not in found, f"two rows for {match[1]}"
            found[match[1]] = Row(*match.groups())
    return found


def parameters_of(kind: Kind) -> str:
    """Give the cell with a fault's parameters and their defaults."""
    return ", ".join(f"`{k}={p.default!r}`" for k, p in kind.parameters.items())


def parse_call(text: str) -> Fault:
    """Make the fault of an example."""
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Name)
    values = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    return Fault.make(call.func.id, **values)


def inject(server: FeedServer, name: str, **values: Any) -> Armed:
    """Put a fault in force."""
    return server.plant.websockets.faults.add(Fault.make(name, **values))


# How it is observed: by a client of the library `websockets`, unless it says otherwise.


def _ending(error: websockets.ConnectionClosed) -> str:
    if error.rcvd is not None:
        return f"closed with {int(error.rcvd.code)}, reason {error.rcvd.reason!r}"
    if error.sent is not None:
        return f"the client itself fails the connection, with {int(error.sent.code)}"
    return "the connection is lost, without a close frame"


async def _read(ws: ClientConnection) -> Any:
    async with asyncio.timeout(TIMEOUT_S):
        return orjson.loads(await ws.recv())


async def _end(ws: ClientConnection) -> str:
    try:
        while True:
            async with asyncio.timeout(TIMEOUT_S):
                await ws.recv()
    except websockets.ConnectionClosed as error:
        return _ending(error)


async def _attempt(server: FeedServer, fault: Fault) -> str:
    server.plant.websockets.faults.add(fault)
    try:
        async with websockets.connect(server.ws_url, open_timeout=TIMEOUT_S):
            return "open"
    except websockets.InvalidStatus as error:
        answer = error.response
        return f"HTTP {answer.status_code}, `Retry-After: {answer.headers['Retry-After']}`"
    except websockets.InvalidHandshake as error:
        return f"`{type(error).__name__}`"


async def _silence(server: FeedServer, fault: Fault) -> str:
    faults = server.plant.websockets.faults
    armed = faults.add(fault)
    opening = asyncio.create_task(_hello(server))
    await eventually(lambda: armed.fired, "an upgrade that isn't answered")
    await step(server, 60_000_000)
    seen = "open" if opening.done() else "no answer"
    faults.clear(armed.id)
    return f"{seen}; when cleared, {await opening}"


async def _delay(server: FeedServer, fault: Fault) -> str:
    armed = server.plant.websockets.faults.add(fault)
    opening = asyncio.create_task(_hello(server))
    await eventually(lambda: armed.fired, "an upgrade that waits")
    late = round(fault.params["seconds"] * 1e6)
    await step(server, late - 1)
    seen = "open" if opening.done() else "no answer"
    await step(server, 1)
    return f"{seen} until then, then {await opening}"


async def _hello(server: FeedServer) -> str:
    async with websockets.connect(server.ws_url, open_timeout=TIMEOUT_S) as ws:
        return f"`{(await _read(ws))[0]['type']}`"


async def _auth(server: FeedServer, fault: Fault) -> str:
    async with websockets.connect(server.ws_url) as ws:
        await _read(ws)
        server.plant.websockets.faults.add(fault)
        await ws.send('{"action":"auth","token":"right"}', text=True)
        (answer,) = await _read(ws)
        return f"error `{answer['code']}`, then {await _end(ws)}"


async def _command(server: FeedServer, fault: Fault) -> str:
    """Say what is there after a fault, up to a request's answer or the end of the connection."""
    async with websockets.connect(server.ws_url) as ws:
        await _read(ws)
        server.plant.websockets.faults.add(fault)
        with suppress(websockets.ConnectionClosed):
            await ws.send('{"action":"ping"}', text=True)
        seen = []
        try:
            while True:
                async with asyncio.timeout(TIMEOUT_S):
                    data = await ws.recv()
                if isinstance(data, bytes):
                    seen.append(f"a binary message of {len(data)} bytes")
                    continue
                (item,) = orjson.loads(data)
                if item["type"] == "pong":
                    return ", ".join([*seen, "and the connection lives"])
                seen.append(f"{item['type']} `{item['code']}`" if "code" in item else item["type"])
        except websockets.ConnectionClosed as error:
            return ", then ".join([*seen, _ending(error)])


async def _ping_flood(server: FeedServer, fault: Fault) -> str:
    async with RawClient(server) as client:
        await client.message()
        server.plant.websockets.faults.add(fault)
        client.send(action="ping")
        pings = 0
        while True:
            opcode, _ = await client.frame()
            if opcode == 1:
                return f"{pings} pings, and the connection lives"
            pings += opcode == 9


async def _half_open(server: FeedServer, fault: Fault) -> str:
    async with websockets.connect(server.ws_url) as ws:
        await _subscribe(server, ws)
        faults = server.plant.websockets.faults
        armed = faults.add(fault)
        pong = await ws.ping()
        await step(server, 1_000_000)
        seen = "something comes" if pong.done() else "nothing comes, not even pongs"
        faults.clear(armed.id)
        return f"{seen}; when cleared, {await _end(ws)}"


async def _no_pong(server: FeedServer, fault: Fault) -> str:
    async with websockets.connect(server.ws_url) as ws:
        await _read(ws)
        server.plant.websockets.faults.add(fault)
        pong = await ws.ping()
        await ws.send('{"action":"symbols"}', text=True)
        kind = (await _read(ws))[0]["type"]
        seen = "a pong" if pong.done() else "no pong"
        pong.cancel()
        return f"answers (`{kind}`), but {seen}"


async def _stall(server: FeedServer, fault: Fault) -> str:
    async with websockets.connect(server.ws_url) as ws:
        await _subscribe(server, ws)
        faults = server.plant.websockets.faults
        armed = faults.add(fault)
        await ws.send('{"action":"ping"}', text=True)
        await eventually(lambda: server.plant.feed.stats.requests["ping"], "a request")
        await step(server, 100_000)
        coming = asyncio.create_task(_read(ws))
        for _ in range(10):
            await asyncio.sleep(0)
        seen = "something" if coming.done() else "nothing"
        faults.clear(armed.id)
        kinds = [(await coming)[0]["type"], (await _read(ws))[0]["type"]]
        return f"{seen} comes; when cleared, all of it, in order: `{'`, `'.join(kinds)}`"


async def _slow(server: FeedServer, fault: Fault) -> str:
    async with RawClient(server) as client:
        await client.message()
        server.plant.websockets.faults.add(fault)
        client.send(action="symbols")
        await eventually(lambda: server.plant.feed.stats.requests["symbols"], "a request")
        got = []
        for _ in range(2):
            await step(server, 500_000)
            async with asyncio.timeout(TIMEOUT_S):
                got.append(len(await client.reader.read(100_000)))
        return f"{got[0]} bytes after half a second, {got[1]} more after a second"


async def _sliced(server: FeedServer, fault: Fault) -> str:
    async with websockets.connect(server.ws_url) as ws:
        await _read(ws)
        server.plant.websockets.faults.add(fault)
        await ws.send('{"action":"symbols"}', text=True)
        (answer,) = await _read(ws)
        symbols = ", ".join(item["symbol"] for item in answer["symbols"])
        return f"whole messages (`{answer['type']}`: {symbols})"


async def _subscribe(server: FeedServer, ws: ClientConnection, channel: str = "trades") -> None:
    await _read(ws)
    request = {"action": "subscribe", "symbols": ["AAPL"], "channels": [channel]}
    await ws.send(orjson.dumps(request), text=True)
    await _read(ws)


async def _events(server: FeedServer, fault: Fault) -> str:
    """Compare four events with the history, which no fault touches."""
    channel = "quotes" if fault.name == "crossed_quote" else "trades"
    async with websockets.connect(server.ws_url) as ws:
        await _subscribe(server, ws, channel)
        server.plant.websockets.faults.add(fault)
        await step(server, 1_000_000)
        try:
            seen = await _read(ws)
        except orjson.JSONDecodeError:
            return "a message that isn't JSON"
        truth = {item["seq"]: item for item in await _history(server, channel)}
        return ", ".join(_told(seen, truth)[:4])


async def _history(server: FeedServer, channel: str) -> Any:
    import aiohttp

    url = f"{server.url}/api/history?symbol=AAPL&channel={channel}&since=0"
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return (await answer.json())["events"]


def _told(seen: list[Any], truth: dict[int, Any]) -> list[str]:
    told = []
    for item in seen:
        if "seq" not in item:
            told.append(f"`{item['type']}`")
            continue
        true, before = truth[item["seq"]], truth.get(item["seq"] - 1)
        notes = [f"without `{key}`" for key in true if key not in item]
        values = {key: value for key, value in item.items() if value != true[key]}
        if before is not None and values and item == before | {"seq": item["seq"]}:
            values = {}
            notes.append(f"with time and price of {before['seq']}")
        if "bid" in values and (values["bid"], values["ask"]) == (true["ask"], true["bid"]):
            values = {}
            notes.append("with bid above ask")
        if "time" in values:
            late = values.pop("time") - true["time"]
            notes.append(f"{late / 1000:+.0f} s")
        notes += [f"`{key}` {value / true[key]:g} times" for key, value in values.items()]
        told.append(f"{item['type']} {item['seq']}" + (f" ({' '.join(notes)})" if notes else ""))
    return told


async def _epoch_change(server: FeedServer, fault: Fault) -> str:
    async with websockets.connect(server.ws_url) as ws:
        before = (await _read(ws))[0]["epoch"]
        server.plant.websockets.faults.add(fault)
        ending = await _end(ws)
    async with websockets.connect(server.ws_url) as ws:
        after = (await _read(ws))[0]["epoch"]
        request = {"action": "subscribe", "symbols": ["AAPL"], "channels": ["trades"]}
        request |= {"epoch": before, "since": {"AAPL": {"trades": 0}}}
        await ws.send(orjson.dumps(request), text=True)
        kinds = [f"{o['type']} `{o['reason']}`" for o in await _read(ws) if "reason" in o]
    other = "another" if after != before else "the same"
    return f"{ending}; then {other} `epoch`, and on resuming a {kinds[0]}"


async def _microburst(server: FeedServer, fault: Fault) -> str:
    async with websockets.connect(server.ws_url) as ws:
        await _subscribe(server, ws, "quotes")
        await step(server, 1_000_000)
        before = len(await _read(ws))
        server.plant.websockets.faults.add(fault)
        await step(server, 1_000_000)
        burst = len(await _read(ws)) >= before + fault.params["events"] // 2
        more = "thousands more" if burst else "no more"
        await step(server, 1_000_000)
        calm = len(await _read(ws)) < fault.params["events"] // 2
        return f"{more} quotes for a second" + (", then as before" if calm else "")


async def _halt(server: FeedServer, fault: Fault) -> str:
    async with websockets.connect(server.ws_url) as ws:
        await _read(ws)
        channels = ["trades", "status"]
        request = {"action": "subscribe", "symbols": ["AAPL"], "channels": channels}
        await ws.send(orjson.dumps(request), text=True)
        await _read(ws)
        armed = server.plant.websockets.faults.add(fault)
        seen = []
        for _ in range(2):
            await step(server, 1_000_000)
            items = await _read(ws)
            seen += [f"`{o['status']}`" if "status" in o else o["type"] for o in items]
            if armed.id in server.plant.websockets.faults.plan:
                server.plant.websockets.faults.clear(armed.id)
        trades = len(seen) - seen.index("`trading`") - 1
        only = ", ".join(seen[: seen.index("`trading`")])
        return f"only the status {only}; when cleared, `trading`" + (", and trades" * (trades > 0))


Observer = Callable[[FeedServer, Fault], Awaitable[str]]

OBSERVERS: dict[str, Observer] = {
    "refuse": _attempt,
    "silence": _silence,
    "delay": _delay,
    "status": _attempt,
    "bad_accept": _attempt,
    "auth_reject": _auth,
    "ping_flood": _ping_flood,
    "half_open": _half_open,
    "no_pong": _no_pong,
    "stall": _stall,
    "slow": _slow,
    "sliced": _sliced,
    "epoch_change": _epoch_change,
    "microburst": _microburst,
    "halt": _halt,
} | {
    kind.name: {"command": _command, "event": _events}[kind.layer.value]
    for kind in KINDS.values()
    if kind.layer.value in ("command", "event") and kind.name != "ping_flood"
}
