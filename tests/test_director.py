"""What the director commands is on the wire when its methods return, at the market's time, in the market's order."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from wire import RawClient, eventually, on_both_loops, running

from feeds.config import FeedConfig
from feeds.dialects.native import NativeEncoder
from feeds.dialects.raw import RawEncoder
from feeds.directing.director import Director
from feeds.errors import CommandError
from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy
from ticker.market import DEFAULT_START_US

START_MS = DEFAULT_START_US / 1000


@asynccontextmanager
async def directed(
    **options: Any,
) -> AsyncIterator[tuple[Director, RawClient]]:
    """A quiet market that is directed, and a client that is subscribed to trades, quotes and status of AAPL."""
    own: dict[str, Any] = {"symbols": "AAPL,MSFT", "rate": 0.0, "journal": 1000}
    async with running(**(own | options)) as server, RawClient(server) as client:
        await client.message()
        client.send(action="subscribe", symbols=["AAPL"], channels=["trades", "quotes", "status"])
        await client.until("snapshot")
        yield server.director(), client


async def events(client: RawClient, count: int) -> list[dict[str, Any]]:
    """Read so many events, in however many messages."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        found += await client.message()
    return found


@on_both_loops
async def test_a_trade_is_sent_at_the_markets_time() -> None:
    async with directed() as (director, client):
        await director.trade("AAPL", price=190.01, size=300)
        assert await client.message() == [
            {
                "type": "trade",
                "symbol": "AAPL",
                "seq": 1,
                "time": START_MS,
                "price": 190.01,
                "size": 300,
            }
        ]


@pytest.mark.asyncio
async def test_a_trade_with_conditions_moves_what_they_let_it() -> None:
    """On the wire as they are told, in the books as the tapes do it; with raw as well."""
    async with directed() as (director, client):
        await director.trade("AAPL", price=190.01, size=300, exchange="N")
        await director.trade("AAPL", price=250.0, size=5, exchange="V", conditions=["T", "I"])
        await director.trade("AAPL", price=-1, size=7, conditions=["Z"], raw=True)
        first, odd, raw = await events(client, 3)
        assert (first["exchange"], "conditions" in first) == ("N", False)
        assert list(odd.items())[-2:] == [("exchange", "V"), ("conditions", ["I", "T"])]
        assert (raw["price"], raw["conditions"], "exchange" in raw) == (-1, ["Z"], False)
        state = await client.ask(action="snapshot", symbols="AAPL")
        assert (state["last"], state["size"], state["volume"]) == (190.01, 300, 312)
        assert (state["open"], state["high"], state["low"]) == (190.01, 190.01, 0.01)
        await director.advance("1s")
        bars, _ = director.plant.market.bars(0, "1s", 1)
        columns = (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.trades)
        assert [column.tolist() for column in columns] == [
            [19001],
            [19001],
            [1],
            [19001],
            [312],
            [3],
        ]
        for wrong, message in (
            ({"exchange": "?"}, "AAPL: exchange '\\?' is not one of A, B"),
            ({"conditions": ["@"]}, "AAPL: condition '@' is not one of A, C"),
            ({"conditions": "IT"}, "AAPL: conditions 'IT' is no list of codes"),
        ):
            with pytest.raises(CommandError, match=message):
                await director.trade("AAPL", price=190.0, **wrong)


@pytest.mark.asyncio
async def test_round_times_stay_round() -> None:
    """Each command takes a microsecond, which the next advance counts in."""
    async with directed() as (director, client):
        for _ in range(2):
            await director.trade("AAPL", price=190.01)
        await director.advance("250ms")
        await director.trade("AAPL", price=190.02)
        times = [(await client.message())[0]["time"] for _ in range(3)]
        assert times == [START_MS, START_MS + 0.001, START_MS + 250]


@pytest.mark.asyncio
async def test_advance_goes_as_far_as_it_says_and_everything_before_is_written() -> None:
    async with directed(rate=200.0) as (director, client):
        await director.advance("1.5s")
        assert director.now == datetime.fromtimestamp(START_MS / 1000 + 1.5, UTC)
        seq = director.plant.market.sequences()[:2, 0].tolist()
        assert min(seq) > 10
        client.send(action="ping", id="end")
        found = [item for item in await client.until("pong") if "seq" in item]
        newest = {item["type"]: item["seq"] for item in found}
        assert [newest["trade"], newest["quote"]] == seq


