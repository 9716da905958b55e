"""Groups of one, and which of them a turn touches."""

import random

import pytest
from doubles import FakeDialect, RecordingTransport, batch_of

from feeds.fanout import groups_of_one as module
from feeds.fanout.board import Board, Part
from feeds.fanout.group import Group, Member
from feeds.fanout.groups_of_one import GroupOfOne, GroupsOfOne
from feeds.fanout.hub import Hub
from feeds.fanout.interest import Interest
from feeds.wire.backlog import BacklogPolicy
from feeds.wire.envelope import HEADS, WEBSOCKET
from ticker.batch import TRADES

TOTAL = 300
CHANNELS = frozenset({TRADES})


def crowd(wishes: list[set[int]]) -> tuple[Board, GroupsOfOne]:
    """Give a board, and a group of one for each wish."""
    board = Board(CHANNELS, TOTAL, HEADS)
    board.read(whole=False)
    parts = [Part(board, symbols, TOTAL) for symbols in wishes]
    ones = GroupsOfOne(WEBSOCKET, parts[0])
    for symbols, part in zip(wishes, parts, strict=True):
        interest = Interest().add(symbols, CHANNELS)
        group = Group(interest, WEBSOCKET, interest.slots(TOTAL), [part], 0.0)
        transport = RecordingTransport()
        group.enter(Member(transport, WEBSOCKET, BacklogPolicy(), lambda _: None))
        assert part.pick is not None
        ones.add((part.pick, transport.send, group, group.flows()[0]))
    return board, ones


def touched_by(ones: GroupsOfOne) -> list[GroupOfOne]:
    return [one for _, some in ones.portions() for one in some]


def everybody(ones: GroupsOfOne) -> bool:
    """Tell whether all are gone through, as if there were no index."""
    (symbol, some), *more = ones.portions()
    return symbol is None and some is ones.all and not more


def wishes_of(rng: random.Random, clients: int, each: int) -> list[set[int]]:
    return [set(rng.sample(range(TOTAL), each)) for _ in range(clients)]


def happen(board: Board, symbols: list[int]) -> None:
    board.wipe()
    board.fill(symbols, [b"e"] * len(symbols))


def test_few_events_touch_only_those_that_want_them() -> None:
    rng = random.Random(3)
    wishes = wishes_of(rng, 60, 10)
    board, ones = crowd(wishes)
    for _ in range(200):
        symbols = rng.sample(range(TOTAL), rng.randint(0, 4))
        happen(board, symbols)
        wanting = [one for one, wish in zip(ones.all, wishes, strict=True) if wish & set(symbols)]
        touched = touched_by(ones)
        assert len(touched) == len(wanting), "each once"
        assert {id(one) for one in touched} == {id(one) for one in wanting}
        for symbol, some in ones.portions():
            for *_, group, _ in some:
                wish = set(group.interest.channels[0][1]) & set(symbols)
                assert wish == {symbol} if symbol is not None else len(wish) > 1
            assert ones.picking(some)


def test_most_events_are_written_first_and_then_the_oldest() -> None:
    """Whatever the numbers of their symbols."""
    wishes = [{1}, {2}, {1, 2}, {3}, {2}, *({9},) * 4]
    board, ones = crowd(wishes)
    board.fill([3, 2], [b"e", b"e"])
    board.fill([1, 2, 3], [b"e"] * 3)
    portions = [(symbol, [ones.all.index(one) for one in some]) for symbol, some in ones.portions()]
    assert portions == [(None, [2]), (3, [3]), (2, [1, 4]), (1, [0])]


def test_where_most_are_touched_all_are() -> None:
    """By what happened, or as everybody wants that one symbol."""
    rng = random.Random(4)
    wishes = [wish | {7} for wish in wishes_of(rng, 60, 10)]
    board, ones = crowd(wishes)
    happen(board, [7])
    assert everybody(ones)
    happen(board, list(range(150)))
    assert everybody(ones)


def test_readers_of_many_symbols_become_known_little_by_little() -> None:
    """So that a turn costs hardly more than without, where the readers change all the time."""
    rng = random.Random(5)
    wishes = wishes_of(rng, 60, 5)
    board, ones = crowd(wishes)
    symbols = list(range(12))
    taken = []
    for _ in range(4):
        happen(board, symbols)
        taken.append(len(touched_by(ones)))
    wanting = sum(bool(wish & set(symbols)) for wish in wishes)
    assert taken == [60, 60, wanting, wanting]
    assert wanting < 60


@pytest.mark.parametrize(("each", "picked"), [(20, True), (250, False)])
def test_of_many_symbols_one_is_not_picked_with_all_others(each: int, picked: bool) -> None:
    """Going through what happened is quicker then."""
    board, ones = crowd([set(range(each)), {*range(each - 1), each}] * 4)
    happen(board, [each])
    assert ones.picking(touched_by(ones)) is picked


def test_not_everything_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where many read much, memory is bounded."""
    monkeypatch.setattr(module, "_MOST_KNOWN", 20)
    board, ones = crowd(wishes_of(random.Random(6), 60, 30))
    touched = []
    for symbol in range(40):
        happen(board, [symbol])
        touched.append(len(touched_by(ones)))
    assert max(touched[:2]) < 60
    assert touched[20:] == [60] * 20
    happen(board, [0])
    assert len(touched_by(ones)) == touched[0], "what is known stays so"


def test_each_gets_what_it_wants_whichever_way_is_quickest() -> None:
    """With some symbols each, with nearly all, in turns of one event and of many."""
    for each in (3, 45):
        hub = Hub(50, 2, FakeDialect())
        rng = random.Random(each)
        wishes = [set(rng.sample(range(50), each)) for _ in range(40)]
        transports = [RecordingTransport() for _ in wishes]
        for transport, wish in zip(transports, wishes, strict=True):
            member = hub.join(transport, 0.0, lambda _: None)
            hub.subscribe(member, Interest().add(wish, CHANNELS), 0.0)
        seq = 0
        for events in [1, 1, 2, 3, 5, 1, 8, 30, 2] * 4:
            symbols = [rng.randrange(50) for _ in range(events)]
            hub.publish(batch_of((symbol, TRADES, seq + n) for n, symbol in enumerate(symbols)))
            for _ in hub.flush(0.0):
                pass
            for transport, wish in zip(transports, wishes, strict=True):
                got = FakeDialect.decode(transport.take())
                wanted = [(s, seq + n) for n, s in enumerate(symbols) if s in wish]
                assert [(event.symbol, event.seq) for event in got] == sorted(wanted)
            seq += events
