"""
The hub: one encoded event to many subscribers.

An event is (symbol, channel, seq). The transports count, stall and break as told; nothing here waits for anything.
"""

from __future__ import annotations

import pytest
from doubles import BrokenTransport, Event, RecordingTransport, StalledTransport
from hub_bench import CHANNELS, SYMBOLS, HubBench, got

from feeds.fanout import boards as boards_module
from feeds.fanout import hub as hub_module
from feeds.fanout.group import Group
from feeds.fanout.interest import NOTHING, Interest
from feeds.fanout.roster import Roster
from feeds.wire.envelope import WEBSOCKET
from feeds.wire.frame import text_frame

# Fan-out.


def test_everybody_gets_what_they_subscribed_to_and_nothing_else() -> None:
    bench = HubBench()
    one, two, three, none = (RecordingTransport() for _ in range(4))
    bench.join(one, [0, 1], [0])
    bench.join(two, [1], [0, 1])
    bench.join(three, range(SYMBOLS), [1])
    bench.join(none)
    bench.turn((0, 0), (1, 1), (1, 0), (3, 1), (2, 2), (0, 0))
    assert got(one) == [Event(0, 0, 1), Event(0, 0, 2), Event(1, 0, 1)]
    assert got(two) == [Event(1, 1, 1), Event(1, 0, 1)]
    assert got(three) == [Event(1, 1, 1), Event(3, 1, 1)]
    assert got(none) == []


def test_a_turn_is_one_write_however_many_events() -> None:
    bench = HubBench()
    transport = RecordingTransport()
    bench.join(transport, [0, 2, 3], [0, 1])
    bench.turn(*[(i % SYMBOLS, i % 2) for i in range(400)])
    assert len(transport.writes) == 1
    assert bench.hub.stats.writes == 1


def test_those_with_one_interest_share_one_message() -> None:
    """The same object, not an equal one: it is put together once."""
    bench = HubBench()
    transports = [RecordingTransport() for _ in range(5)]
    for transport in transports:
        bench.join(transport, [0, 1])
    bench.turn((0, 0), (1, 0))
    assert len({id(t.writes[0]) for t in transports}) == 1
    assert len(bench.roster.groups) == 1


def test_a_turn_without_an_event_for_somebody_writes_nothing_to_them() -> None:
    bench = HubBench()
    transport = RecordingTransport()
    bench.join(transport, [0, 1])
    bench.turn((2, 0), (3, 0))
    bench.turn()
    assert transport.writes == []
    assert bench.hub.stats.writes == 0


def test_those_of_one_symbol_keep_their_order_whatever_else_is_wanted_on_each_channel() -> None:
    """A symbol's quote stays before its trade, where one is subscribed to other symbols' trades as well."""
    bench = HubBench()
    transport = RecordingTransport()
    member = bench.join(transport, [0, 1], [0])
    bench.hub.subscribe(member, Interest().add([0, 1], [0]).add([0, 2], [1]), bench.now)
    published = bench.turn((0, 1), (0, 0), (1, 0), (2, 1), (0, 1), (0, 0))
    events = got(transport)
    assert [e for e in events if e.symbol == 0] == [e for e in published if e.symbol == 0]
    assert sorted(events) == sorted(published)