@pytest.mark.parametrize("by", ["1s", 1, 1.0, "1000ms", timedelta(seconds=1)])
@pytest.mark.asyncio
async def test_a_length_of_time_can_be_written_in_many_ways(by: Any) -> None:
    async with directed() as (director, _):
        await director.advance(by)
        assert director.now == datetime.fromtimestamp(START_MS / 1000 + 1, UTC)


@pytest.mark.parametrize(
    "when", ["09:45", "09:45:00", "2026-01-05T14:45:00Z", datetime(2026, 1, 5, 14, 45, tzinfo=UTC)]
)
@pytest.mark.asyncio
async def test_it_runs_until_a_moment_of_the_markets_day(when: Any) -> None:
    """A time of day is New York's."""
    async with directed() as (director, _):
        await director.run_until(when)
        assert director.now == datetime(2026, 1, 5, 14, 45, tzinfo=UTC)
        with pytest.raises(
            CommandError,
            match=r"has passed: the market is at 2026-01-05T14:45:00\+00:00, 09:45:00 in New",
        ):
            await director.run_until("09:30")


@pytest.mark.asyncio
async def test_steps_are_events() -> None:
    async with directed(rate=100.0) as (director, client):
        assert await director.step() >= 1
        assert await director.step(20) >= 20
        events = director.plant.pump.events
        assert events >= 21
        assert director.plant.clock.now_us() == director.plant.market.now_us
        await director.trade("AAPL", price=1000.0)
        found: list[Any] = []
        while not found or found[-1].get("price") != 1000.0:
            found += await client.message()


@pytest.mark.asyncio
async def test_a_step_passes_over_the_night() -> None:
    """Under the rules of the US market, over a weekend too."""
    friday = int(datetime(2026, 1, 3, 0, 59, 59, tzinfo=UTC).timestamp()) * 1_000_000
    async with directed(rules="us", rate=0.0, start_us=friday) as (director, client):
        assert await director.step() == 2, "both symbols close"
        assert [item["status"] for item in await client.message()] == ["closed"]
        assert await director.step() == 2
        assert [item["status"] for item in await client.message()] == ["pre_market"]
        assert (
            datetime(2026, 1, 5, 9, tzinfo=UTC)
            < director.now
            < datetime(2026, 1, 5, 9, 1, tzinfo=UTC)
        )


@pytest.mark.asyncio
async def test_steps_need_events() -> None:
    """Where nothing happens in an hour, that is said; nobody waits for ever."""
    async with directed() as (director, _):
        with pytest.raises(CommandError, match="gave 0 of 1 events in an hour"):
            await director.step()
        with pytest.raises(CommandError, match="n 0: at least one event"):
            await director.step(0)


@pytest.mark.asyncio
async def test_a_quote_and_a_status_are_sent() -> None:
    async with directed() as (director, client):
        await director.quote("AAPL", bid=190.0, ask=190.02, bid_size=200)
        await director.status("AAPL", "halted", "T1")
        await director.status("AAPL", "trading")
        found = [(await client.message())[0] for _ in range(3)]
        assert [item | {"time": 0} for item in found] == [
            {
                "type": "quote",
                "symbol": "AAPL",
                "seq": 1,
                "time": 0,
                "bid": 190.0,
                "bid_size": 200,
                "ask": 190.02,
                "ask_size": 100,
            },
            {
                "type": "status",
                "symbol": "AAPL",
                "seq": 1,
                "time": 0,
                "status": "halted",
                "reason": "T1",
            },
            {
                "type": "status",
                "symbol": "AAPL",
                "seq": 2,
                "time": 0,
                "status": "trading",
                "reason": None,
            },
        ]


@pytest.mark.asyncio
async def test_the_books_know_of_it() -> None:
    """Snapshots and bars count what was commanded as anything else."""
    async with directed() as (director, client):
        for price in (190.0, 191.0, 189.5):
            await director.trade("AAPL", price=price, size=10)
        await director.advance("1m")
        client.send(action="snapshot", symbols=["AAPL"])
        snapshot = (await client.until("snapshot"))[-1]
        assert [snapshot[k] for k in ("last", "high", "low", "volume")] == [189.5, 191.0, 189.5, 30]
        table, _ = director.plant.market.bars(0, "1m", 1)
        assert table.trades.tolist() == [3]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            {"price": 190.005},
            r"price 190.005 of AAPL is not on its grid of 0.01: 190.0 and 190.01 are",
        ),
        ({"price": 0}, "price 0 of AAPL is not at least 0.01"),
        ({"price": -1.0}, "price -1.0 of AAPL is not at least 0.01"),
        ({"price": float("nan")}, "price nan of AAPL is no number"),
        ({"price": "190"}, "price '190' of AAPL is no number"),
        ({"price": True}, "price True of AAPL is no number"),
        ({"price": 190.0, "size": 1.5}, "size 1.5 is no whole number of shares"),
        ({"price": 190.0, "size": 0}, "AAPL: size 0 is not between 1 and"),
        ({"price": 1e14}, "AAPL: price 10000000000000000 is not between"),
    ],
)
@pytest.mark.asyncio
async def test_what_no_market_has_is_refused(command: dict[str, Any], message: str) -> None:
    async with directed() as (director, _):
        with pytest.raises(CommandError, match=message):
            await director.trade("AAPL", **command)
        assert director.plant.pump.events == 0


