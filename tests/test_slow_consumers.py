"""
Slow consumers in the hub: conflated, caught up, evicted; or, where nobody is conflated, waited for.

An event is (symbol, channel, seq, merged). The transports stall and read as told; nothing here waits for anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import orjson
from doubles import Event, FaultyTransport, RecordingTransport, StalledTransport
from hub_bench import CHANNELS, POLICY, SYMBOLS, HubBench, got

from feeds.fanout.interest import NOTHING, Interest
from feeds.wire.backlog import BacklogPolicy, Eviction, Slow, State
from feeds.wire.frame import text_frame

EVERYTHING = [(s, c) for c in range(CHANNELS) for s in range(SYMBOLS)]


# Conflated.


def test_who_doesnt_read_is_conflated_and_nobody_else_notices() -> None:
    bench = HubBench()
    slow, quick = StalledTransport(), RecordingTransport()
    member = bench.join(slow, [0, 1])
    bench.join(quick, [0, 1])
    for _ in range(10):
        bench.turn(*[(0, 0)] * 5, (1, 0))
        assert len(got(quick)) == 6
    assert member in bench.slow.laggards
    assert len(slow.writes) == 2, "two turns to pass the soft limit, and nothing after that"
    assert slow.unread() < POLICY.soft_limit + 100


def test_who_has_drained_gets_the_newest_of_each_and_is_live_again() -> None:
    bench = HubBench()
    slow = StalledTransport()
    member = bench.join(slow, range(SYMBOLS))
    bench.turn(*[(s, 0) for s in range(SYMBOLS)] * 4)
    assert member.backlog.state is State.CONFLATING
    bench.turn((0, 0), (1, 0))
    bench.turn((0, 0))
    got(slow)
    slow.read(slow.unread() - POLICY.low_water)
    bench.turn((3, 0))
    assert got(slow) == [Event(0, 0, 6, 1), Event(1, 0, 5), Event(3, 0, 5)]
    assert member not in bench.slow.laggards
    assert bench.hub.stats.merged == 1
    slow.stalled = False
    slow.read()
    bench.turn((0, 0), (2, 0))
    assert got(slow) == [Event(0, 0, 7), Event(2, 0, 5)]


def test_a_byte_over_the_low_water_mark_is_not_drained() -> None:
    bench = HubBench()
    slow = StalledTransport()
    bench.join(slow, [0])
    bench.turn(*[(0, 0)] * 20)
    got(slow)
    slow.read(slow.unread() - POLICY.low_water - 1)
    bench.turn((0, 0))
    assert slow.writes == []


def test_who_has_missed_nothing_is_live_again_without_a_message() -> None:
    bench = HubBench()
    slow = StalledTransport()
    member = bench.join(slow, [0])
    bench.turn(*[(0, 0)] * 20)
    got(slow)
    slow.read()
    bench.turn((1, 0))
    assert slow.writes == []
    assert member.backlog.state is State.LIVE
    assert member not in bench.slow.laggards


def test_a_long_catching_up_is_cut_and_goes_on_in_the_next_turn() -> None:
    """At about the soft limit a message, so that catching up can't itself run over the limits."""
    policy = BacklogPolicy(soft_limit=25, low_water=0, hard_limit=1_000)
    bench = HubBench(policy=policy)
    slow = StalledTransport()
    member = bench.join(slow, range(SYMBOLS), range(CHANNELS))
    bench.turn(*EVERYTHING)
    got(slow)
    bench.turn(*EVERYTHING)
    seen: list[Event] = []
    for _ in range(6):
        slow.read()
        assert member in bench.slow.laggards
        bench.turn()
        (message,) = slow.writes
        assert len(message) < 60
        seen += got(slow)
        if member not in bench.slow.laggards:
            break
    assert seen == [Event(s, c, 2) for s, c in EVERYTHING]
    assert member.backlog.state is State.LIVE


def test_the_rest_of_a_long_catching_up_waits_until_the_first_part_was_read() -> None:
    """Down to the low-water mark: below the soft limit isn't enough."""
    policy = BacklogPolicy(soft_limit=40, low_water=5, hard_limit=1_000)
    bench = HubBench(policy=policy)
    slow = StalledTransport()
    bench.join(slow, range(SYMBOLS), range(CHANNELS))
    bench.turn(*EVERYTHING)
    bench.turn(*EVERYTHING)
    slow.read()
    bench.turn()
    got(slow)
    slow.read(slow.unread() - 6)
    bench.turn()
    assert slow.writes == []
    slow.read(1)
    bench.turn()
    assert got(slow) != []


