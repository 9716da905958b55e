"""The hub against a model that is too simple to be wrong."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from doubles import Event, FaultyTransport
from hub_bench import CHANNELS, SYMBOLS, HubBench, got
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from feeds.fanout import hub as hub_module
from feeds.fanout.group import Member
from feeds.fanout.interest import Interest
from feeds.fanout.roster import PHASES
from feeds.wire.backlog import BacklogPolicy, Eviction
from feeds.wire.envelope import ArrayInWebSocket


class Expected:
    """What one member must have, according to the protocol's document alone."""

    def __init__(self, transport: FaultyTransport, member: Member) -> None:
        self.transport = transport
        self.member = member
        self.wants: set[tuple[int, int]] = set()
        self.last: dict[tuple[int, int], int] = {}
        """The newest sequence that it knows of each."""
        self.behind = False
        """Whether it is conflated."""
        self.due: list[Event] = []
        """What was published for it since it was written to."""
        self.here = True


ALL = [(s, c) for c in range(CHANNELS) for s in range(SYMBOLS)]
pairs = st.one_of(st.just(set(ALL)), st.sets(st.sampled_from(ALL)))
# A few of them often, so that connections meet in groups and come back to what they had.
symbol_sets = st.one_of(
    st.just(set(range(SYMBOLS))), st.just({0, 1}), st.sets(st.integers(0, SYMBOLS - 1))
)
channel_sets = st.one_of(
    st.just({0, 1}), st.just({0}), st.sets(st.integers(0, CHANNELS - 1), min_size=1)
)
event_lists = st.lists(st.sampled_from(ALL), max_size=20)
ends = st.sampled_from(["leaves between turns", "leaves within a turn", "breaks"])


