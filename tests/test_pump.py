"""The pump: turns, pauses between them, heartbeats. Time is moved by hand, and the market is scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from doubles import FakeDialect, RecordingTransport, ScriptedMarket, StalledTransport

from feeds.clock import ManualClock, MaxClock, ScaledClock
from feeds.engine import pump as pump_module
from feeds.engine.pump import MAX_TURN_EVENTS, Pump
from feeds.fanout import hub as hub_module
from feeds.fanout.hub import Hub
from feeds.fanout.interest import Interest
from feeds.http.health import Health
from feeds.wire.backlog import BacklogPolicy, Slow

pytestmark = pytest.mark.asyncio

POLICY = BacklogPolicy(soft_limit=200, low_water=0, hard_limit=10**9, no_progress_s=60)
TRADES = Interest().add([0], [0])


class Rig:
    """A pump with everything around it."""

    def __init__(self, clock: Any, every_us: int = 1_000, **options: Any) -> None:
        self.clock = clock
        self.market = ScriptedMarket(every_us)
        self.hub = Hub(
            1, 2, FakeDialect(), policy=POLICY, slow=None if clock.drains else Slow.CONFLATE
        )
        self.pump = Pump(self.market, self.hub, clock, **{"heartbeat_s": 0} | options)  # type: ignore[arg-type]

    def join(self, transport: Any, interest: Interest = TRADES) -> Any:
        member = self.hub.join(transport, self.clock.seconds(), lambda _: None)
        self.hub.subscribe(member, interest, self.clock.seconds())
        return member

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.pump.run())
        try:
            yield
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def spin(until: Callable[[], object], turns: int = 10_000) -> None:
    """Let the event loop run until something is so."""
    for _ in range(turns):
        if until():
            return
        await asyncio.sleep(0)
    raise AssertionError("never came about")


def seqs(transport: RecordingTransport) -> list[int]:
    return [event.seq for event in FakeDialect.decode(transport.take())]


# Turns with a clock that has time.


@pytest.mark.parametrize(
    ("clock", "seconds"),
    [
        (ScaledClock(30_000_000, speed=10.0, monotonic=lambda: 7.0), 3.0),
        (MaxClock(0), 0.0),
        (ManualClock(9), 0.0),
    ],
)
async def test_it_knows_how_far_the_market_is_behind(clock: Any, seconds: float) -> None:
    """In real seconds: 30 of a market's at ten times their pace are 3. A clock that doesn't move is never ahead."""
    assert Rig(clock).pump.behind_s == seconds


async def test_who_asks_is_answered_though_the_market_never_catches_up() -> None:
    """Each step takes half a second here, in which the clock moves on by two steps: turns end, and nothing is left out."""
    now = 0.0
    clock = ScaledClock(0, monotonic=lambda: now)
    rig = Rig(clock, timer=lambda: now)
    transport = RecordingTransport()
    rig.join(transport)
    step = rig.market.step

    def slow_step(until_us: int, most: int) -> Any:
        nonlocal now
        now += 0.5
        return step(min(until_us, rig.market.now_us + 250_000), most)

    rig.market.step = slow_step  # type: ignore[method-assign]
    now = 1.0
    async with rig.running():
        await spin(lambda: rig.pump.turns == 3)
        await asyncio.wait_for(rig.pump.between_turns(), 10)
        assert rig.pump.behind_s > 1.0
    got = seqs(transport)
    assert got == list(range(1, len(got) + 1))
    assert len(got) == 250 * rig.pump.turns


async def test_a_turn_gives_everything_up_to_the_clocks_time_in_one_write() -> None:
    clock = ManualClock(0)
    rig = Rig(clock)
    transport = RecordingTransport()
    rig.join(transport)
    clock.advance(5_000)
    await rig.pump.turn()
    assert rig.hub.stats.writes == 1
    assert len(transport.writes) == 1
    assert seqs(transport) == [1, 2, 3, 4, 5]
    assert (rig.pump.turns, rig.pump.events) == (1, 5)
    await rig.pump.turn()
    assert rig.hub.stats.writes == 1, "the same time again gives nothing"


async def test_it_turns_when_time_is_moved_and_not_otherwise() -> None:
    clock = ManualClock(0)
    rig = Rig(clock)
    transport = RecordingTransport()
    rig.join(transport)
    async with rig.running():
        await spin(lambda: rig.pump.turns == 1)
        for _ in range(10):
            await asyncio.sleep(0)
        assert rig.pump.turns == 1
        clock.advance(2_000)
        await spin(lambda: rig.pump.turns == 2)
        assert seqs(transport) == [1, 2]


async def test_a_long_step_is_cut_so_that_messages_and_memory_stay_bounded() -> None:
    """And the event loop may run in between; still, all of it is one turn."""
    clock = ManualClock(0)
    rig = Rig(clock, every_us=1)
    transport = RecordingTransport()
    rig.join(transport)
    clock.advance(3 * MAX_TURN_EVENTS + 5)
    loops = 0

    async def count() -> None:
        nonlocal loops
        while True:
            loops += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await rig.pump.turn()
    counting.cancel()
    sizes = [len(FakeDialect.decode([m])) for m in transport.take()]
    assert sizes[:3] == [MAX_TURN_EVENTS] * 3
    assert sum(sizes) == 3 * MAX_TURN_EVENTS + 5
    assert loops >= 3
    assert rig.pump.turns == 1


# Sooner, where something is due.


class Hands:
    """Time that goes on when somebody sleeps, and each time that somebody looks."""

    def __init__(self, look_s: float = 0.0) -> None:
        self.now, self._look_s = 0.0, look_s
        self.slept = 0.0

    def __call__(self) -> float:
        self.now += self._look_s
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += max(0.0, seconds)
        self.slept += max(0.0, seconds)
        await asyncio.sleep(0)


def paced(hands: Hands, every_us: int, turn_s: float = 0.005) -> Rig:
    clock = ScaledClock(0, turn_s=turn_s, monotonic=hands, sleep=hands.sleep)
    return Rig(clock, every_us=every_us, timer=hands)


async def test_an_event_that_somebody_gets_has_a_turn_as_soon_as_it_is_due() -> None:
    """Between them, turns keep their pace."""
    hands = Hands()
    rig = paced(hands, every_us=12_345)
    written: list[float] = []

    class Noting(RecordingTransport):
        def write(self, data: Any) -> None:
            written.append(hands.now)
            super().write(data)

    transport = Noting()
    rig.join(transport)
    async with rig.running():
        await spin(lambda: len(written) == 50)
    assert seqs(transport) == [*range(1, 51)]
    for number, when in enumerate(written, 1):
        assert 0 <= when - number * 0.012_345 <= 5e-6
    assert rig.pump.turns == pytest.approx(50 * 3, abs=2), "two at their pace, one for the event"


@pytest.mark.parametrize(("clients", "apart_s"), [(1, 0.001_25), (15, 0.001_25), (16, 0.000_5)])
async def test_many_events_share_turns(clients: int, apart_s: float) -> None:
    """Turns begin a tenth of the pace apart at least; with few to write to, they are 800 a second."""
    hands = Hands()
    rig = paced(hands, every_us=20)
    transports = [RecordingTransport() for _ in range(clients)]
    for transport in transports:
        rig.join(transport)
    async with rig.running():
        await spin(lambda: rig.pump.turns == 201)
    for transport in transports:
        got = seqs(transport)
        assert got == [*range(1, len(got) + 1)]
    assert hands.now == pytest.approx(200 * apart_s, rel=0.05)


async def test_a_turn_that_takes_long_is_followed_at_once() -> None:
    """Even where they follow each other for ever: each lets the event loop run."""
    hands = Hands(look_s=0.000_4)
    rig = paced(hands, every_us=20)
    for _ in range(16):
        rig.join(RecordingTransport())
    async with rig.running():
        await spin(lambda: rig.pump.turns == 201)
    assert rig.pump.events > 10_000
    assert hands.slept < 0.005, "in the first turn, which had nothing to do"


async def test_few_writes_gather_in_the_markets_time() -> None:
    """At ten times the speed, a real second is ten of the market's."""
    hands = Hands()
    clock = ScaledClock(0, turn_s=0.005, speed=10.0, monotonic=hands, sleep=hands.sleep)
    rig = Rig(clock, every_us=20, timer=hands)
    rig.join(RecordingTransport())
    async with rig.running():
        await spin(lambda: rig.pump.turns == 801)
    assert hands.now == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("whose", ["nobody's", "another's"])