def test_nobody_waits_for_ever_where_more_is_published_than_catching_up_can_send() -> None:
    """However much is published, a client that reads everything gets every symbol and channel again and again."""
    policy = BacklogPolicy(soft_limit=25, low_water=0, hard_limit=1_000)
    bench = HubBench(policy=policy)
    slow = StalledTransport()
    bench.join(slow, range(SYMBOLS), range(CHANNELS))
    bench.turn(*EVERYTHING)
    got(slow)
    seen: Counter[tuple[int, int]] = Counter()
    for _ in range(24):
        slow.read()
        bench.turn(*EVERYTHING)
        seen.update((e.symbol, e.channel) for e in got(slow))
    assert seen.keys() == set(EVERYTHING)
    assert min(seen.values()) > 1


def test_without_progress_it_is_evicted_and_its_memory_is_gone() -> None:
    bench = HubBench()
    slow, quick = StalledTransport(), RecordingTransport()
    bench.join(slow, [0])
    bench.join(quick, [0])
    bench.turn(*[(0, 0)] * 20)
    for bench.now in (1.0, 4.9):
        bench.turn((0, 0))
        assert not slow.aborted
    bench.now = 5.0
    bench.turn()
    assert slow.aborted
    assert bench.evicted == [(slow, Eviction.NO_PROGRESS)]
    assert bench.hub.stats.evicted == dict.fromkeys(Eviction, 0) | {Eviction.NO_PROGRESS: 1}
    assert not bench.slow.laggards
    assert [g.members for g in bench.roster.groups.values()] == [1]
    bench.turn((0, 0))
    assert len(got(quick)) == 23
    assert slow.late == 0


def test_over_the_hard_limit_it_is_evicted_at_once() -> None:
    bench = HubBench()
    slow = StalledTransport()
    bench.join(slow, [0])
    bench.turn(*[(0, 0)] * 200)
    assert slow.aborted
    assert bench.evicted == [(slow, Eviction.HARD_LIMIT)]
    assert bench.roster.groups == {}


def test_who_is_conflated_may_subscribe_and_the_rule_holds() -> None:
    """Old symbols keep their place, new ones follow their snapshots, those given up are forgotten."""
    bench = HubBench()
    slow = StalledTransport()
    member = bench.join(slow, [0, 1])
    bench.turn(*[(0, 0)] * 20)
    bench.turn((0, 0), (0, 0), (1, 0), (2, 0))
    bench.hub.subscribe(member, Interest().add([0, 2], [0]), 0.0)
    bench.turn((0, 0), (1, 0), (2, 0), (2, 0))
    got(slow)
    slow.read()
    bench.turn()
    assert got(slow) == [Event(0, 0, 23, 2), Event(2, 0, 3, 1)]


def test_a_snapshot_sent_to_who_is_conflated_isnt_followed_by_what_it_told() -> None:
    bench = HubBench()
    slow = StalledTransport()
    member = bench.join(slow, [0, 1])
    bench.turn(*[(0, 0)] * 20)
    bench.turn((0, 0), (1, 0))
    bench.hub.snapshotted(member, np.array([0]), bench.now)
    bench.turn((0, 0))
    got(slow)
    slow.read()
    bench.turn()
    assert got(slow) == [Event(0, 0, 22), Event(1, 0, 1)]


def test_a_snapshot_sent_to_who_is_live_changes_nothing() -> None:
    bench = HubBench()
    transport = RecordingTransport()
    member = bench.join(transport, [0])
    bench.hub.snapshotted(member, np.array([0]), bench.now)
    bench.turn((0, 0))
    assert got(transport) == [Event(0, 0, 1)]


def test_who_is_conflated_may_unsubscribe_from_everything() -> None:
    bench = HubBench()
    slow = StalledTransport()
    member = bench.join(slow, [0])
    bench.turn(*[(0, 0)] * 20)
    bench.hub.subscribe(member, NOTHING, 0.0)
    bench.turn((0, 0))
    got(slow)
    slow.read()
    bench.turn((0, 0))
    assert slow.writes == []
    assert not bench.slow.laggards