@pytest.mark.parametrize(("most_boards", "most_parts"), [(3, 16), (100, 2)])
def test_where_too_many_sets_of_channels_are_wanted_each_channel_is_served_by_itself(
    most_boards: int, most_parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything still comes once, and there are no more boards than that, and one for each channel."""
    monkeypatch.setattr(boards_module, "MOST_BOARDS", most_boards)
    monkeypatch.setattr(boards_module, "MOST_PARTS", most_parts)
    bench = HubBench()
    wishes = ({0: [0], 1: [1], 2: [2]}, {0: [0, 1], 1: [1, 2], 2: [0, 2]}, {3: [0, 1, 2], 0: [1]})
    transports, members = [], []
    for wish in wishes:
        interest = Interest()
        for symbol, channels in wish.items():
            interest = interest.add([symbol], channels)
        transports.append(RecordingTransport())
        members.append(bench.join(transports[-1]))
        bench.hub.subscribe(members[-1], interest, bench.now)
    published = bench.turn(*((s, c) for s in range(SYMBOLS) for c in range(CHANNELS)))
    for wish, transport in zip(wishes, transports, strict=True):
        expected = [e for e in published if e.channel in wish.get(e.symbol, ())]
        assert sorted(got(transport)) == expected
    assert len(bench.roster.boards.by_channels) <= min(most_boards, 7) + CHANNELS
    for member in members:
        bench.hub.leave(member)
    assert bench.roster.boards.by_channels == {}


def test_a_plan_is_made_once_a_turn_however_many_stop_reading_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is linear in all there are, and would be made anew after each pause."""
    monkeypatch.setattr(hub_module, "FLUSH_SLICE", 1)
    made: list[int] = []
    make = Roster._make_plan
    monkeypatch.setattr(Roster, "_make_plan", lambda self, n: made.append(n) or make(self, n))
    bench = HubBench()
    for symbol in range(SYMBOLS):
        bench.join(StalledTransport(), [symbol, (symbol + 1) % SYMBOLS])
    bench.turn(*((symbol, 0) for symbol in range(SYMBOLS)))
    assert bench.hub.stats.writes == SYMBOLS
    assert made == [3, 2, 1, 0]


def test_the_list_of_a_group_is_made_once_a_turn_however_many_stop_reading_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the plan of a turn."""
    monkeypatch.setattr(hub_module, "FLUSH_SLICE", 1)
    asked: list[Group] = []
    flows = Group.flows
    monkeypatch.setattr(Group, "flows", lambda self: asked.append(self) or flows(self))
    bench = HubBench()
    for _ in range(10):
        bench.join(StalledTransport(), [0])
    asked.clear()
    bench.turn((0, 0))
    assert bench.hub.stats.writes == 10
    assert len(asked) <= 2, "for the plan, and for the message"


def test_what_nobody_wants_isnt_encoded() -> None:
    bench = HubBench()
    bench.join(RecordingTransport())
    bench.turn((0, 0), (1, 1))
    assert bench.dialect.encoded == 0
    member = bench.join(RecordingTransport(), [1], [0, 2])
    bench.turn((0, 0), (1, 0), (1, 1), (1, 2), (2, 0))
    assert bench.dialect.encoded == 2
    bench.hub.leave(member)
    bench.turn((1, 0))
    assert bench.dialect.encoded == 2


def test_the_sequence_goes_on_where_nobody_listens() -> None:
    """What isn't encoded counts: a later subscriber's snapshot tells the true number."""
    bench = HubBench()
    bench.turn((0, 0), (0, 0), (2, 1))
    assert bench.hub.seq.reshape(CHANNELS, SYMBOLS)[[0, 1], [0, 2]].tolist() == [2, 1]
    transport = RecordingTransport()
    bench.join(transport, [0])
    bench.turn((0, 0))
    assert got(transport) == [Event(0, 0, 3)]


def test_what_was_done_is_counted() -> None:
    bench = HubBench()
    transports = [RecordingTransport() for _ in range(3)]
    bench.join(transports[0], [0])
    bench.join(transports[1], [0])
    bench.join(transports[2], range(SYMBOLS), [0, 1])
    bench.turn((0, 0), (1, 1), (2, 2))
    stats = bench.hub.stats
    assert (stats.events, bench.hub.deliveries(), stats.writes) == (2, 4, 3)
    assert stats.bytes == sum(len(w) for t in transports for w in t.writes)


# Membership.


def test_a_group_ends_with_its_last_member() -> None:
    bench = HubBench()
    one = bench.join(RecordingTransport(), [0, 1])
    two = bench.join(RecordingTransport(), [0, 1])
    interest = Interest().add([0, 1], [0])
    assert bench.roster.groups[interest, WEBSOCKET, 0].members == 2
    assert bench.roster.wanted[:2].tolist() == [1, 1]
    bench.hub.leave(one)
    bench.hub.subscribe(two, NOTHING, 0.0)
    assert list(bench.roster.groups) == [(NOTHING, WEBSOCKET, 0)]
    assert not bench.roster.wanted.any()
    bench.hub.leave(two)
    assert bench.roster.groups == {}


def test_leaving_twice_is_leaving_once() -> None:
    bench = HubBench()
    member = bench.join(RecordingTransport(), [0])
    other = bench.join(RecordingTransport(), [0])
    bench.hub.leave(member)
    bench.hub.leave(member)
    assert other.group is not None
    assert other.group.members == 1
    assert bench.roster.wanted[0] == 1


def test_it_knows_whether_anybody_is_interested() -> None:
    bench = HubBench()
    assert not bench.roster.interested
    member = bench.join(RecordingTransport())
    assert not bench.roster.interested
    bench.hub.subscribe(member, Interest().add([0], [0]), 0.0)
    assert bench.roster.interested
    other = bench.join(RecordingTransport())
    bench.hub.leave(member)
    assert not bench.roster.interested
    bench.hub.leave(other)
    assert not bench.roster.interested


def test_subscribing_to_the_same_again_changes_nothing() -> None:
    bench = HubBench()
    member = bench.join(RecordingTransport(), [0, 1])
    group = member.group
    bench.hub.subscribe(member, Interest().add([1, 0], [0]), 9.0)
    assert member.group is group


# Broken connections.


@pytest.mark.parametrize("error", [RuntimeError("the handler is closed"), BrokenPipeError()])
def test_a_connection_that_breaks_is_let_go_and_the_others_get_everything(
    error: Exception,
) -> None:
    bench = HubBench()
    one, broken, two = RecordingTransport(), BrokenTransport(error), RecordingTransport()
    for transport in (one, broken, two):
        bench.join(transport, [0])
    published = bench.turn((0, 0))
    assert got(one) == got(two) == published
    assert [g.members for g in bench.roster.groups.values()] == [2]
    assert bench.evicted == []


def test_a_connection_that_breaks_at_a_heartbeat_is_let_go() -> None:
    bench = HubBench()
    broken, well = BrokenTransport(RuntimeError()), RecordingTransport()
    bench.join(broken)
    bench.join(well)
    bench.hub.beat(b"[]", now=10.0, silent_since=5.0)
    assert well.writes == [text_frame(b"[]")]
    assert [g.members for g in bench.roster.groups.values()] == [1]


# Heartbeats.


def test_a_beat_goes_to_the_groups_that_were_silent() -> None:
    bench = HubBench()
    busy, idle, none = RecordingTransport(), RecordingTransport(), RecordingTransport()
    bench.join(busy, [0])
    bench.join(idle, [1])
    bench.join(none)
    bench.now = 6.0
    bench.turn((0, 0))
    busy.take()
    bench.hub.beat(b"[]", now=7.0, silent_since=5.0)
    assert (busy.writes, idle.writes, none.writes) == ([], [text_frame(b"[]")], [text_frame(b"[]")])
    bench.hub.beat(b"[]", now=8.0, silent_since=6.5)
    assert (busy.writes, idle.writes, none.writes) == (
        [text_frame(b"[]")],
        [text_frame(b"[]")],
        [text_frame(b"[]")],
    )


# Pauses within a flush.


def test_a_flush_pauses_after_so_many_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "FLUSH_SLICE", 4)
    bench = HubBench()
    transports = [RecordingTransport() for _ in range(10)]
    for i, transport in enumerate(transports):
        bench.join(transport, [i % 2])
    bench.publish((0, 0), (1, 0))
    done = [sum(len(t.writes) for t in transports) for _ in bench.hub.flush(0.0)]
    assert len(done) >= 2
    assert all(b - a <= 2 * 4 for a, b in zip([0, *done], done, strict=False))
    assert all(len(t.writes) == 1 for t in transports)


def test_who_leaves_while_a_flush_pauses_is_written_to_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its close frame may be out already, and nothing may follow that."""
    monkeypatch.setattr(hub_module, "FLUSH_SLICE", 1)
    bench = HubBench()
    transports = [RecordingTransport() for _ in range(4)]
    members = [bench.join(t, [0]) for t in transports]
    bench.publish((0, 0))
    flush = bench.hub.flush(0.0)
    next(flush)
    bench.hub.leave(members[2])
    transports[2].closed = True
    for _ in flush:
        pass
    assert [len(t.writes) for t in transports] == [1, 1, 0, 1]


def test_when_the_last_of_a_group_leaves_while_a_flush_pauses_the_flush_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "FLUSH_SLICE", 1)
    bench = HubBench()
    one, two, three = RecordingTransport(), RecordingTransport(), RecordingTransport()
    bench.join(one, [0])
    gone = bench.join(two, [1])
    bench.join(three, [0, 1])
    bench.publish((0, 0), (1, 0))
    flush = bench.hub.flush(0.0)
    next(flush)
    bench.hub.leave(gone)
    for _ in flush:
        pass
    assert (len(got(one)), len(got(two)), len(got(three))) == (1, 0, 2)