class HubAgainstModel(RuleBasedStateMachine):
    """
    Connections come, go, subscribe, stall, read and break between turns, and leave within them.

    After each turn in which it is written to, each connection has exactly the events that it wants, or, while it is behind,
    none; and once it has caught up, the newest of each with the number that it missed. Before its wishes change, and before
    it is told how things stand, it has them too. The hub's tables are what the members' wishes imply.
    """

    members: Bundle[Expected] = Bundle("members")

    @initialize(
        target=members,
        slice_=st.integers(1, 2),
        soft=st.sampled_from([30, 60]),
    )
    def begin(self, slice_: int, soft: int) -> Any:
        self.before = hub_module.FLUSH_SLICE
        hub_module.FLUSH_SLICE = slice_
        self.policy = BacklogPolicy(
            soft_limit=soft, low_water=20, hard_limit=2_000, no_progress_s=50.0
        )
        self.bench = HubBench(policy=self.policy)
        self.all: list[Expected] = []
        self.transports: list[FaultyTransport] = []
        self.received = 0
        return multiple(*(self.join({0, 1}, {0, 1}, stalled=i == 1) for i in range(4)))

    def teardown(self) -> None:
        if hasattr(self, "before"):
            hub_module.FLUSH_SLICE = self.before

    # Between turns.

    @rule(
        target=members,
        symbols=symbol_sets,
        channels=channel_sets,
        stalled=st.booleans(),
        room=st.sampled_from([0, 0, 1, 25]),
    )
    def join(self, symbols: set[int], channels: set[int], stalled: bool, room: int = 0) -> Expected:
        transport = FaultyTransport(room)
        transport.stalled = stalled
        who = Expected(transport, self.bench.join(transport))
        self.all.append(who)
        self.transports.append(transport)
        self.change(who, {(s, c) for s in symbols for c in channels})
        return who

    @rule(who=members, symbols=symbol_sets, channels=channel_sets, more=st.booleans())
    def subscribe(self, who: Expected, symbols: set[int], channels: set[int], more: bool) -> None:
        change = {(s, c) for s in symbols for c in channels}
        self.change(who, who.wants | change if more else who.wants - change)

    @rule(who=members, told=pairs)
    def snapshot(self, who: Expected, told: set[tuple[int, int]]) -> None:
        if not who.here:
            return
        slots = np.array([c * SYMBOLS + s for s, c in told], dtype=np.int64)
        self.bench.hub.snapshotted(who.member, slots, self.bench.now)
        self.settled(who)
        who.last |= {pair: self.bench.seq[pair] for pair in told & who.wants}

    @rule(who=members, size=st.integers(0, 60) | st.none(), goes_on=st.booleans())
    def read(self, who: Expected, size: int | None, goes_on: bool) -> None:
        who.transport.read(size)
        who.transport.stalled = not goes_on

    @rule(by=st.floats(0, 30))
    def wait(self, by: float) -> None:
        self.bench.now += by

    # Turns.

    @rule(events=event_lists)
    def turn(self, events: list[tuple[int, int]]) -> None:
        self.flushed(events)

    @rule(events=event_lists, phase=st.integers(0, PHASES - 1))
    def staggered_turn(self, events: list[tuple[int, int]], phase: int) -> None:
        self.flushed(events, phase=phase)

    @rule()
    def spread(self) -> None:
        self.flushed([])
        self.bench.roster.spread()
        sizes = self.bench.roster.sizes()
        live = [w for w in self.all if w.wants and w.member not in self.bench.slow.laggards]
        assert sum(sizes) == len(live)

    @rule(events=event_lists, reader=members, asked=st.booleans())
    def turn_after_somebody_read_everything(
        self, events: list[tuple[int, int]], reader: Expected, asked: bool
    ) -> None:
        if asked:
            self.snapshot(reader, set(ALL))
        reader.transport.read()
        self.flushed(events)

    @rule(who=consumes(members), how=ends, events=event_lists, pauses=st.integers(0, 4))
    def end(self, who: Expected, how: str, events: list[tuple[int, int]], pauses: int) -> None:
        if how == "breaks":
            who.transport.snap()
        elif how == "leaves between turns":
            self.gone(who)
        else:
            self.flushed(events, who, pauses)

    def flushed(
        self,
        events: list[tuple[int, int]],
        leaver: Expected | None = None,
        pauses: int = 0,
        phase: int | None = None,
    ) -> None:
        published = self.bench.publish(*events)
        for who in self.all:
            if not who.behind:
                who.due += [e for e in published if (e.symbol, e.channel) in who.wants]
        passed_over = [w for w in self.all if self.passed_over(w, phase)]
        flush = self.bench.hub.flush(self.bench.now, phase)
        for pause, _ in enumerate(flush):
            if leaver is not None and pause == pauses:
                self.gone(leaver)
                leaver = None
        if leaver is not None:
            self.gone(leaver)
        self.bench.tend()
        for who in self.all:
            if who in passed_over and who.here:
                assert self.taken(who) == []
            elif who.here:
                self.check(who, who.due)
                who.due = []
        self.all = [w for w in self.all if w.here]
        assert self.bench.slow.laggards or not self.bench.hub.newest.active

    @staticmethod
    def passed_over(who: Expected, phase: int | None) -> bool:
        """Tell whether a member is live, and not written to in a phase."""
        group = who.member.group
        return phase is not None and not who.behind and group is not None and group.phase != phase

    def settled(self, who: Expected) -> None:
        """Check that a member has all that was published, as it must before it is told anything else."""
        if not who.behind:
            self.check(who, who.due)
            who.due = []
        self.all = [w for w in self.all if w.here]

    def check(self, who: Expected, mine: list[Event]) -> None:
        """Compare what a member got in a turn with what there was for it."""
        transport, slow = who.transport, self.bench.slow
        events = self.taken(who)
        if who.member.group is None:
            who.here = False
            self.check_end(who, events)
        elif not who.behind:
            assert Counter(events) == Counter(mine), "everything, once"
            self.follow(who, events, merged=False)
            who.behind = who.member in slow.laggards
            unread = transport.unread()
            assert not who.behind or (mine and unread > self.policy.soft_limit)
            most = self.policy.soft_limit + self.policy.low_water + 40  # what catching up may leave
            assert who.behind or unread <= most
        else:
            assert len({e[:2] for e in events}) == len(events), "each symbol and channel once"
            self.follow(who, events, merged=True)
            missing = any(who.last[pair] != self.bench.seq[pair] for pair in who.wants)
            drained = bool(events) or transport.unread() <= self.policy.low_water
            assert drained or not events, "nothing while it is over the low-water mark"
            assert events or not (drained and missing)
            who.behind = not drained or missing
        assert (who.member in slow.laggards) == (who.here and who.behind)

    def check_end(self, who: Expected, events: list[Event]) -> None:
        if who.transport.error is not None:
            assert who.transport.aborted
            assert events == []
        else:
            assert who.transport.aborted, "let go for nothing"
            why = dict(self.bench.evicted)[who.transport]
            assert (why is Eviction.HARD_LIMIT) == (who.transport.unread() > 2_000)
            assert who.transport.unread() > self.policy.low_water

    def follow(self, who: Expected, events: list[Event], *, merged: bool) -> None:
        for event in events:
            pair = (event.symbol, event.channel)
            assert pair in who.wants
            assert event.seq == who.last[pair] + 1 + event.merged
            if merged:
                assert event.seq == self.bench.seq[pair], "the newest"
            else:
                assert event.merged == 0
            who.last[pair] = event.seq
        if not merged:
            assert all(who.last[pair] == self.bench.seq[pair] for pair in who.wants)

    # Helpers.

    def change(self, who: Expected, wants: set[tuple[int, int]]) -> None:
        if not who.here:
            return
        interest = Interest()
        for symbol, channel in sorted(wants):
            interest = interest.add([symbol], [channel])
        self.bench.hub.subscribe(who.member, interest, self.bench.now)
        self.settled(who)
        if not who.here:
            return
        who.last = {pair: who.last.get(pair, self.bench.seq[pair]) for pair in wants}
        who.wants = wants

    def taken(self, who: Expected) -> list[Event]:
        """Give what was written to a member since the last time."""
        events = got(who.transport)
        self.received += len(events)
        return events

    def gone(self, who: Expected) -> None:
        self.bench.hub.leave(who.member)
        self.taken(who)
        who.here = False
        who.transport.closed = True

    # What always holds.

    @invariant()
    def nobody_is_written_to_after_leaving(self) -> None:
        if hasattr(self, "bench"):
            assert all(t.late == 0 for t in self.transports)

    @invariant()
    def tables_are_what_the_members_imply(self) -> None:
        if not hasattr(self, "bench"):
            return
        hub, roster, slow = self.bench.hub, self.bench.roster, self.bench.slow
        here = [w for w in self.all if w.here]
        by_wish = Counter((frozenset(w.wants), phase_of(w)) for w in here)
        groups = {
            (frozenset((s, c) for c, symbols in i.channels for s in symbols), phase): g.members
            for (i, _, phase), g in roster.groups.items()
        }
        assert groups == by_wish
        wanted = np.zeros((CHANNELS, SYMBOLS), dtype=int)
        audience = np.zeros((CHANNELS, SYMBOLS), dtype=int)
        for wish, _ in by_wish:
            for symbol, channel in wish:
                wanted[channel, symbol] += 1
        for who in here:
            for symbol, channel in who.wants:
                audience[channel, symbol] += who.member not in slow.laggards
        assert roster.wanted.tolist() == wanted.ravel().tolist()
        assert roster.deliveries.members.tolist() == audience.ravel().tolist()
        assert set(slow.laggards) <= {w.member for w in here}
        assert roster.interested == any(wish for wish, _ in by_wish)
        assert {
            (channels, phase) for channels, b in roster.boards.by_channels.items() for phase in b
        } == {(channels, phase) for i, _, phase in roster.groups for channels, _ in i.parts()}
        assert hub.seq.tolist() == [
            self.bench.seq[s, c] for c in range(CHANNELS) for s in range(SYMBOLS)
        ]

    @invariant()
    def deliveries_are_what_was_written_and_will_be(self) -> None:
        """Not what was pending for somebody who left before."""
        if hasattr(self, "bench"):
            hub, groups = self.bench.hub, self.bench.roster.groups.values()
            told = hub.deliveries()
            counted = hub.roster.deliveries._deliveries + hub.stats.caught_up
            pending = sum(group.pending() * len(group.live) for group in groups)
            assert counted == self.received + pending, (counted, self.received, pending)
            assert told >= counted

    @invariant()
    def nothing_is_kept_of_a_turn(self) -> None:
        """All that was pending went out, or went with who wanted it, but for the phases that are yet to come."""
        if hasattr(self, "bench"):
            roster = self.bench.roster
            groups = [g for g in roster.groups.values() if roster.settled(g)]
            assert not any(ArrayInWebSocket.seal(g.take()) for g in groups)


def phase_of(who: Expected) -> int:
    assert who.member.group is not None
    return who.member.group.phase


TestHubAgainstModel = HubAgainstModel.TestCase
TestHubAgainstModel.settings = settings(max_examples=150, stateful_step_count=40)