def test_who_is_conflated_may_leave() -> None:
    bench = HubBench()
    slow = StalledTransport()
    member = bench.join(slow, [0])
    bench.turn(*[(0, 0)] * 20)
    bench.hub.leave(member)
    slow.closed = True
    slow.read()
    bench.turn((0, 0))
    assert slow.late == 0
    assert bench.roster.groups == {}


def test_who_changes_its_interest_all_the_time_is_noticed_too() -> None:
    """It brings its backlog along to each group that it comes to."""
    bench = HubBench(policy=BacklogPolicy(soft_limit=100, low_water=20))
    slow = StalledTransport()
    member = bench.join(slow)
    for turn in range(30):
        bench.hub.subscribe(member, Interest().add([turn % 2], [0]), 0.0)
        bench.turn((0, 0), (1, 0))
    assert list(bench.slow.laggards) == [member]
    assert slow.unread() < 200


def test_what_the_kernel_takes_a_part_of_arrives_whole_and_in_order() -> None:
    """The rest goes to the transport, and so does what follows, until that has drained."""
    bench = HubBench()
    slow = StalledTransport(room=7)
    member = bench.join(slow, [0, 1])
    published = bench.turn((0, 0), (1, 0))
    assert not member.flowing
    assert [len(w) for w in slow.writes] == [7, slow.unread()]
    published += bench.turn((0, 0))
    assert got(slow) == published
    slow.read()
    slow.stalled = False
    published = bench.turn((1, 0))
    assert member.flowing
    assert got(slow) == published


def test_a_reply_goes_behind_what_is_unread() -> None:
    bench = HubBench()
    slow = StalledTransport(room=3)
    member = bench.join(slow, [0])
    bench.turn((0, 0))
    bench.hub.reply(member, b"reply", bench.now)
    assert slow.writes[-1] == text_frame(b"reply")
    assert slow.unread() == sum(map(len, slow.writes)) - 3
    slow.read()
    bench.hub.control(member, b"another", bench.now)
    assert slow.writes[-2:] == [b"ano", b"ther"]


def test_newest_events_are_kept_only_while_somebody_is_behind() -> None:
    bench = HubBench()
    slow = StalledTransport()
    bench.join(slow, [0, 1])
    bench.turn((0, 0), (1, 0))
    assert bench.hub.newest.events == {}
    bench.turn(*[(0, 0)] * 20)
    bench.turn((1, 0))
    assert bench.hub.newest.events == {1: b"[1,0,2],"}
    slow.read()
    bench.turn()
    assert bench.hub.newest.events == {}


def test_a_conflated_connection_that_breaks_is_let_go() -> None:
    """It isn't in the loop of the live ones, but it is written to when it has drained."""
    bench = HubBench()
    broken, quick = FaultyTransport(), RecordingTransport()
    broken.stalled = True
    bench.join(broken, [0])
    bench.join(quick, [0])
    bench.turn(*[(0, 0)] * 20)
    assert bench.slow.laggards
    broken.snap()
    bench.turn((0, 0))
    bench.turn((0, 0))
    assert len(got(quick)) == 22
    assert not bench.slow.laggards
    assert [g.members for g in bench.roster.groups.values()] == [1]


# Behind for too long.


def test_who_reads_but_never_drains_is_evicted_after_the_soft_seconds() -> None:
    bench = HubBench(policy=replace(POLICY, soft_seconds=3.0))
    slow = StalledTransport()
    bench.join(slow, [0])
    bench.turn(*[(0, 0)] * 20)
    for bench.now in (1.0, 2.0, 2.9):
        slow.read(1)
        bench.turn((0, 0))
        assert not slow.aborted
    slow.read(1)
    bench.now = 3.0
    bench.turn()
    assert slow.aborted
    assert bench.evicted == [(slow, Eviction.TOO_LONG)]
    assert bench.hub.stats.evicted[Eviction.TOO_LONG] == 1
    assert not bench.hub.newest.active, "nothing is kept for it any more"


def test_who_drains_now_and_then_stays() -> None:
    bench = HubBench(policy=replace(POLICY, soft_seconds=3.0))
    slow = StalledTransport()
    bench.join(slow, [0])
    for bench.now in map(float, range(0, 20, 2)):
        bench.turn(*[(0, 0)] * 20)
        slow.read()
        bench.turn((0, 0))
    assert not slow.aborted


# Dropped.