@pytest.mark.asyncio
async def test_unknown_names_are_refused_with_the_known_ones() -> None:
    async with directed() as (director, _):
        with pytest.raises(CommandError, match="unknown symbol 'APPL'; did you mean 'AAPL'"):
            await director.trade("APPL", price=190.0)
        with pytest.raises(
            CommandError, match=r"unknown symbol 'QQQQ'; the symbols are AAPL, MSFT$"
        ):
            await director.quote("QQQQ", bid=1.0, ask=2.0)
        with pytest.raises(CommandError, match=r"unknown symbol 5; the symbols are AAPL, MSFT$"):
            await director.wait_for_subscription(5)  # type: ignore[arg-type]
        with pytest.raises(
            CommandError, match=r"bid 190\.01 of AAPL is not below ask 190\.0; raw=True"
        ):
            await director.quote("AAPL", bid=190.01, ask=190.0)
        with pytest.raises(CommandError, match="status 'shut' is not one of trading,"):
            await director.status("AAPL", "shut")


@pytest.mark.asyncio
async def test_raw_values_are_sent_as_they_are() -> None:
    """The books take what is nearest, so that snapshots and bars stay what a market can have."""
    async with directed(history_mb=0.0) as (director, client):
        await director.trade("AAPL", price=190.0049, size=-3, raw=True)
        await director.quote("AAPL", bid=190.5, ask=189.5, raw=True)
        await director.trade("AAPL", price=190.0)
        found = [(await client.message())[0] for _ in range(3)]
        assert (found[0]["price"], found[0]["size"], found[0]["seq"]) == (190.0049, -3, 1)
        assert (found[1]["bid"], found[1]["ask"]) == (190.5, 189.5)
        assert (found[2]["price"], found[2]["seq"]) == (190.0, 2)
        state = director.plant.market.snapshot(0)
        assert (state.bid, state.ask, state.volume) == (19050, 19051, 101)


@pytest.mark.asyncio
async def test_what_is_played_comes_at_its_time() -> None:
    async with directed() as (director, client):
        played = await director.play(
            [
                {"type": "trade", "symbol": "AAPL", "price": 190.0, "at": "100ms"},
                {"type": "trade", "symbol": "AAPL", "price": 190.1},
                {
                    "type": "quote",
                    "symbol": "AAPL",
                    "bid": 190.0,
                    "ask": 190.1,
                    "time": START_MS + 200,
                },
            ]
        )
        assert played == 3
        found = await events(client, 3)
        assert [(i["type"], i["time"] - START_MS) for i in found] == [
            ("trade", 100),
            ("trade", 100),
            ("quote", 200),
        ]


@pytest.mark.asyncio
async def test_what_is_to_be_played_later_waits_for_its_time() -> None:
    async with directed() as (director, client):
        later = {"type": "trade", "symbol": "AAPL", "price": 190.0, "at": 1}
        await director.play([later], wait=False)
        await director.advance("900ms")
        assert director.plant.pump.events == 0
        await director.advance("200ms")
        assert (await client.message())[0]["time"] == START_MS + 1000


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"type": "bar"}, "event 2: type 'bar' can't be played; trade, quote, status can"),
        ({"type": "trade", "symbol": "AAPL"}, "event 2: a trade needs the field 'price'"),
        (
            {"type": "trade", "symbol": "AAPL", "price": 1.0, "bid": 1},
            "has no field 'bid'; it has at,",
        ),
        (
            {"type": "trade", "symbol": "AAPL", "price": 1.0, "at": 1, "time": 1},
            "exclude each other",
        ),
        (
            {"type": "trade", "symbol": "AAPL", "price": 1.0, "at": "1 day"},
            "'1 day' is no length of time",
        ),
        (
            {"type": "trade", "symbol": "AAPL", "price": 1.0, "time": "x"},
            "time 'x' is no Unix time",
        ),
        (
            {"type": "trade", "symbol": "AAPL", "price": 1.0, "time": 1},
            "event 2: 1970-01-01.*has passed",
        ),
        ([], "event 2: .* is no event"),
    ],
)
@pytest.mark.asyncio
async def test_nothing_is_played_of_what_has_a_mistake(event: Any, message: str) -> None:
    good = {"type": "trade", "symbol": "AAPL", "price": 190.0}
    async with directed() as (director, _):
        with pytest.raises(CommandError, match=message):
            await director.play([good, event])
        await director.advance("1s")
        assert director.plant.pump.events == 0


