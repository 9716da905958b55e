"""A tape over real sockets: recorded from a server, served again, and read by clients as a market."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from command_line import run
from tapes import market_tape, write
from terminal import COMMAND, environment
from wire import TIMEOUT_S, Follower, RawClient, eventually, on_both_loops, running, step

from clients.record import record
from feeds.admission.auth import Tokens
from feeds.admission.origins import Origins
from feeds.config import FeedConfig
from feeds.errors import ConfigError
from feeds.http.access import Access
from feeds.plants import Plants
from feeds.replay import ReplayOptions
from feeds.server import FeedServer
from ticker.market import DEFAULT_START_US, Market
from ticker.universe import Universe

S = 1_000_000
ISO = "2023-11-15T12:00:00"
NOON_MS = 1_700_049_600_000
TRADES = f"time,symbol,price,size\n{ISO},A,10.01,5\n{ISO}.5,A,10.02,6\n{ISO}.5,B,20,7\n"


def of_market(folder: Path, seconds: float = 5.0, **options: Any) -> ReplayOptions:
    """What replays five symbols of a market that ran for some seconds."""
    market_tape(Market(Universe.of_size(5), seed=7), seconds, folder / "tape.ndjson")
    return ReplayOptions(folder / "tape.ndjson", **options)


async def get(server: FeedServer, path: str) -> Any:
    async with aiohttp.ClientSession() as http, http.get(server.url + path) as response:
        return await response.json()


@on_both_loops
async def test_clients_see_a_tape_as_a_market(tmp_path: Path) -> None:
    """Hello, snapshots, then every event in sequence; bars and history over HTTP, too."""
    replay = ReplayOptions(write(tmp_path / "a.csv", TRADES))
    async with running(replay=replay) as server, RawClient(server) as client:
        (hello,) = await client.message()
        assert (hello["synthetic"], hello["symbols"]) == (False, 2)
        client.send(action="subscribe", symbols="*", channels=["trades", "bars"], interval="1s")
        _, first, _ = await client.until("snapshot")
        assert (first["bid"], first["ask_size"], first["prev_close"]) == (None, None, 10.01)
        assert first["time"] == NOON_MS
        await step(server, S)
        follower = Follower()
        items = await client.message()
        follower.last = dict.fromkeys([(s, c) for s in "AB" for c in ("trades", "bars:1s")], 0)
        follower.feed(items)
        trades = [i for i in items if i["type"] == "trade" and i["symbol"] == "A"]
        assert trades == [
            {"type": "trade", "symbol": "A", "seq": 1, "time": NOON_MS, "price": 10.01, "size": 5},
            {"type": "trade", "symbol": "A", "seq": 2, "time": NOON_MS + 500, "price": 10.02, "size": 6},
        ]  # fmt: skip
        history = await get(server, "/api/history?symbol=A&channel=trades")
        assert history["events"] == trades
        bars = await get(server, "/api/bars?symbol=A&interval=1s")
        assert [(b["open"], b["close"], b["volume"]) for b in bars["bars"]] == [(10.01, 10.02, 11)]


@on_both_loops
@pytest.mark.parametrize("suffix", ["ndjson", "parquet"])
async def test_what_was_recorded_from_a_server_is_served_again(tmp_path: Path, suffix: str) -> None:
    """Through `record`: the same trades and quotes, at the same times, in the same order."""
    path = tmp_path / f"tape.{suffix}"
    stop = asyncio.Event()
    async with running(rate=50) as server:
        recording = asyncio.create_task(
            record(
                server.ws_url,
                output=str(path),
                symbols=["*"],
                channels=["trades", "quotes"],
                stop=stop,
                count=1_000,
            )
        )
        await eventually(lambda: server.plant.hub.roster.interested, "the recorder is subscribed")
        await step(server, 20 * S)
        async with asyncio.timeout(TIMEOUT_S):
            assert await recording == 0
        epoch = server.plant.market.epoch
    market = Market(Universe.of_size(5), seed=7, rate=50, start_us=DEFAULT_START_US)
    assert market.epoch == epoch
    given = market.step(DEFAULT_START_US + 20 * S)
    given = given[given.channel < 2][:1_000]
    async with running(replay=ReplayOptions(path)) as server:
        assert server.plant.market.synthetic
        assert server.plant.market.now_us == given.time[0] // S * S
        batch = server.plant.market.step(DEFAULT_START_US + 20 * S)
        batch = batch[batch.channel < 2]
    names = server.plant.market.universe.symbols
    assert [names[i] for i in batch.symbol.tolist()] == [
        market.universe.symbols[i] for i in given.symbol.tolist()
    ]
    for name in ("channel", "seq", "time", "size", "ask_size"):
        assert (getattr(batch, name) == getattr(given, name)).all(), name
    prices = server.plant.market.universe.prices(batch.symbol, batch.price)
    assert (prices == market.universe.prices(given.symbol, given.price)).all()


@on_both_loops
async def test_a_recording_of_some_symbols_is_put_into_order(tmp_path: Path) -> None:
    """In each message their events came by symbol."""
    path, stop = tmp_path / "tape.ndjson", asyncio.Event()
    async with running(rate=100) as server:
        of_some = record(
            server.ws_url,
            output=str(path),
            symbols=["AAPL", "MSFT"],
            channels=["trades", "quotes"],
            stop=stop,
            count=2_000,
        )
        recording = asyncio.create_task(of_some)
        await eventually(lambda: server.plant.hub.roster.interested, "the recorder is subscribed")
        await step(server, 60 * S)
        async with asyncio.timeout(TIMEOUT_S):
            assert await recording == 0
    times = [json.loads(line)["time"] for line in path.read_text().splitlines()[3:]]
    assert times != sorted(times)
    async with running(replay=ReplayOptions(path)) as server:
        batch = server.plant.market.step(server.plant.market.now_us + 60 * S)
    batch = batch[batch.channel < 2]
    assert len(batch) == 2_000
    assert [t / 1000 for t in batch.time.tolist()] == sorted(times)


@on_both_loops
async def test_as_fast_as_clients_read_a_tape_is_played_to_its_end(tmp_path: Path) -> None:
    """And no further: the time stands there."""
    replay = of_market(tmp_path)
    async with running(replay=replay, clock="max") as server, RawClient(server) as client:
        client.send(action="subscribe", symbols="*", channels=["trades", "quotes"])
        follower, wanted = Follower(), len(replay.prepare().survey)
        while follower.events < wanted:
            follower.feed(await client.message())
        assert (follower.events, follower.merged) == (wanted, 0)
        await eventually(lambda: server.plant.market.over, "the end")
        health = await get(server, "/health")
        assert health["status"] == "ok"
        assert health["replay"] == {"played": 1.0, "rounds": 1, "over": True}


@on_both_loops
async def test_looped_a_tape_goes_on_in_sequence(tmp_path: Path) -> None:
    replay = ReplayOptions(write(tmp_path / "a.csv", TRADES), loop=True)
    async with running(replay=replay, clock="max") as server, RawClient(server) as client:
        client.send(action="subscribe", symbols=["A"])
        follower = Follower()
        while follower.events < 300:
            follower.feed(await client.message())
        assert not server.plant.market.over


def test_on_the_wall_clock_a_tape_begins_now(tmp_path: Path) -> None:
    """With other clocks, its times are its own."""
    replay = ReplayOptions(write(tmp_path / "a.csv", TRADES))
    before = time.time()
    start = FeedServer(FeedConfig(replay=replay)).plant.market.now_us / S
    assert before - 1 <= start <= time.time()
    for clock in ("max", "manual", "x10"):
        assert (
            FeedServer(FeedConfig(replay=replay, clock=clock)).plant.market.now_us == NOON_MS * 1000
        )
    at = FeedServer(FeedConfig(replay=replay, start_us=S)).plant.market.now_us
    assert at == S


def test_sessions_play_the_tape_each_from_its_start(tmp_path: Path) -> None:
    """What has no effect on a tape is refused there, too."""
    replay = ReplayOptions(write(tmp_path / "a.csv", TRADES))
    config = FeedConfig(replay=replay, clock="manual")
    plants = Plants(config, Access(Tokens(()), Origins(config.host)))
    plants[""].market.step(NOON_MS * 1000 + S)
    other = plants.open("w1", {"clock": "max"})
    assert other.market.now_us == NOON_MS * 1000
    assert len(other.market.step(NOON_MS * 1000 + S)) == 5
    assert other.market.epoch == plants[""].market.epoch
    assert plants.reset("w1").market.now_us == NOON_MS * 1000
    with pytest.raises(ConfigError, match="what plays is a tape: 'rate' has no effect on it"):
        plants.open("w2", {"rate": 5.0})


def test_a_wrong_clock_is_told_before_a_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown clock 'fast'"):
        FeedServer(FeedConfig(replay=ReplayOptions(tmp_path / "nowhere.csv"), clock="fast"))


# The command line.


def test_options_that_have_no_effect_are_refused(tmp_path: Path) -> None:
    """With a tape, those of a market; without one, those of a tape."""
    path = str(write(tmp_path / "a.csv", TRADES))
    for option, value in (("--rate", "5"), ("--seed", "1"), ("--scenario", "flash_crash")):
        _, err = run("serve", "--replay", path, option, value, code=2)
        assert err == f"tickerplant: --replay plays a tape as it is: {option} has no effect on it\n"
    _, err = run("serve", "--replay-size-scale", "5", code=2)
    assert err == "tickerplant: --replay-size-scale needs --replay FILE\n"
    _, err = run("serve", "--replay", path, "--replay-map", "x=y", code=2)
    assert err.startswith(
        "tickerplant: the column map 'x=y' is not FIELD=COLUMN; the fields are time"
    )
    _, err = run("serve", code=2, TICKERPLANT_REPLAY=str(tmp_path / "nowhere.csv"))
    assert err == f"tickerplant: can't read '{tmp_path}/nowhere.csv': No such file or directory\n"


def test_the_command_serves_a_tape(tmp_path: Path) -> None:
    """In a process of its own, with every option."""
    text = TRADES.replace("time,symbol,price,size", "t,s,p,n").replace(",5\n", ",0.5\n")
    write(tmp_path / "a.csv", text)
    options = [
        "--replay",
        "a.csv",
        "--replay-map",
        "time=t,symbol=s,price=p,size=n",
        "--replay-loop",
    ]
    options += ["--replay-rename", "A=ONE", "--replay-scale", "0.5", "--replay-size-scale", "2"]
    command = [*COMMAND, "serve", "--port", "0", "--clock", "max", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment()
    ) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert line.split(":", 1)[1] == " 2 symbols of a.csv, clock max\n"
        server.send_signal(signal.SIGINT)
        server.stdout.read()
    assert server.returncode == 0


def test_a_tape_can_be_chosen_in_the_toml_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", TRADES)
    table = f'[serve]\nreplay = {json.dumps(str(path))}\nreplay-map = "size=volume"\n'
    config = write(tmp_path / "market.toml", table)
    _, err = run("--config", str(config), "serve", code=2)
    assert "there is no column 'volume', which size was mapped to" in err


def test_without_pyarrow_a_recording_in_parquet_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is asked of a server."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    _, err = run("record", "--output", str(tmp_path / "a.parquet"), code=1)
    assert "pip install 'tickerplant[parquet]'" in err
