"""Members and groups: who is in the loop, and what they look like to an operator."""

from doubles import StalledTransport

from feeds.fanout.board import Board, Part
from feeds.fanout.group import Group, Member
from feeds.fanout.interest import Interest
from feeds.wire.backlog import BacklogPolicy
from feeds.wire.envelope import WEBSOCKET

POLICY = BacklogPolicy()


def member(unread: int = 0) -> Member:
    transport = StalledTransport()
    transport.backlog = unread
    return Member(transport, WEBSOCKET, POLICY, lambda _: None)


def group(*wants: tuple[set[int], set[int]]) -> Group:
    """A group with one part for each pair of channels and symbols, of a market with four symbols."""
    interest = Interest()
    parts = []
    for channels, symbols in wants:
        interest = interest.add(symbols, channels)
        board = Board(frozenset(channels), 4, [b"<"])
        board.read(len(symbols) == 4)
        parts.append(Part(board, symbols, 4))
        events = [(s, b"%d.%d," % (s, c)) for c in sorted(channels) for s in (0, 3)]
        board.fill([s for s, _ in events], [f for _, f in events])
    return Group(interest, WEBSOCKET, 4, parts, 0.0)


def test_live_members_are_in_the_loop_in_the_order_of_their_coming() -> None:
    one, two, three = member(), member(), member()
    it = group()
    for m in (one, two, three):
        it.enter(m)
    assert it.exit(two)
    assert [m for _, m in it.flows()] == [one, three]
    assert [send.__self__ for send, _ in it.flows()] == [one.transport, three.transport]


def test_who_isnt_in_the_loop_cant_leave_it() -> None:
    it = group()
    assert not it.exit(member())
    one = member()
    it.enter(one)
    assert it.exit(one)
    assert not it.exit(one)


def test_a_loop_under_way_isnt_disturbed_by_coming_and_going() -> None:
    """A flush may pause; the list that it goes over stays as it was."""
    it = group()
    one, two = member(), member()
    it.enter(one)
    it.enter(two)
    under_way = it.flows()
    it.exit(one)
    it.enter(member())
    assert [m for _, m in under_way] == [one, two]


def test_who_has_something_unread_isnt_in_the_loop() -> None:
    it = group()
    one, two = member(), member(unread=1)
    it.enter(one)
    it.enter(two)
    assert ([m for _, m in it.flows()], list(it.clogged)) == ([one], [two])
    assert (one.flowing, two.flowing) == (True, False)
    it.clog(one)
    it.flow(two)
    assert ([m for _, m in it.flows()], list(it.clogged)) == ([two], [one])
    assert it.exit(one)
    assert it.exit(two)
    assert (it.live, it.clogged, one.flowing, two.flowing) == ({}, {}, False, False)


def test_what_it_takes_has_one_head_however_many_parts() -> None:
    assert b"".join(group(({0}, {0, 1})).take()) == b"<0.0,"
    assert b"".join(group(({0, 1}, {0, 1})).take()) == b"<0.0,0.1,"
    assert b"".join(group(({0}, {0, 1}), ({1, 2}, {3})).take()) == b"<0.0,3.1,3.2,"
    assert b"".join(group(({0}, {1}), ({1}, {0, 1, 2, 3})).take()) == b"<0.1,3.1,"
    assert b"".join(group(({0}, {1}), ({1}, {2})).take()) in (b"", b"<")
    assert b"".join(group().take()) == b""


def test_its_state_can_be_read() -> None:
    it = group(({0}, {0, 1}))
    one = member(unread=17)
    it.members = 2
    it.enter(one)
    assert repr(it) == "<Group of 2, 1 live, 2 slots>"
    assert repr(one) == "<Member live, 17 bytes unread>"
    one.backlog.conflate(17, 0.0)
    assert repr(one) == "<Member conflating, 17 bytes unread>"