@pytest.mark.asyncio
async def test_a_tape_is_played(tmp_path: Path) -> None:
    """One that was recorded another day too; what the market makes itself is passed over."""
    tape = tmp_path / "tape.ndjson"
    lines: list[dict[str, Any]] = [
        {"type": "hello", "protocol": 1},
        {"type": "snapshot", "symbol": "AAPL"},
        {"type": "trade", "symbol": "AAPL", "seq": 7, "time": 1000.5, "price": 190.0, "size": 5},
        {"type": "bar", "symbol": "AAPL"},
        {"type": "trade", "symbol": "AAPL", "seq": 8, "time": 1250.5, "price": 190.1, "size": 5},
    ]
    tape.write_bytes(b"\n".join(orjson.dumps(line) for line in lines) + b"\n\n")
    async with directed() as (director, client):
        with pytest.raises(CommandError, match=r"has passed.*rebase=True plays a tape from now on"):
            await director.load(tape)
        assert await director.load(str(tape), rebase=True) == 2
        found = await events(client, 2)
        assert [(i["seq"], i["time"] - START_MS) for i in found] == [(1, 0), (2, 250)]


@pytest.mark.asyncio
async def test_a_tape_that_cant_be_played_is_refused_with_its_line(tmp_path: Path) -> None:
    tape = tmp_path / "tape.ndjson"
    async with directed() as (director, _):
        with pytest.raises(CommandError, match="can't read the tape"):
            await director.load(tape)
        for text, message in (
            (b"\n{", "line 2:"),
            (b"null", "line 1: None is no event"),
            (b'{"type":"trade"}', "line 1: a trade needs"),
        ):
            tape.write_bytes(text)
            with pytest.raises(CommandError, match=message):
                await director.load(tape)


@pytest.mark.asyncio
async def test_a_reset_begins_the_same_market_anew() -> None:
    """Old connections are told, new ones find the start, and a change holds for one run."""
    async with running(symbols="AAPL,MSFT", rate=100.0, journal=100) as server:
        director = server.director()
        epoch = server.plant.feed.epoch
        async with RawClient(server) as client:
            await director.wait_for_client()
            await director.advance("1s")
            await director.reset()
            assert await client.closed() == 1012
            assert client.reason == "the session was reset"
        assert director.clients == []
        assert len(director.journal) == 0
        assert (server.plant.feed.epoch, server.plant.market.now_us) == (epoch, DEFAULT_START_US)
        await director.reset(seed=8, symbols="TSLA")
        assert (server.plant.market.seed, server.plant.market.universe.symbols) == (8, ("TSLA",))
        assert server.plant.feed.epoch != epoch
        await director.reset()
        assert server.plant.feed.epoch == epoch


@pytest.mark.parametrize("clock", ["wall", "x10", "max"])
@pytest.mark.asyncio
async def test_it_directs_a_market_whose_time_moves_too(clock: str) -> None:
    async with directed(clock=clock) as (director, client):
        await director.trade("AAPL", price=190.01)
        assert (await client.until("trade"))[-1]["price"] == 190.01
        before = director.now
        await director.advance("20ms")
        assert director.now - before >= timedelta(milliseconds=20)


@pytest.mark.asyncio
async def test_steps_need_a_time_that_stands() -> None:
    async with directed(clock="wall") as (director, _):
        with pytest.raises(
            CommandError, match="step needs the clock 'manual' or 'max', not 'wall'"
        ):
            await director.step()


@pytest.mark.asyncio
async def test_commands_that_come_together_take_turns() -> None:
    async with directed() as (director, client):
        await asyncio.gather(*(director.trade("AAPL", price=190.0) for _ in range(20)))
        found: list[Any] = []
        while len(found) < 20:
            found += await client.message()
        assert [item["seq"] for item in found] == list(range(1, 21))
        assert len({item["time"] for item in found}) == 20


