"""
Who wants only the latest: the first update at once, then at most one a window, and the last one when its window ends.

An event is (symbol, channel, seq, merged). Time is a number.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from doubles import BrokenTransport, Event, RecordingTransport, StalledTransport
from hub_bench import CHANNELS, POLICY, SYMBOLS, HubBench, got

from feeds.fanout import paced as lanes_module
from feeds.fanout.group import Member
from feeds.fanout.interest import NOTHING, Interest
from feeds.wire.backlog import Eviction, Slow

WINDOW = 100_000


def join(
    bench: HubBench, transport: Any, symbols: Any, channels: Any = (0,), us: int = 0
) -> Member:
    """Join with some symbols at a pace."""
    member = bench.join(transport)
    pace(bench, member, symbols, channels, us)
    return member


def pace(bench: HubBench, member: Member, symbols: Any, channels: Any = (0,), us: int = 0) -> None:
    interest = Interest().add(symbols, channels)
    bench.hub.subscribe(member, NOTHING, bench.now, ((us or WINDOW, interest),))


def everything(bench: HubBench, member: Member, symbols: Any, channels: Any = (0,)) -> None:
    bench.hub.subscribe(member, Interest().add(symbols, channels), bench.now)


def at(bench: HubBench, now: float, *events: tuple[int, int]) -> None:
    bench.now = now
    bench.turn(*events)


# Windows.


def test_the_first_goes_out_at_once_and_the_last_when_its_window_ends() -> None:
    bench = HubBench()
    client = RecordingTransport()
    join(bench, client, [0])
    at(bench, 0.05, (0, 0))
    assert got(client) == [Event(0, 0, 1)]
    for now in (0.06, 0.09, 0.14):
        at(bench, now, (0, 0), (0, 0))
        assert client.writes == []
    at(bench, 0.149999)
    assert client.writes == []
    at(bench, 0.15)
    assert got(client) == [Event(0, 0, 7, 5)], "although nothing happens any more"
    at(bench, 0.25)
    at(bench, 7.0)
    assert client.writes == []
    at(bench, 7.01, (0, 0))
    assert got(client) == [Event(0, 0, 8)], "after a quiet time, at once again"


def test_windows_follow_on_each_other_exactly() -> None:
    """A third of a second a hundred times is 33.3333 s in whole microseconds, and not a turn more."""
    bench = HubBench()
    client = RecordingTransport()
    join(bench, client, [0], us=333_333)
    times = []
    for microseconds in range(0, 34_000_000, 999):
        at(bench, microseconds / 1e6, (0, 0))
        if got(client):
            times.append(microseconds)
    assert len(times) == 103
    assert all(0 <= t - n * 333_333 < 999 for n, t in enumerate(times))


def test_a_turn_that_is_late_doesnt_shift_the_windows() -> None:
    bench = HubBench()
    client = RecordingTransport()
    join(bench, client, [0])
    sent = []
    for now in (0.0, 0.19, 0.2, 0.21, 0.35, 0.4):
        at(bench, now, (0, 0))
        sent.append(len(got(client)))
    assert sent == [1, 1, 1, 0, 1, 1]


def test_what_has_one_pace_comes_in_one_message() -> None:
    bench = HubBench()
    client = RecordingTransport()
    join(bench, client, range(SYMBOLS), range(CHANNELS))
    at(bench, 0.0, (3, 1), (0, 0), (3, 1))
    assert len(client.writes) == 1
    assert got(client) == [Event(0, 0, 1), Event(3, 1, 2, 1)]
    at(bench, 0.01, (1, 0))
    at(bench, 0.1, (2, 0))
    assert len(client.writes) == 1
    assert got(client) == [Event(1, 0, 1), Event(2, 0, 1)]


def test_a_connection_may_have_everything_and_the_latest_at_several_paces() -> None:
    bench = HubBench()
    client = RecordingTransport()
    member = bench.join(client)
    full, quick, slow = (Interest().add([s], [0]) for s in range(3))
    bench.hub.subscribe(member, full, 0.0, ((WINDOW, quick), (4 * WINDOW, slow)))
    counts = []
    for turn in range(9):
        at(bench, turn / 20, *[(s, 0) for s in range(4)] * 2)
        events = got(client)
        counts.append([sum(e.symbol == s for e in events) for s in range(4)])
    assert [sum(column) for column in zip(*counts, strict=True)] == [18, 5, 2, 0]


def test_where_a_turn_has_no_time_each_has_its_update() -> None:
    bench = HubBench(slow=None)
    client = RecordingTransport()
    join(bench, client, [0], us=100_000_000)
    for _ in range(3):
        at(bench, 0.0, (0, 0), (0, 0))
        assert len(got(client)) == 1
    assert bench.roster.interested


def test_many_slots_are_several_messages_with_a_window_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes_module, "LANE_SLOTS", 3)
    bench = HubBench()
    client = RecordingTransport()
    join(bench, client, range(SYMBOLS), [0, 1])
    events = [(s, c) for c in (0, 1) for s in range(SYMBOLS)]
    at(bench, 0.0, *events)
    assert [len(m) for m in map(got_message, client.writes)] == [3, 3, 2]


def got_message(data: bytes) -> list[Event]:
    transport = RecordingTransport()
    transport.writes = [data]
    return got(transport)


# Changes.


def test_a_subscription_can_go_over_to_the_latest_and_back() -> None:
    """Nothing is lost and nothing comes twice: what waits goes out before the first of everything."""
    bench = HubBench()
    client = RecordingTransport()
    member = bench.join(client, [0, 1])
    at(bench, 0.0, (0, 0), (0, 0))
    pace(bench, member, [0, 1])
    at(bench, 0.01, (0, 0))
    at(bench, 0.02, (0, 0), (0, 0), (1, 0))
    assert got(client)[2:] == [Event(0, 0, 3)]
    everything(bench, member, [0, 1])
    assert got(client) == [Event(0, 0, 5, 1), Event(1, 0, 1)]
    at(bench, 0.02, (0, 0), (0, 0))
    assert got(client) == [Event(0, 0, 6), Event(0, 0, 7)]
    assert not bench.hub.newest.active


def test_only_what_goes_over_goes_out_early() -> None:
    bench = HubBench()
    client = RecordingTransport()
    member = join(bench, client, [0, 1])
    at(bench, 0.0, (0, 0), (1, 0))
    at(bench, 0.01, (0, 0), (1, 0))
    got(client)
    rest = ((WINDOW, Interest().add([1], [0])),)
    bench.hub.subscribe(member, Interest().add([0], [0]), bench.now, rest)
    assert got(client) == [Event(0, 0, 2)]
    at(bench, 0.02, (0, 0))
    assert got(client) == [Event(0, 0, 3)]
    at(bench, 0.1)
    assert got(client) == [Event(1, 0, 2)]


def test_another_pace_counts_from_the_last_update() -> None:
    bench = HubBench()
    client = RecordingTransport()
    member = join(bench, client, [0], us=10_000_000)
    at(bench, 1.0, (0, 0))
    at(bench, 1.5, (0, 0), (0, 0))
    got(client)
    pace(bench, member, [0], us=1_000_000)
    at(bench, 1.99)
    assert client.writes == []
    at(bench, 2.0)
    assert got(client) == [Event(0, 0, 3, 1)]


def test_a_symbol_more_neither_loses_nor_hurries_the_others() -> None:
    bench = HubBench()
    client = RecordingTransport()
    member = join(bench, client, [0])
    at(bench, 0.0, (0, 0))
    at(bench, 0.05, (0, 0), (1, 0))
    got(client)
    pace(bench, member, [0, 1])
    at(bench, 0.06, (1, 0))
    assert client.writes == []
    at(bench, 0.1)
    assert got(client) == [Event(0, 0, 2), Event(1, 0, 2)]


def test_after_unsubscribing_nothing_comes_and_nothing_is_kept() -> None:
    bench = HubBench()
    client = RecordingTransport()
    member = join(bench, client, [0])
    at(bench, 0.0, (0, 0))
    at(bench, 0.01, (0, 0))
    got(client)
    bench.hub.subscribe(member, NOTHING, bench.now)
    at(bench, 5.0, (0, 0))
    assert client.writes == []
    assert not bench.hub.newest.active
    assert not bench.roster.wanted.any()
    assert not bench.roster.interested


# Beside others.


def test_those_that_get_everything_notice_nothing() -> None:
    bench = HubBench()
    client, other = RecordingTransport(), RecordingTransport()
    join(bench, client, [0], [1])
    bench.join(other, [0], [0])
    published = bench.turn((0, 0), (0, 1), (0, 0), (1, 0))
    assert got(other) == [e for e in published if e[:2] == (0, 0)]
    assert got(client) == [e for e in published if e[:2] == (0, 1)]


def test_without_anybody_paced_or_behind_nothing_is_kept_and_nothing_looked_at() -> None:
    bench = HubBench()
    bench.join(RecordingTransport(), [0])
    bench.turn((0, 0))
    assert not bench.hub.newest.active
    assert bench.hub.newest.events == {}


def test_who_leaves_in_the_middle_isnt_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feeds.fanout.hub.FLUSH_SLICE", 1)
    bench = HubBench()
    one, two = RecordingTransport(), RecordingTransport()
    members = [join(bench, t, [0]) for t in (one, two)]
    bench.publish((0, 0))
    for _ in bench.hub.flush(0.0):
        pass
    turn = bench.hub.pace(0.0)
    next(turn)
    assert len(got(one)) == 1
    bench.hub.leave(members[1])
    two.closed = True
    assert list(turn) in ([], [None])
    assert two.writes == []
    assert bench.roster.groups
    bench.hub.leave(members[0])
    assert not bench.roster.wanted.any()


def test_a_connection_that_breaks_is_let_go() -> None:
    bench = HubBench()
    broken, client = BrokenTransport(), RecordingTransport()
    join(bench, broken, [0])
    join(bench, client, [0])
    broken.snap()
    bench.turn((0, 0))
    assert broken.aborted
    assert len(got(client)) == 1
    assert [g.members for g in bench.roster.groups.values()] == [1]
    assert bench.roster.wanted.sum() == 1


def test_deliveries_and_merged_events_are_counted() -> None:
    bench = HubBench()
    join(bench, RecordingTransport(), [0, 1])
    at(bench, 0.0, (0, 0), (0, 0), (0, 0), (1, 0))
    assert bench.hub.deliveries() == 2
    assert bench.hub.stats.merged == 2


# Slow.


@pytest.mark.parametrize("slow", Slow)
def test_a_slow_one_gets_its_next_update_when_it_has_drained(slow: Slow) -> None:
    """Whatever is done for others that are slow: it had asked for the latest only."""
    bench = HubBench(slow=slow)
    client = StalledTransport()
    member = join(bench, client, range(SYMBOLS), range(CHANNELS))
    events = [(s, c) for c in range(CHANNELS) for s in range(SYMBOLS)]
    at(bench, 0.0, *events)
    at(bench, 1.0, *events)
    assert member in bench.slow.laggards
    client.take()
    for now in (2.0, 3.0):
        at(bench, now, *events)
        assert client.writes == []
    client.read(client.unread() - POLICY.low_water)
    at(bench, 3.1)
    assert got(client) == [Event(s, c, 4, 1) for s, c in events]
    assert bench.evicted == []


def test_a_slow_one_is_evicted_like_any_other() -> None:
    bench = HubBench()
    client = StalledTransport()
    join(bench, client, range(SYMBOLS), range(CHANNELS))
    events = [(s, c) for c in range(CHANNELS) for s in range(SYMBOLS)]
    for now in range(8):
        at(bench, float(now), *events)
    assert bench.evicted == [(client, Eviction.NO_PROGRESS)]
    assert not bench.roster.lanes
    assert not bench.hub.newest.active


def test_who_is_behind_can_change_its_mode() -> None:
    bench = HubBench()
    client = StalledTransport()
    member = bench.join(client, [0, 1])
    at(bench, 0.0, *[(0, 0)] * 20)
    at(bench, 0.1, (0, 0), (1, 0))
    pace(bench, member, [0, 1])
    at(bench, 0.2, (0, 0))
    everything(bench, member, [0])
    at(bench, 0.3, (0, 0))
    client.take()
    client.read()
    at(bench, 0.4)
    assert got(client) == [Event(0, 0, 23, 2)]


def test_what_waits_in_several_lanes_goes_out_whole_though_the_first_is_too_much_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is in the way of what comes next, a snapshot or all events, and mustn't be taken as sent when it wasn't."""
    monkeypatch.setattr(lanes_module, "LANE_SLOTS", 2)
    bench = HubBench(policy=replace(POLICY, soft_limit=30, low_water=20))
    client = StalledTransport()
    member = join(bench, client, range(SYMBOLS), range(CHANNELS))
    events = [(s, c) for c in range(CHANNELS) for s in range(SYMBOLS)]
    at(bench, 0.0)
    bench.publish(*events)
    everything(bench, member, range(SYMBOLS), range(CHANNELS))
    assert member in bench.slow.laggards
    assert got(client) == [Event(s, c, 1) for s, c in events]
    at(bench, 0.01, (0, 0), (0, 0))
    client.read()
    at(bench, 0.02)
    assert got(client) == [Event(0, 0, 3, 1)]
