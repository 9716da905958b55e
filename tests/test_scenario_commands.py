"""Scenarios that somebody begins while the market runs: as a command, and as an option of the server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tapes import market_tape
from wire import Follower, RawClient, running, step

from feeds.errors import CommandError
from feeds.replay import ReplayOptions
from feeds.wire.backlog import BacklogPolicy
from ticker.market import Market
from ticker.universe import Universe

SECOND = 1_000_000


@pytest.mark.asyncio
async def test_a_director_begins_a_scenario() -> None:
    """It takes its course as the time moves on; clients lose nothing, and are told of the halt."""
    async with running(symbols="AAPL,MSFT", rate=0.0) as server, RawClient(server) as client:
        follower = Follower()
        client.send(action="subscribe", symbols="*", channels=["trades", "quotes", "status"])
        follower.feed(await client.until("subscribed"))
        director = server.director()
        await director.scenario("halt_and_reopen", symbol="MSFT", size=0.1, duration="20s", seed=3)
        await director.advance("21s")
        told = await client.until("trade")
        follower.feed(told)
        changes = [(i["symbol"], i["status"], i["reason"]) for i in told if i["type"] == "status"]
        assert changes == [
            ("MSFT", "halted", "T1"),
            ("MSFT", "halted", "T2"),
            ("MSFT", "quoting", "T3"),
            ("MSFT", "trading", "T3"),
        ]
        (cross,) = [item for item in told if item["type"] == "trade"]
        assert cross["symbol"] == "MSFT"
        start = server.plant.market.universe[1].price
        assert cross["price"] == pytest.approx(1.1 * start, rel=0.01)


@pytest.mark.asyncio
async def test_a_served_microburst_reaches_a_client_whole() -> None:
    """All 20,000 quotes of its second, each with its number."""
    options = {"symbols": "AAPL", "rate": 0.0, "scenario": "microburst"}
    patient = BacklogPolicy(soft_limit=6_000_000)
    async with running(backlog=patient, **options) as server, RawClient(server) as client:
        follower = Follower()
        client.send(action="subscribe", symbols="*", channels=["quotes"])
        follower.feed(await client.until("subscribed"))
        for _ in range(11):
            await step(server, SECOND)
        while follower.last["AAPL", "quotes"] < 20_000:
            follower.feed(await client.message())
        assert (follower.events, follower.merged) == (20_000, 0)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"name": "crash"}, "scenario 'crash' is not one of calm"),
        ({"name": "calm", "symbol": "APPL"}, "unknown symbol 'APPL'; did you mean 'AAPL'"),
        ({"name": "calm", "duration": 0.0}, "duration_s 0.0 is not between"),
        ({"name": "flash_crash", "size": -2.0}, "size -2.0 is not between -0.99 and 99"),
        ({"name": "microburst", "size": -2.0}, "size -2.0 is not between 0 and 100000"),
    ],
)
@pytest.mark.asyncio
async def test_what_cannot_be_played_is_refused(terms: dict[str, Any], message: str) -> None:
    """And isn't in the journal: it didn't happen."""
    async with running(symbols="AAPL,MSFT", rate=0.0, journal=10) as server:
        director = server.director()
        with pytest.raises(CommandError, match=message):
            await director.scenario(**terms)
        assert not director.journal.entries()


@pytest.mark.asyncio
async def test_a_tape_knows_no_scenario(tmp_path: Path) -> None:
    """What is on it has happened."""
    tape = tmp_path / "tape.ndjson"
    market_tape(Market(Universe.of_size(2), seed=7), 1.0, tape)
    async with running(replay=ReplayOptions(tape)) as server:
        with pytest.raises(CommandError, match="scenario 'calm': what plays is a tape"):
            await server.director().scenario("calm")