async def record(clock: str) -> bytes:
    """Every byte that a client gets of one run of commands."""
    own: dict[str, Any] = {"symbols": "AAPL,MSFT,TSLA", "rate": 400.0, "journal": 100}
    own["backlog"] = BacklogPolicy(soft_limit=10**9, hard_limit=10**9)  # it reads at the end
    async with running(clock=clock, **own) as server:
        director = server.director()
        script = [
            {"type": "trade", "symbol": "AAPL", "price": 200.0, "at": "100ms"},
            {"type": "status", "symbol": "MSFT", "status": "halted", "reason": "T1", "at": "200ms"},
            {"type": "quote", "symbol": "TSLA", "bid": 1.0, "ask": 2.5, "at": "1.2s"},
        ]
        await director.play(script, wait=False)
        async with RawClient(server) as client:
            frames = [(await client.frame())[1]]
            client.send(action="subscribe", symbols=["*"], channels=["trades", "quotes", "status"])
            if clock == "manual":
                await director.wait_for_subscription("AAPL")
                await director.advance("700ms")
                await director.trade("MSFT", price=430.0)
                await director.step(5)
                await director.run_until("09:30:02")
            while len(frames) < 6 or b'"symbol":"TSLA","seq":' not in b"".join(frames):
                frames.append((await client.frame())[1])
        return b"\n".join(frames[:6])


@pytest.mark.parametrize("clock", ["manual", "max"])
@pytest.mark.asyncio
async def test_the_same_commands_give_the_same_bytes(clock: str) -> None:
    assert await record(clock) == await record(clock)


@pytest.mark.asyncio
async def test_raw_values_of_one_moment_keep_their_order() -> None:
    """Also where the books have the same for several of them."""
    trade = {"type": "trade", "symbol": "AAPL", "raw": True}
    prices = [190.001, 190.002, 190.003]
    async with directed() as (director, client):
        await director.play([trade | {"price": price} for price in prices])
        found = await events(client, 3)
        assert [item["price"] for item in found] == prices
        assert {item["time"] for item in found} == {START_MS}


@pytest.mark.asyncio
async def test_values_that_nobody_wants_are_not_kept_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a history, what nobody is subscribed to is never encoded."""
    monkeypatch.setattr("feeds.dialects.raw._MOST", 5)
    async with running(symbols="AAPL", rate=0.0, history_mb=0.0) as server:
        for _ in range(9):
            await server.director().trade("AAPL", price=190.001, raw=True)
        encoder = server.plant.feed.encoder
        assert isinstance(encoder, RawEncoder)
        assert len(encoder._raw) == 5


@pytest.mark.asyncio
async def test_raw_needs_the_servers_own_encoder() -> None:
    config = FeedConfig(port=0, symbols="AAPL", clock="manual", rate=0.0)
    encoder = NativeEncoder(config.universe())
    async with FeedServer(config, encoder=encoder) as server:
        await server.director().trade("AAPL", price=190.0)
        with pytest.raises(CommandError, match="raw needs the server's own encoder"):
            await server.director().trade("AAPL", price=190.0, raw=True)


@pytest.mark.asyncio
async def test_with_max_it_goes_no_faster_than_clients_read() -> None:
    """A long advance waits for who is behind, as the market itself does."""
    options: dict[str, Any] = {"symbols": "5", "rate": 2_000.0, "clock": "max", "journal": 10}
    async with running(**options) as server, RawClient(server, receive_buffer=4096) as client:
        await client.message()
        client.send(action="subscribe", symbols=["*"], channels=["trades", "quotes"])
        await server.director().wait_for_subscription("AAPL")
        client.pause()
        advancing = asyncio.create_task(server.director().advance("4s"))
        await eventually(lambda: server.plant.hub.slow.congested, "the market waits")
        assert not advancing.done()
        client.vanish()
        await advancing


@pytest.mark.asyncio
async def test_with_max_steps_are_events_too() -> None:
    async with running(symbols="2", rate=100.0, clock="max") as server:
        assert await server.director().step(10) >= 10
        assert server.plant.pump.events >= 10


@pytest.mark.parametrize(
    ("clock", "start"), [("manual", "f53db265132f3d46"), ("max", "d845e2e52ce00269")]
)
@pytest.mark.asyncio
async def test_the_bytes_are_those_of_every_python(clock: str, start: str) -> None:
    """Pinned, for all versions and machines; only what the market has to say, so that no version of ours is in it."""
    frames = (await record(clock)).split(b"\n")[2:]
    digest = hashlib.sha256(b"\n".join(frames)).hexdigest()
    assert digest[:16] == start