def test_what_was_pending_for_who_leaves_is_not_counted_as_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether alone or one of many, and whether between the phases of a staggered turn or within one; it never gets less."""
    monkeypatch.setattr(hub_module, "FLUSH_SLICE", 1)
    for wishes in ([[0]] * 4, [[0, 1], [0], [0, 2], [0, 3]]):
        bench = HubBench()
        members = [bench.join(RecordingTransport(), wish) for wish in wishes]
        bench.publish((0, 0), (0, 0))
        flush = bench.hub.flush(0.0)
        next(flush)
        bench.hub.leave(members[3])
        bench.hub.leave(members[0])
        for _ in flush:
            pass
        assert bench.hub.deliveries() == 3 * 2
        bench.publish((0, 0))
        assert bench.hub.deliveries() == 8, "what is about to be written counts already"
        bench.hub.leave(members[1])
        assert bench.hub.deliveries() == 8
        bench.turn((0, 0))
        assert bench.hub.deliveries() == 8, "two, less the one that was counted and never written"
        bench.turn((0, 0))
        assert bench.hub.deliveries() == 9


def test_what_cant_be_written_is_not_counted_as_delivered() -> None:
    bench = HubBench()
    broken, fine = BrokenTransport(), RecordingTransport()
    for transport in (broken, fine):
        bench.join(transport, [0])
    broken.snap()
    bench.turn((0, 0), (0, 0))
    assert broken.aborted
    assert bench.hub.deliveries() == 2


def test_who_leaves_while_those_who_want_the_same_are_written_to_gets_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They have one message, though each has a subscription of its own."""
    monkeypatch.setattr(hub_module, "FLUSH_SLICE", 1)
    bench = HubBench()
    transports = [RecordingTransport() for _ in range(7)]
    wishes = ([0], [0, 1], [0, 2], [0, 3], [1], [2], [3])
    members = [bench.join(t, wish) for t, wish in zip(transports, wishes, strict=True)]
    bench.publish((0, 0))
    flush = bench.hub.flush(0.0)
    next(flush)
    bench.hub.leave(members[2])
    transports[2].closed = True
    for _ in flush:
        pass
    assert [len(t.writes) for t in transports] == [1, 1, 0, 1, 0, 0, 0]
    assert transports[0].writes == transports[3].writes