async def test_what_nobody_gets_in_full_brings_no_turns(whose: str) -> None:
    """At 5 ms, a second has 200 turns; so it has with a client that wants something else, or only the latest."""
    hands = Hands()
    rig = paced(hands, every_us=700)
    if whose == "another's":
        rig.join(RecordingTransport(), Interest().add([0], [1]))
        member = rig.join(RecordingTransport(), Interest())
        latest = ((100_000, TRADES),)
        rig.hub.subscribe(member, Interest(), 0.0, latest)
    async with rig.running():
        await spin(lambda: hands.now >= 1.0)
    assert rig.pump.turns == pytest.approx(200, abs=2)
    assert rig.pump.events == pytest.approx(1_000_000 / 700, abs=15)


async def test_those_that_are_behind_are_looked_after_at_the_pace_of_turns() -> None:
    """However many turns there are: a look costs something for each of them."""
    hands = Hands()
    rig = paced(hands, every_us=500)
    rig.join(RecordingTransport())
    stalled = StalledTransport(room=0)
    rig.join(stalled)
    looks = 0
    tend = rig.hub.slow.tend

    def count(now: float) -> None:
        nonlocal looks
        looks += 1
        tend(now)

    rig.hub.slow.tend = count  # type: ignore[method-assign]
    async with rig.running():
        await spin(lambda: hands.now >= 0.5)
    assert rig.hub.slow.laggards
    assert rig.pump.turns > 390
    assert 90 <= looks <= 210


