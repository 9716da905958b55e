"""Staggered turns: when they begin and end, who is written to in each, and what is pending meanwhile."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from doubles import FakeDialect, RecordingTransport, ScriptedMarket, StalledTransport
from hub_bench import POLICY, HubBench, got

from feeds.clock import ScaledClock
from feeds.engine import pump as pump_module
from feeds.engine.pump import MAX_TURN_EVENTS, Pump
from feeds.fanout.hub import Hub
from feeds.fanout.interest import Interest
from feeds.fanout.roster import PHASES
from feeds.fanout.stagger import Stagger
from feeds.wire.backlog import Slow
from feeds.wire.envelope import ArrayInWebSocket
from feeds.wire.transport import Data
from ticker.batch import TickBatch

CLIENTS = 80
TURN_S = 0.004
LONG_S = 0.8 * TURN_S / CLIENTS
"""Of a write: with as many, writing takes most of a turn."""


class Hands:
    """Time that goes on when something is written, and when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class CostlyTransport(RecordingTransport):
    """One that takes its time."""

    def __init__(self, hands: Hands, seconds: float) -> None:
        super().__init__()
        self._hands, self.seconds = hands, seconds

    def write(self, data: Data) -> None:
        self._hands.now += self.seconds
        super().write(bytes(data))


class HaltingMarket(ScriptedMarket):
    """One that takes many steps to a time, as a scripted one may, or one whose books are wanted."""

    def step(self, until_us: int, limit: int | None = None) -> TickBatch:
        return super().step(until_us, min(limit or 20, 20))


class Rig:
    """A pump on the wall clock, with as many clients as make it stagger, if their writes are costly."""

    def __init__(
        self,
        write_s: float,
        clients: int = CLIENTS,
        market: type[ScriptedMarket] = ScriptedMarket,
    ) -> None:
        self.hands = Hands()
        self.clock = ScaledClock(0, turn_s=TURN_S, monotonic=self.hands)
        self.hub = Hub(2, 2, FakeDialect(), policy=POLICY, slow=Slow.CONFLATE)
        self.pump = Pump(
            market(1_000),  # type: ignore[arg-type]
            self.hub,
            self.clock,
            heartbeat_s=0,
            timer=self.hands,
        )
        self.transports: list[CostlyTransport] = []
        # Half of them alone with what they want, half in one group.
        for number in range(clients):
            transport = CostlyTransport(self.hands, write_s)
            member = self.hub.join(transport, 0.0, lambda _: None)
            interest = Interest().add([0], [0])
            if number % 2:
                interest = interest.add([1], [1]) if number % 4 == 1 else interest.add([0, 1], [1])
            self.hub.subscribe(member, interest, 0.0)
            self.transports.append(transport)

    async def turn(self) -> int:
        """Do a turn when it is due; give how many connections were written to."""
        before = [len(t.writes) for t in self.transports]
        self.hands.now += TURN_S * self.pump.stagger.share
        await self.pump.turn()
        after = [len(t.writes) for t in self.transports]
        return sum(b > a for a, b in zip(before, after, strict=True))

    async def until_staggered(self) -> int:
        """Do turns until the next one is for a phase; give how many that took."""
        for turns in range(100):
            if self.pump.stagger.phase is not None:
                return turns
            assert await self.turn() == len(self.transports)
        raise AssertionError("never staggered")


@pytest.mark.asyncio
async def test_turns_are_staggered_while_writing_takes_a_good_part_of_them() -> None:
    rig = Rig(LONG_S)
    assert 8 <= await rig.until_staggered() <= 32, "one long turn is no reason"
    assert rig.pump.stagger.share == 1 / PHASES
    for _ in range(3):
        written = [await rig.turn() for _ in range(PHASES)]
        assert sum(written) == CLIENTS
        assert max(written) < CLIENTS
    for transport in rig.transports:
        transport.seconds = 0.0
    for _ in range(32 * PHASES):
        await rig.turn()
    assert rig.pump.stagger.phase is None
    assert await rig.turn() == CLIENTS
    market_s = rig.pump.events
    for transport in rig.transports:
        assert [e.seq for e in got(transport)] == [*range(1, market_s + 1)], "each once, in order"


@pytest.mark.asyncio
async def test_a_hiccup_is_no_reason_to_stagger() -> None:
    rig = Rig(LONG_S / 8)
    for _ in range(20):
        assert await rig.turn() == CLIENTS
    rig.transports[3].seconds = 1.0
    assert await rig.turn() == CLIENTS
    rig.transports[3].seconds = LONG_S / 8
    for _ in range(20):
        assert await rig.turn() == CLIENTS
    assert rig.pump.stagger.phase is None


@pytest.mark.asyncio
@pytest.mark.parametrize(("write_s", "clients"), [(TURN_S / CLIENTS / 10, CLIENTS), (TURN_S, 8)])
async def test_turns_are_whole_where_there_is_little_to_gain(write_s: float, clients: int) -> None:
    rig = Rig(write_s, clients)
    for _ in range(100):
        assert await rig.turn() == clients
    assert rig.pump.stagger.share == 1


@pytest.mark.asyncio
async def test_what_somebody_directs_goes_to_everybody_at_once() -> None:
    rig = Rig(LONG_S)
    await rig.until_staggered()
    await rig.turn()
    await rig.pump.direct(rig.pump.events * 1_000 + 5_000)
    for transport in rig.transports:
        assert [e.seq for e in got(transport)] == [*range(1, rig.pump.events + 1)]


@pytest.mark.asyncio
async def test_at_the_end_everybody_gets_what_is_pending() -> None:
    rig = Rig(LONG_S)
    await rig.until_staggered()
    for _ in range(2):
        await rig.turn()
    rig.pump.settle()
    for transport in rig.transports:
        assert [e.seq for e in got(transport)] == [*range(1, rig.pump.events + 1)]


