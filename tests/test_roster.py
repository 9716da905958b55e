"""The roster: what the tables say follows from who is there and what they want."""

from __future__ import annotations

import numpy as np
from doubles import RecordingTransport

from feeds.fanout.group import Member
from feeds.fanout.interest import NOTHING, Interest
from feeds.fanout.roster import Roster
from feeds.wire.backlog import BacklogPolicy
from feeds.wire.envelope import WEBSOCKET

SYMBOLS, CHANNELS = 3, 2
EVERYTHING = Interest().add(range(SYMBOLS), range(CHANNELS))
ONE = Interest().add([1], [0])


def member() -> Member:
    return Member(RecordingTransport(), WEBSOCKET, BacklogPolicy(), lambda _: None)


def roster_of(*interests: Interest) -> tuple[Roster, list[Member]]:
    roster = Roster(SYMBOLS, np.zeros(SYMBOLS * CHANNELS, dtype=np.int64))
    members = [member() for _ in interests]
    for one, interest in zip(members, interests, strict=True):
        roster.place(one, interest, 0.0)
        roster.enliven(one)
    return roster, members


def test_groups_that_want_a_slot_are_counted_once_and_live_members_each() -> None:
    roster, _ = roster_of(EVERYTHING, ONE, ONE, NOTHING)
    assert roster.wanted.tolist() == [1, 2, 1, 1, 1, 1]
    assert roster.deliveries.members.tolist() == [1, 3, 1, 1, 1, 1]
    assert {g.members for g in roster.groups.values()} == {1, 2}
    assert roster.interested


def test_who_is_silenced_is_still_in_its_group_but_not_in_the_audience() -> None:
    roster, (one, two) = roster_of(ONE, ONE)
    roster.silence(one)
    roster.silence(one)
    assert roster.deliveries.members[1] == 1
    assert roster.wanted[1] == 1
    assert one.group is two.group
    assert roster.groups[ONE, WEBSOCKET, 0].members == 2
    roster.enliven(one)
    assert roster.deliveries.members[1] == 2


def test_a_board_is_there_for_each_set_of_channels_that_somebody_reads() -> None:
    both = Interest().add([0], [0]).add([1], [1])
    roster, members = roster_of(EVERYTHING, ONE, both)
    assert set(roster.boards.by_channels) == {frozenset({0, 1}), frozenset({0}), frozenset({1})}
    assert roster.boards.by_channels[frozenset({0})][0].parts == 2
    for one in members:
        roster.displace(one)
    assert roster.boards.by_channels == {}


def test_when_all_have_gone_nothing_is_left() -> None:
    roster, members = roster_of(EVERYTHING, ONE, ONE, NOTHING)
    for one in members:
        roster.displace(one)
        roster.displace(one)
    assert roster.groups == {}
    assert roster.boards.by_channels == {}
    assert not np.any(roster.wanted)
    assert not np.any(roster.deliveries.members)
    assert not roster.interested
    assert all(one.group is None for one in members)