# Between turns.


async def test_nothing_is_answered_within_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot taken there would cross events that are still pending."""
    monkeypatch.setattr(hub_module, "FLUSH_SLICE", 1)
    clock = ManualClock(0)
    rig = Rig(clock)
    for _ in range(5):
        rig.join(RecordingTransport())
    await rig.pump.between_turns()
    clock.advance(1_000)
    turn = asyncio.create_task(rig.pump.turn())
    await asyncio.sleep(0)
    assert not turn.done()
    asking = asyncio.create_task(rig.pump.between_turns())
    await asyncio.sleep(0)
    assert not asking.done()
    await turn
    await asking
    assert rig.hub.stats.writes == 5


async def test_who_asks_is_answered_even_when_turn_follows_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a clock that never waits, a request isn't put off for ever."""
    monkeypatch.setattr(hub_module, "FLUSH_SLICE", 2)
    monkeypatch.setattr(pump_module, "_LONGEST_WORK_S", 0)
    rig = Rig(MaxClock(0), turn_events=1)
    for _ in range(5):
        rig.join(RecordingTransport())
    async with rig.running():
        await spin(lambda: rig.pump.turns > 3)
        for _ in range(20):
            before = rig.pump.turns
            await rig.pump.between_turns()
            assert rig.pump.turns - before <= 3