@pytest.mark.asyncio
async def test_a_burst_goes_to_everybody_so_that_no_message_gets_too_long() -> None:
    rig = Rig(LONG_S)
    await rig.until_staggered()
    for _ in range(3 * PHASES):
        # So that what is pending for a phase would be more than may be.
        rig.hands.now += MAX_TURN_EVENTS / 2_500
        await rig.turn()
    rig.pump.settle()
    for transport in rig.transports:
        sizes = [len(FakeDialect.decode([message])) for message in transport.take()]
        assert max(sizes) <= MAX_TURN_EVENTS
        assert sum(sizes) == rig.pump.events


@pytest.mark.asyncio
async def test_a_long_step_in_small_parts_is_no_long_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is short by itself would add up for the phases that are passed over."""
    monkeypatch.setattr(pump_module, "MAX_TURN_EVENTS", 100)
    rig = Rig(LONG_S, market=HaltingMarket)
    await rig.until_staggered()
    rig.hands.now += 0.95  # 48 steps in one turn
    await rig.turn()
    await rig.turn()
    for transport in rig.transports:
        sizes = [len(FakeDialect.decode([message])) for message in transport.take()]
        assert max(sizes, default=0) <= 100


@pytest.mark.asyncio
async def test_each_event_has_one_age() -> None:
    rig = Rig(LONG_S)
    await rig.until_staggered()
    for _ in range(5 * PHASES):
        await rig.turn()
    unwritten = rig.pump.events - rig.pump.timing.ages.cumulative()[-1]
    assert 0 <= unwritten <= TURN_S * 1_000 + PHASES


def test_phases_that_became_uneven_are_evened_out() -> None:
    bench = HubBench()
    transports = [RecordingTransport() for _ in range(100)]
    members = [bench.join(t, [0], [i % 3]) for i, t in enumerate(transports)]
    roster = bench.roster
    alone = [bench.join(RecordingTransport(), {i % 4, (i // 4) % 4}, {i % 3}) for i in range(40)]
    stagger = Stagger(roster, 1.0)
    while stagger.phase is None:
        stagger.wrote(0.8)
    for member in [m for m in [*members, *alone] if m.group and m.group.phase]:
        bench.hub.leave(member)
    assert sorted(roster.sizes())[:-1] == [0] * (PHASES - 1)
    for turn in itertools.count():
        stagger.wrote(0.2)
        assert turn < 10_000, "never evened out"
        if stagger.phase is None:
            break
    stagger.wrote(0.2)
    assert stagger.phase == 0, "again"
    groups = sum(1 for g in roster.groups.values() if g.live)
    assert sum(size > 0 for size in roster.sizes()) == min(groups, PHASES)


# What is pending for a phase.


def two_phases() -> tuple[HubBench, Any, Any]:
    """Give a hub, and a member with its transport, of a phase that was passed over."""
    bench = HubBench()
    transport = StalledTransport(room=10**6)
    member = bench.join(transport, [0], [0])
    bench.publish((0, 0), (0, 0))
    for _ in bench.hub.flush(bench.now, 1):
        pass
    assert transport.writes == []
    return bench, member, transport


def test_who_joins_a_phase_gets_nothing_that_is_older() -> None:
    bench, _, _ = two_phases()
    late = RecordingTransport()
    bench.join(late, [0], [0])
    event = bench.turn((0, 0))
    assert got(late) == event


def test_a_member_that_grows_too_far_behind_between_turns_misses_nothing() -> None:
    """What is pending for it comes before it is conflated; else that would be marked as got."""
    bench, member, transport = two_phases()
    transport.room = 0
    transport.stalled = True
    bench.hub.reply(member, b'"' + b"x" * POLICY.soft_limit + b'"', bench.now)
    assert member in bench.slow.laggards
    bench.turn((0, 0))
    told = transport.unread()
    transport.read()
    bench.tend()
    assert told > POLICY.soft_limit
    (last,) = FakeDialect.decode([transport.take()[-1]])
    assert (last.seq, last.merged) == (3, 0)


def test_only_a_message_after_which_nothing_is_pending_is_whole() -> None:
    """It may carry a cursor (see ``Envelope.wrap``)."""

    class Noting(ArrayInWebSocket):
        def __init__(self) -> None:
            self.whole: list[bool] = []

        def wrap(self, payload: bytes, *, whole: bool = True) -> Data:  # type: ignore[override]
            self.whole.append(whole)
            return ArrayInWebSocket.wrap(payload)

    bench, envelope = HubBench(), Noting()
    member = bench.hub.join(RecordingTransport(), 0.0, lambda _: None, envelope)
    bench.hub.subscribe(member, Interest().add([0], [0]), 0.0)
    bench.hub.reply(member, b"[]", 0.0)
    bench.publish((0, 0))
    for _ in bench.hub.flush(0.0, 1):
        pass
    bench.hub.reply(member, b"[]", 0.0)
    bench.hub.beat(b"[]", 9.0, 5.0)
    for _ in bench.hub.flush(0.0, 0):
        pass
    bench.hub.reply(member, b"[]", 0.0)
    assert envelope.whole == [True, False, False, True]


def test_a_group_is_moved_whole_or_left_and_joined() -> None:
    bench, member, transport = two_phases()
    other = RecordingTransport()
    bench.join(other, [0], [0])  # of another phase, and so another group
    assert len(bench.roster.groups) == 2
    bench.hub.subscribe(member, Interest().add([0], [0]), bench.now)
    assert Counter(e.seq for e in got(transport)) == {1: 1, 2: 1}
    (group,) = bench.roster.groups.values()
    assert group.members == 2