class FakeSnapshots:
    """Writes a snapshot as ``[symbol]`` and a gap as ``[symbol,channel,first,last]``."""

    def snapshots(self, symbols: Iterable[int], channels: Iterable[int]) -> list[bytes]:
        assert {0, 1, 2} <= set(channels) or not set(channels)
        return [b"[%d]" % symbol for symbol in symbols]

    def gap(self, symbol: int, channel: int, first: int, last: int) -> bytes:
        return b"[%d,%d,%d,%d]" % (symbol, channel, first, last)


def dropped(transport: RecordingTransport) -> list[list[int]]:
    return [item for text in transport.take() for item in orjson.loads(text)]


def test_who_drops_says_what_is_missing_and_where_things_stand() -> None:
    bench = HubBench(
        slow=Slow.DROP, policy=replace(POLICY, soft_limit=400), snapshots=FakeSnapshots()
    )
    slow = StalledTransport()
    member = bench.join(slow, [0, 1], [0, 1])
    bench.turn(*[(0, 0)] * 60)
    bench.turn((0, 0), (1, 1), (0, 0), (2, 0), (1, 0))
    slow.take()
    slow.read()
    bench.turn((0, 1))
    told = dropped(slow)
    assert told == [[0, 0, 61, 62], [1, 0, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1], [0], [1]]
    assert bench.hub.stats.skipped == 5
    assert bench.hub.stats.merged == 0
    assert member not in bench.slow.laggards
    slow.stalled = False
    slow.read()
    assert bench.turn((0, 0)) == got(slow)


def test_who_drops_says_nothing_where_nothing_is_missing() -> None:
    bench = HubBench(slow=Slow.DROP, snapshots=FakeSnapshots())
    slow = StalledTransport()
    bench.join(slow, [0])
    bench.turn(*[(0, 0)] * 20)
    slow.take()
    slow.read()
    bench.turn((1, 0))
    assert slow.writes == []
    assert not bench.slow.laggards


def test_a_long_telling_is_cut_and_no_symbol_waits_for_ever() -> None:
    policy = replace(POLICY, soft_limit=30, low_water=0)
    bench = HubBench(slow=Slow.DROP, policy=policy, snapshots=FakeSnapshots())
    slow = StalledTransport()
    bench.join(slow, range(SYMBOLS))
    everything = [(s, 0) for s in range(SYMBOLS)]
    bench.turn(*everything * 2)
    slow.take()
    order = []
    for _ in range(2 * SYMBOLS):
        slow.read()
        bench.turn(*everything)
        gap, snapshot = dropped(slow)
        assert [gap[0]] == snapshot, "one symbol at a time, with this soft limit"
        order += snapshot
    assert order == [*range(SYMBOLS)] * 2


# Disconnected.


def test_who_disconnects_evicts_when_there_is_something_to_miss() -> None:
    bench = HubBench(slow=Slow.DISCONNECT)
    slow, quick = StalledTransport(), RecordingTransport()
    bench.join(slow, [0])
    bench.join(quick, [0])
    bench.turn(*[(0, 0)] * 20)
    bench.turn((1, 0))
    assert not slow.aborted, "it has missed nothing yet"
    bench.turn((0, 0))
    assert slow.aborted
    assert bench.evicted == [(slow, Eviction.SLOW)]
    assert len(got(quick)) == 21
    assert bench.hub.stats.merged == 0


def test_who_has_read_in_time_isnt_disconnected() -> None:
    bench = HubBench(slow=Slow.DISCONNECT)
    slow = StalledTransport()
    bench.join(slow, [0])
    published = bench.turn(*[(0, 0)] * 20)
    slow.read()
    bench.turn()
    published += bench.turn((0, 0))
    assert got(slow) == published
    assert not slow.aborted


# Silent.


def test_a_beat_isnt_added_to_the_backlog_of_who_doesnt_read() -> None:
    bench = HubBench()
    slow = StalledTransport()
    bench.join(slow, [0])
    bench.turn(*[(0, 0)] * 20)
    before = slow.unread()
    bench.hub.beat(b"[]", now=60.0, silent_since=50.0)
    assert slow.unread() == before


