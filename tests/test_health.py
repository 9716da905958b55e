"""When the feed is well, stalled, failed: decided by one function at times of ours, and told over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from doubles import FakeDialect, ScriptedMarket, StalledTransport
from wire import RawClient, eventually, on_both_loops, running

from feeds.clock import Clock, ManualClock, MaxClock, ScaledClock
from feeds.engine.pump import Pump
from feeds.fanout.hub import Hub
from feeds.fanout.interest import Interest
from feeds.http.health import Health, describe
from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy, Slow
from ticker.batch import TickBatch

OK = {"status": "ok"}
POLICY = BacklogPolicy(soft_limit=200, low_water=0, hard_limit=10**9, no_progress_s=60)
TRADES = Interest().add([0], [0])


class Rig:
    """A pump whose turns are timed by us."""

    def __init__(self, make_clock: Callable[[Callable[[], float]], Clock]) -> None:
        self.now = 1_000.0
        self.clock = make_clock(lambda: self.now)
        conflate = not self.clock.drains
        self.hub = Hub(1, 2, FakeDialect(), policy=POLICY, slow=Slow.CONFLATE if conflate else None)
        self.market = ScriptedMarket()
        self.pump = Pump(
            self.market,  # type: ignore[arg-type]
            self.hub,
            self.clock,
            heartbeat_s=0,
            timer=lambda: self.now,
        )
        self.health = Health(self.pump, self.clock, stall_timeout=5.0)

    def join(self, transport: Any) -> None:
        member = self.hub.join(transport, 0.0, lambda _: None)
        self.hub.subscribe(member, TRADES, 0.0)


def wall(monotonic: Callable[[], float]) -> Clock:
    return ScaledClock(0, monotonic=monotonic)


def fast(monotonic: Callable[[], float]) -> Clock:
    return MaxClock(0, monotonic)


async def spin(until: Callable[[], object]) -> None:
    """Let the event loop run until something is so."""
    for _ in range(10**6):
        if until():
            return
        await asyncio.sleep(0)
    raise AssertionError("never came about")


@pytest.mark.asyncio
async def test_turns_keep_it_well_and_without_them_it_is_stalled() -> None:
    rig = Rig(wall)
    assert rig.health.state() == OK, "no turn yet, and no time for one"
    rig.now += 5.0
    assert rig.health.state() == OK
    rig.now += 0.25
    assert rig.health.state() == {"status": "stalled", "stalled_s": 5.25}
    assert not rig.health.ok
    await rig.pump.turn()
    assert rig.health.state() == OK
    assert rig.health.ok


def test_a_market_that_is_far_behind_its_clock_is_stalled() -> None:
    """However short its turns: it gives more events than this machine can write."""
    rig = Rig(wall)
    rig.now += 5.25
    rig.pump.timing.idle()  # a turn has ended now
    assert rig.health.state() == {"status": "stalled", "behind_s": 5.25}
    rig.market.now_us += 250_000
    assert rig.health.state() == OK


def test_a_clock_that_is_moved_by_hand_asks_for_no_turn() -> None:
    rig = Rig(lambda _: ManualClock(0))
    rig.now += 10**6
    assert rig.health.state() == OK


@pytest.mark.asyncio
async def test_with_max_nobody_to_serve_is_no_stall() -> None:
    """Nor is waiting for a client that doesn't read: that has its own end."""
    rig = Rig(fast)
    task = asyncio.create_task(rig.pump.run())
    rig.now += 60.0
    await spin(lambda: rig.health.ok)
    slow = StalledTransport()
    rig.join(slow)
    await spin(lambda: rig.hub.slow.congested)
    rig.now += 30.0
    await spin(lambda: rig.health.ok)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    rig.now += 30.0
    assert rig.health.state()["status"] == "stalled", "it isn't that with max anything goes"


@pytest.mark.asyncio
async def test_a_pump_that_failed_says_with_what() -> None:
    rig = Rig(wall)

    def fail(*_: object) -> TickBatch:
        raise ZeroDivisionError("no ticks")

    rig.market.step = fail  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        await rig.pump.run()
    state = rig.health.state()
    assert state["status"] == "failed"
    assert state["error"].startswith("ZeroDivisionError: no ticks (tests/test_health.py:")


@pytest.mark.asyncio
async def test_a_pump_that_is_cancelled_has_not_failed() -> None:
    rig = Rig(wall)
    task = asyncio.create_task(rig.pump.run())
    await spin(lambda: rig.pump.turns)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert rig.pump.failure is None


def test_an_error_is_described_in_one_line() -> None:
    assert describe(ValueError("two\nlines")) == "ValueError: two lines"
    assert describe(KeyError()) == "KeyError"


# Over HTTP.


class Hanging:
    """A market whose steps don't get anywhere until told: a turn with it doesn't end, and the event loop runs on."""

    def __init__(self, server: FeedServer) -> None:
        self._step = server.plant.market.step
        self._empty = server.plant.market.step(server.plant.market.now_us)
        self.hangs = True

    def step(self, until_us: int, limit: int | None = None) -> TickBatch:
        return self._empty if self.hangs else self._step(until_us, limit)


@on_both_loops
async def test_a_turn_that_hangs_makes_it_unhealthy_until_it_is_over() -> None:
    """503 and for how long; the other fields are there all the same. Its end makes it healthy again."""
    async with running(clock="wall") as server, aiohttp.ClientSession() as http:

        async def health() -> tuple[int, dict[str, Any]]:
            async with http.get(f"{server.url}/health") as answer:
                assert answer.headers["Cache-Control"] == "no-store"
                return answer.status, await answer.json()

        status, well = await health()
        assert (status, well["status"]) == (200, "ok")
        await eventually(lambda: server.plant.pump._idle.is_set(), "a turn is over")
        market = Hanging(server)
        server.plant.market.step = market.step  # type: ignore[method-assign]
        await eventually(lambda: not server.plant.pump._idle.is_set(), "a turn hangs")
        server.plant.pump.timing.timer = lambda: server.plant.pump.timing.finished + 7.0
        status, ill = await health()
        assert (status, ill["status"], ill["stalled_s"]) == (503, "stalled", 7.0)
        assert set(ill) == {*well, "stalled_s"}
        market.hangs = False
        turns = server.plant.pump.turns
        await eventually(lambda: server.plant.pump.turns > turns, "it goes on")
        server.plant.pump.timing.timer = lambda: server.plant.pump.timing.finished
        assert (await health())[0] == 200


@on_both_loops
async def test_when_the_pump_fails_clients_are_closed_and_health_says_why() -> None:
    async with (
        running(loggers=()) as server,
        RawClient(server) as client,
        aiohttp.ClientSession() as http,
    ):
        await client.message()

        def fail(*_: object) -> TickBatch:
            raise ZeroDivisionError("no ticks")

        server.plant.market.step = fail  # type: ignore[method-assign]
        server.plant.clock.advance(1)  # type: ignore[attr-defined]
        assert await client.closed() == 1011
        assert client.reason == "an error inside the server"
        async with http.get(f"{server.url}/health") as answer:
            assert answer.status == 503
            said = await answer.json()
        assert said["status"] == "failed"
        assert said["error"].startswith("ZeroDivisionError: no ticks (")
        async with http.get(f"{server.url}/ws") as answer:
            assert answer.status == 503
            assert (await answer.json())["code"] == "stopping"
