"""A board gives each subscription its events of the turn, the same bytes whichever way they are taken."""

import random

from hypothesis import given
from hypothesis import strategies as st

from feeds.fanout.board import Board, Part

HEAD = b"<"
TOTAL = 8


def board_of(symbols: list[int]) -> tuple[Board, list[bytes]]:
    """A board with one event a number, the n-th being ``symbol.n``."""
    board = Board(frozenset({0}), TOTAL, [HEAD])
    board.read(whole=True)
    board.read(whole=False)
    fragments = [b"%d.%d," % (symbol, n) for n, symbol in enumerate(symbols)]
    board.fill(symbols, fragments)
    return board, fragments


def test_a_subset_comes_by_symbol_each_symbols_events_in_order() -> None:
    board, _ = board_of([5, 2, 5, 0, 2])
    assert b"".join(Part(board, {2, 5}, TOTAL).take()) == b"<2.1,2.4,5.0,5.2,"


def test_by_symbol_is_by_number_in_a_big_universe_too() -> None:
    board = Board(frozenset({0}), 1_000, [HEAD])
    board.read(whole=False)
    symbols = [800, 33, 17, 2, 512, 256]
    board.fill(symbols, [b"%d," % s for s in symbols])
    for extra in (set(), set(range(600, 700))):
        part = Part(board, {800, 33, 17, 2, 256} | extra, 1_000)
        assert b"".join(part.take()) == b"<2,17,33,256,800,"


def test_the_whole_universe_comes_in_the_order_of_the_market() -> None:
    board, _ = board_of([5, 2, 5, 0, 2])
    assert b"".join(Part(board, range(TOTAL), TOTAL).take()) == b"<5.0,2.1,5.2,0.3,2.4,"


def test_where_nothing_happened_there_is_at_most_a_head() -> None:
    board, _ = board_of([1, 1, 1])
    assert b"".join(Part(board, {3}, TOTAL).take()) in (b"", HEAD)
    assert b"".join(Part(board, {0, 2, 3, 4, 5, 6, 7}, TOTAL).take()) in (b"", HEAD)
    empty, _ = board_of([])
    for symbols in ({3}, range(TOTAL)):
        assert b"".join(Part(empty, symbols, TOTAL).take()) in (b"", HEAD)


def test_where_everybody_wants_everything_nothing_is_sorted_by_symbol() -> None:
    board = Board(frozenset({0}), TOTAL, [HEAD])
    board.read(whole=True)
    board.read(whole=True)
    board.read(whole=False)
    board.drop(whole=False)
    board.drop(whole=True)
    assert board.parts == 1
    board.fill([3, 1], [b"a,", b"b,"])
    assert b"".join(Part(board, range(TOTAL), TOTAL).take()) == b"<a,b,"
    assert board.happened == []


@given(
    st.lists(st.lists(st.integers(0, TOTAL - 1), max_size=12), max_size=4),
    st.sets(st.integers(0, TOTAL - 1), min_size=1, max_size=TOTAL - 1),
)
def test_any_part_of_any_turn_is_what_a_filter_gives(
    turns: list[list[int]], wanted: set[int]
) -> None:
    """Few events or many, few symbols or many: as sorting the wanted ones by symbol. Wiping leaves nothing behind."""
    board, _ = board_of([])
    part, whole = Part(board, wanted, TOTAL), Part(board, range(TOTAL), TOTAL)
    for symbols in turns:
        fragments = [b"%d.%d," % (symbol, n) for n, symbol in enumerate(symbols)]
        board.fill(symbols, fragments)
        in_order = sorted(
            (f for s, f in zip(symbols, fragments, strict=True) if s in wanted),
            key=lambda f: int(f[:1]),
        )
        assert b"".join(part.take()).removeprefix(HEAD) == b"".join(in_order)
        assert b"".join(whole.take()).removeprefix(HEAD) == b"".join(fragments)
        board.wipe()
        assert b"".join(part.take()) in (b"", HEAD)
        assert b"".join(whole.take()) in (b"", HEAD)
        assert board.happened == []
        assert board.entries == [b""] * TOTAL + [HEAD]


@given(st.integers(0, 999), st.sampled_from([66, 200, 260, 900]), st.sampled_from([5, 60, 400]))
def test_many_symbols_are_taken_as_few_are(seed: int, wanted: int, events: int) -> None:
    """By any of the ways: picked one by one or through a mask, or found among what happened."""
    draw = random.Random(seed)
    board = Board(frozenset({0}), 1_000, [HEAD])
    board.read(whole=False)
    symbols = [draw.randrange(1_000) for _ in range(events)]
    board.fill(symbols, [b"%d.%d," % (symbol, n) for n, symbol in enumerate(symbols)])
    chosen = set(draw.sample(range(1_000), wanted))
    part = Part(board, chosen, 1_000)
    expected = sorted((s, n) for n, s in enumerate(symbols) if s in chosen)
    told = b"".join(part.take()).removeprefix(HEAD)
    assert told == b"".join(b"%d.%d," % pair for pair in expected)
    assert part.pick is not None
    assert b"".join(part.pick(board.entries)).removeprefix(HEAD) == told