def test_who_is_subscribed_to_nothing_and_never_reads_is_bounded_too() -> None:
    """Beats are all that it gets; over the soft limit it gets no more, and in the end it is evicted."""
    bench = HubBench()
    slow = StalledTransport()
    bench.join(slow)
    for bench.now in map(float, range(1, 1_000)):
        bench.hub.beat(b"[]", now=bench.now, silent_since=bench.now - 0.5)
        bench.turn()
    assert slow.aborted
    assert slow.unread() <= POLICY.soft_limit + len(text_frame(b"[]"))


# As fast as drained.


def test_without_conflation_the_congested_are_named_until_they_have_read() -> None:
    bench = HubBench(slow=None)
    slow = StalledTransport()
    member = bench.join(slow, [0])
    assert bench.slow.relieved(0.0)
    published = bench.turn(*[(0, 0)] * 20)
    assert list(bench.slow.congested) == [member]
    assert not bench.slow.relieved(1.0)
    slow.read(slow.unread() - POLICY.low_water - 1)
    assert not bench.slow.relieved(2.0)
    slow.read(1)
    assert bench.slow.relieved(3.0)
    slow.read()
    published += bench.turn((0, 0))
    assert got(slow) == published, "everything, and nothing merged"


def test_without_conflation_who_never_reads_is_evicted_all_the_same() -> None:
    bench = HubBench(slow=None)
    slow = StalledTransport()
    bench.join(slow, [0])
    bench.turn(*[(0, 0)] * 20)
    assert not bench.slow.relieved(0.0)
    assert not bench.slow.relieved(4.9)
    assert bench.slow.relieved(5.0)
    assert bench.evicted == [(slow, Eviction.NO_PROGRESS)]


def test_without_conflation_who_leaves_holds_up_nobody() -> None:
    bench = HubBench(slow=None)
    slow = StalledTransport()
    member = bench.join(slow, [0])
    bench.turn(*[(0, 0)] * 20)
    bench.hub.leave(member)
    assert bench.slow.relieved(0.0)


# What it costs.


def test_whoever_falls_behind_has_marks_of_two_bytes_a_slot() -> None:
    """However far the market is, and although each falls behind at another moment; the base is everybody's."""
    bench = HubBench()
    for _ in range(70):
        bench.turn(*[(0, 0)] * 1_000)
    clients = [StalledTransport() for _ in range(20)]
    members = []
    for client in clients:
        members.append(bench.join(client, range(SYMBOLS)))
        bench.turn(*[(s, 0) for s in range(SYMBOLS)] * 4)
        assert members[-1] in bench.slow.laggards
    laggards = [member.laggard for member in members]
    assert len({id(laggard._base) for laggard in laggards if laggard is not None}) == 1
    assert all(x is not None and x._above.nbytes == 2 * SYMBOLS for x in laggards)
    for client in clients:
        client.stalled = False
        client.read()
        got(client)
    bench.turn((0, 0))
    for n, client in enumerate(clients):
        events = got(client)
        missed = 4 * (len(clients) - 1 - n)
        expected = [Event(0, 0, bench.seq[0, 0], missed)]
        if missed:
            expected += [Event(s, 0, bench.seq[s, 0], missed - 1) for s in range(1, SYMBOLS)]
        assert events == expected
    assert not bench.slow.laggards
    assert not len(bench.slow._base), "nothing is kept when nobody is behind"


def test_whoever_falls_behind_much_later_is_counted_from_there() -> None:
    bench = HubBench()
    early, late = StalledTransport(), StalledTransport()
    one = bench.join(early, [0])
    bench.turn(*[(0, 0)] * 20)
    for _ in range(33):
        bench.turn(*[(0, 0)] * 1_000)
    two = bench.join(late, [0])
    bench.turn(*[(0, 0)] * 20)
    assert one.laggard is not None
    assert two.laggard is not None
    assert one.laggard._base is not two.laggard._base
    assert two.laggard._above.itemsize == 2
    for transport, missed in ((early, 33_020), (late, 1)):
        transport.stalled = False
        transport.read()
        got(transport)
        bench.turn((0, 0))
        assert got(transport)[0].merged == missed


def test_members_of_a_group_that_fall_behind_in_one_turn_share_their_marks() -> None:
    bench = HubBench()
    members = [bench.join(StalledTransport(), range(SYMBOLS)) for _ in range(3)]
    bench.turn(*[(s, 0) for s in range(SYMBOLS)] * 4)
    rows = {id(m.laggard._above) for m in members if m.laggard is not None}
    assert len(rows) == 1
    assert len(bench.slow.laggards) == 3