@pytest.mark.parametrize("pauses", range(1, 5))
async def test_a_turn_that_is_cancelled_lets_those_go_on_who_wait_for_its_end(
    pauses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the market gave by then goes to everybody, and once; the next turn goes on from there."""
    monkeypatch.setattr(hub_module, "FLUSH_SLICE", 1)
    clock = ManualClock(0)
    rig = Rig(clock)
    transports = [RecordingTransport() for _ in range(5)]
    for transport in transports:
        rig.join(transport)
    clock.advance(1_000)
    turn = asyncio.create_task(rig.pump.turn())
    for _ in range(pauses):
        await asyncio.sleep(0)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    await rig.pump.between_turns()
    assert [seqs(transport) for transport in transports] == [[1]] * 5
    clock.advance(2_000)
    await rig.pump.turn()
    assert [seqs(transport) for transport in transports] == [[2, 3]] * 5


# As fast as drained.


async def test_with_max_each_turn_has_so_many_events() -> None:
    rig = Rig(MaxClock(0), turn_events=3)
    transport = RecordingTransport()
    rig.join(transport)
    async with rig.running():
        await spin(lambda: rig.pump.turns >= 3)
    sizes = [len(FakeDialect.decode([m])) for m in transport.take()]
    assert set(sizes) == {3}


async def test_with_max_nothing_happens_while_nobody_listens() -> None:
    """So that the first client sees the market from its beginning."""
    rig = Rig(MaxClock(0))
    transport = RecordingTransport()
    member = rig.join(transport, Interest())
    async with rig.running():
        for _ in range(50):
            await asyncio.sleep(0)
        assert rig.pump.turns == 0
        rig.hub.subscribe(member, TRADES, 0.0)
        await spin(lambda: transport.writes, turns=10**6)
        assert seqs(transport)[0] == 1


async def test_with_max_a_client_that_doesnt_read_is_waited_for() -> None:
    rig = Rig(MaxClock(0), turn_events=50)
    slow, quick = StalledTransport(), RecordingTransport()
    rig.join(slow)
    rig.join(quick)
    async with rig.running():
        await spin(lambda: rig.hub.slow.congested)
        for _ in range(50):
            await asyncio.sleep(0)
        turns = rig.pump.turns
        for _ in range(50):
            await asyncio.sleep(0)
        assert rig.pump.turns == turns
        slow.read()
        await spin(lambda: rig.pump.turns > turns, turns=10**6)
    assert seqs(slow)[:100] == seqs(quick)[:100] == list(range(1, 101))


async def test_with_max_the_loop_runs_although_nobody_is_written_to() -> None:
    """A client that listens to a channel where nothing happens must not stop the server."""
    rig = Rig(MaxClock(0), turn_events=10)
    rig.join(RecordingTransport(), Interest().add([0], [1]))
    async with rig.running():
        for _ in range(20):
            await asyncio.sleep(0)
        assert rig.pump.turns > 0


async def test_with_max_a_market_without_events_doesnt_hang() -> None:
    """Each step has an end in the market's time, whether or not anything happens in it."""

    class Silent(ScriptedMarket):
        def step(self, until_us: int, limit: int | None = None) -> Any:
            assert until_us - self.now_us <= 60_000_000
            self.now_us = until_us
            return super().step(0, limit)

    rig = Rig(MaxClock(0))
    rig.pump._market = rig.market = Silent()  # type: ignore[assignment]
    rig.join(RecordingTransport())
    async with rig.running():
        await spin(lambda: rig.pump.turns > 5)


async def test_with_max_a_tape_that_is_over_is_not_turned_on() -> None:
    """The market's time stands where the tape ended; heartbeats still come."""
    rig = Rig(MaxClock(0), turn_events=10)
    rig.join(RecordingTransport())
    async with rig.running():
        await spin(lambda: rig.pump.turns > 5)
        rig.market.over = True
        await spin(lambda: rig.pump._idle.is_set())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        turns = rig.pump.turns
        for _ in range(20):
            await asyncio.sleep(0)
        assert rig.pump.turns == turns


# Heartbeats.


def beats(transport: RecordingTransport) -> list[float]:
    items = transport.objects()
    assert all(item["type"] == "heartbeat" for item in items)
    return [item["time"] for item in items]


async def test_silence_is_broken_within_the_promised_time() -> None:
    """Whenever turns come, at least ten in a heartbeat's length, no silence is longer than the heartbeat."""
    clock = ManualClock(0)
    rig = Rig(clock, every_us=10**12, heartbeat_s=5.0)
    transport = RecordingTransport()
    rig.join(transport)
    last = longest = 0.0
    shortest = 5.0
    for _ in range(1_000):
        clock.advance(370_000)
        await rig.pump.turn()
        now = clock.seconds()
        longest = max(longest, now - last)
        if beats(transport):
            last, shortest = now, min(shortest, now - last)
    assert longest <= 5.0
    assert shortest >= 0.7 * 5.0, "the document says from when on"
    assert last > 360


async def test_a_heartbeat_has_the_markets_time() -> None:
    clock = ManualClock(0)
    rig = Rig(clock, heartbeat_s=5.0)
    transport = RecordingTransport()
    rig.join(transport, Interest())
    clock.advance(6_000_000)
    await rig.pump.turn()
    (message,) = transport.take()
    assert orjson.loads(message) == [{"type": "heartbeat", "time": rig.market.now_us / 1000}]


async def test_who_gets_events_gets_no_heartbeats() -> None:
    clock = ManualClock(0)
    rig = Rig(clock, every_us=100_000, heartbeat_s=5.0)
    busy, idle = RecordingTransport(), RecordingTransport()
    rig.join(busy)
    rig.join(idle, Interest())
    for _ in range(100):
        clock.advance(200_000)
        await rig.pump.turn()
    assert seqs(busy) == list(range(1, 201))
    assert len(beats(idle)) >= 4


async def test_without_heartbeats_there_are_none() -> None:
    clock = ManualClock(0)
    rig = Rig(clock, every_us=10**12, heartbeat_s=0)
    transport = RecordingTransport()
    rig.join(transport)
    clock.advance(10**9)
    await rig.pump.turn()
    assert transport.writes == []


async def test_with_max_heartbeats_come_although_the_market_stands() -> None:
    """While nobody is subscribed, and while everybody waits for one that doesn't read."""
    now = 0.0
    clock = MaxClock(0)
    clock.seconds = lambda: now  # type: ignore[assignment]
    rig = Rig(clock, turn_events=50, heartbeat_s=5.0)
    idle = RecordingTransport()
    rig.join(idle, Interest())
    async with rig.running():
        await asyncio.sleep(0)
        now = 10.0
        await spin(lambda: idle.writes, turns=10**6)
        slow = StalledTransport()
        rig.join(slow)
        await spin(lambda: rig.hub.slow.congested, turns=10**6)
        idle.take()
        now = 20.0
        await spin(lambda: idle.writes, turns=10**6)


async def test_with_max_an_answer_that_takes_long_stops_turns_but_no_heartbeats() -> None:
    """A client may take its time with an answer: the others hear that the feed is there, and so does who asks for its health."""
    now = 0.0
    clock = MaxClock(0)
    clock.seconds = lambda: now  # type: ignore[assignment]
    rig = Rig(clock, turn_events=50, heartbeat_s=5.0, timer=lambda: now)
    health = Health(rig.pump, clock, stall_timeout=5.0)
    idle = RecordingTransport()
    rig.join(idle, Interest())
    slow = StalledTransport()
    rig.join(slow)
    async with rig.running():
        with rig.pump.answers:
            now = 10.0
            await spin(lambda: idle.writes, turns=10**6)
            assert health.ok
            assert rig.pump.turns == 0
        await spin(lambda: rig.hub.slow.congested, turns=10**6)


async def test_with_max_answers_that_overlap_for_ever_dont_hold_the_market_for_ever() -> None:
    """A hundred may, then it has a turn; and those that wait for that are let go when it ends."""
    rig = Rig(MaxClock(0), turn_events=50)
    rig.join(RecordingTransport())
    answers = rig.pump.answers
    order: list[str] = []
    crowded = asyncio.Event()

    async def ask() -> None:
        await rig.pump.may_answer()
        with answers:
            order.append("asked")
            if len(order) == 101:
                crowded.set()
            await crowded.wait()

    rig.pump.after_turn = lambda: order.append("turn")
    asking = [asyncio.create_task(ask()) for _ in range(150)]
    await asyncio.sleep(0)
    async with rig.running():
        await spin(lambda: order.count("asked") == 150, turns=10**6)
    assert order[:102] == ["asked"] * 101 + ["turn"]
    await asyncio.wait(asking)
    for _ in range(200):
        await rig.pump.may_answer()
        answers.__enter__()
