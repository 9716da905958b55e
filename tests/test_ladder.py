"""The books behind the quotes: their invariants over hours of the market, and their changes against a dictionary of levels."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markets import SECOND, UNIVERSES

from ticker.batch import QUOTES, TickBatch
from ticker.instruments import Instrument
from ticker.ladder import LEVELS, Changes, Ladder, Ladders, changes
from ticker.market import Market
from ticker.scenarios import scenario_named
from ticker.universe import Universe

HOURS = 3
DIME = Universe([Instrument("DIME", 187.43, spread=1.0, round_lot=100)])
EMPTY = Ladder(np.zeros((1, 2, LEVELS), np.int64), np.zeros((1, 2, LEVELS), np.int64))


def quotes_of(market: Market, seconds: int) -> TickBatch:
    batch = market.step(market.now_us + seconds * SECOND)
    return batch[batch.channel == QUOTES]


def books(ladders: Ladders, quotes: TickBatch) -> Ladder:
    return ladders.at(
        quotes.symbol, quotes.seq, quotes.price, quotes.size, quotes.ask, quotes.ask_size
    )


def book(ladders: Ladders, seq: int, bid: int, ask: int, symbol: int = 0) -> Ladder:
    columns = (seq, bid, 100, ask, 200)
    return ladders.at(np.array([symbol]), *(np.array([c], dtype=np.int64) for c in columns))


def assert_sound(ladder: Ladder, quotes: TickBatch) -> None:
    """What holds for every book."""
    there = ladder.size > 0
    assert (there == (ladder.price > 0)).all()
    assert (there[..., :-1] >= there[..., 1:]).all(), "a level behind one that isn't there"
    touch = np.stack((quotes.price, quotes.ask), axis=1)
    assert (ladder.price[..., 0] == touch).all()
    sizes = np.stack((quotes.size, quotes.ask_size), axis=1)
    assert (ladder.size[..., 0] == sizes).all()
    steps = np.diff(ladder.price)
    assert (steps[:, 0][there[:, 0, 1:]] < 0).all()
    assert (steps[:, 1] > 0).all()
    assert there[:, 1].all(), "asks go on for ever"
    short = ~there[:, 0].all(axis=-1)
    lowest = np.where(there[:, 0], ladder.price[:, 0], 2**62).min(axis=-1)
    widest = 2 * np.abs(steps[:, 1]).max(initial=1)
    assert (lowest[short] <= widest).all(), "bids end where prices do, and only there"


def levels(ladder: Ladder, row: int) -> list[dict[int, int]]:
    """A book as sizes by price, of each side."""
    return [
        {p: s for p, s in zip(prices, sizes, strict=True) if s}
        for prices, sizes in zip(ladder.price[row].tolist(), ladder.size[row].tolist(), strict=True)
    ]


def apply(sides: list[dict[int, int]], delta: Changes, row: int) -> None:
    """What a client does with a row of changes; each must change something."""
    ends = [0, *delta.ends.ravel().tolist()]
    for side, held in enumerate(sides):
        part = slice(ends[2 * row + side], ends[2 * row + side + 1])
        for price, size in zip(delta.price[part].tolist(), delta.size[part].tolist(), strict=True):
            assert held.get(price, 0) != size
            if size:
                held[price] = size
            else:
                del held[price]


def test_books_are_sound_for_hours() -> None:
    """The touch is the quote; prices fall and rise strictly; every size is positive; no level is missing but below the lowest price."""
    universe = Universe([i for some in UNIVERSES.values() for i in some])
    market = Market(universe, seed=5, rate=0.1)
    market.play(scenario_named("flash_crash"), market.now_us + 60 * SECOND)
    ladders, seen = Ladders(5, universe), 0
    for _ in range(HOURS * 6):
        quotes = quotes_of(market, 600)
        assert_sound(books(ladders, quotes), quotes)
        seen += len(quotes)
    assert seen > 10_000


@pytest.mark.parametrize("name", ["well-known names", "penny stocks", "expensive ones"])
def test_the_changes_from_quote_to_quote_make_every_book(name: str) -> None:
    """From the first book on, at each quote of each symbol."""
    universe = Universe(UNIVERSES[name])
    quotes = quotes_of(Market(universe, seed=6, rate=3), 60 if len(universe) > 9 else 600)
    ladders = Ladders(6, universe)
    for symbol in range(len(universe)):
        mine = books(ladders, quotes[quotes.symbol == symbol])
        delta = changes(mine[:-1], mine[1:])
        held = levels(mine, 0)
        for row in range(len(mine) - 1):
            apply(held, delta, row)
            assert held == levels(mine, row + 1)


prices = st.integers(1, 400)
spreads = st.integers(1, 60)
sequences = st.integers(0, 5_000)
quoted = st.tuples(sequences, prices, spreads)


@given(st.lists(quoted, min_size=2, max_size=12), st.integers(0, 2))
def test_any_book_becomes_any_other(rows: list[tuple[int, int, int]], symbol: int) -> None:
    """However far the touch jumps, down to the lowest price, and back from no book at all."""
    ladders = Ladders(1, Universe(UNIVERSES["penny stocks"]))
    made = [book(ladders, seq, bid, bid + spread, symbol) for seq, bid, spread in rows]
    made = [EMPTY, *made, EMPTY, made[0]]
    held = levels(EMPTY, 0)
    for before, after in pairwise(made):
        apply(held, changes(before, after), 0)
        assert held == levels(after, 0)


def test_a_book_depends_on_its_quote_alone() -> None:
    """Not on what else is asked for, in which order, nor on which symbols there are beside."""
    universe = Universe.of_size(12)
    quotes = quotes_of(Market(universe, seed=8, rate=5), 30)
    every = books(Ladders(8, universe), quotes)
    some = np.random.default_rng(1).permutation(len(quotes))[:40]
    few = books(Ladders(8, universe), quotes[some])
    assert (few.price == every.price[some]).all()
    assert (few.size == every.size[some]).all()
    alone = Universe([universe[3]])
    mine = quotes[quotes.symbol == 3]
    lone = Ladders(8, alone).at(
        np.zeros(len(mine), np.int32), mine.seq, mine.price, mine.size, mine.ask, mine.ask_size
    )
    rows = np.flatnonzero(quotes.symbol == 3)
    assert (lone.price == every.price[rows]).all()
    assert (lone.size == every.size[rows]).all()
    other = books(Ladders(9, universe), quotes)
    assert (other.size != every.size).mean() > 0.5, "another seed, another book"


def test_what_rests_at_a_price_stays_when_the_touch_moves() -> None:
    """A tick up or down, most levels keep their sizes; what changes is the touch, the ends, and patient orders."""
    ladders = Ladders(3, DIME)
    kept = []
    for bid in range(10_000, 10_400):
        before, after = book(ladders, 7, bid, bid + 1), book(ladders, 7, bid + 1, bid + 2)
        delta = changes(before, after)
        kept.append(1 - len(delta.price) / (4 * LEVELS))
    assert np.mean(kept) > 0.8


def test_every_level_is_renewed_at_a_pace_of_its_own() -> None:
    """While the touch stands, about one level in 25 or so changes at a quote, and each of them within 2,048 quotes."""
    ladders = Ladders(3, DIME)
    every = [book(ladders, seq, 10_005, 10_006) for seq in range(2_049)]
    sizes = np.concatenate([ladder.size for ladder in every])
    changed = sizes[1:] != sizes[:-1]
    assert not changed[..., 0].any()
    assert changed[..., 1:].any(axis=0).all()
    assert 0.01 < changed[..., 1:].mean() < 0.06


def test_the_mean_book_has_a_hump() -> None:
    """It is thinner at the touch than some levels behind it, and thinner again at its far end."""
    quotes = quotes_of(Market(Universe.of_size(60), seed=4, rate=5), 60)
    universe = Universe.of_size(60)
    lots = universe.column("round_lot")[quotes.symbol][:, None]
    for side in range(2):
        mean = (books(Ladders(4, universe), quotes).size[:, side] / lots).mean(axis=0)
        top = int(mean.argmax())
        assert 5 <= top <= 12
        assert mean[top] > 2 * mean[0]
        assert mean[top] > 1.5 * mean[-1]
        assert mean[-1] > mean[0]


def test_sizes_are_round_lots_mostly_and_more_at_round_prices() -> None:
    made = [book(Ladders(3, DIME), seq, 10_000 + seq, 10_002 + seq) for seq in range(0, 2_000, 4)]
    price = np.concatenate([ladder.price for ladder in made])[..., 1:]
    size = np.concatenate([ladder.size for ladder in made])[..., 1:]
    assert 0.8 < (size % 100 == 0).mean() < 0.95
    tens = price % 10 == 0
    assert 1.6 < size[tens].mean() / size[~tens].mean() < 2.6


def test_a_thin_symbol_has_gaps_and_a_liquid_one_has_none() -> None:
    universe = Universe(
        [Instrument("LIQUID", 50.0, spread=1.2), Instrument("THIN", 500.0, spread=40.0)]
    )
    ladders = Ladders(2, universe)
    liquid, thin = (book(ladders, 1, 50_000, 50_040, symbol=i) for i in range(2))
    assert np.abs(np.diff(liquid.price)).max() == 1
    gaps = np.abs(np.diff(thin.price))
    assert gaps.max() > 20
    assert 10 < gaps.mean() < 30


def test_without_a_quote_there_is_no_book() -> None:
    """As before the first quote of a tape."""
    ladder = Ladders(2, DIME).at(*(np.zeros(1, np.int64) for _ in range(6)))
    assert not ladder.size.any()
    assert not ladder.price.any()
    assert len(changes(ladder, ladder).price) == 0
    assert len(ladder) == 1


def test_a_side_without_shares_is_no_level() -> None:
    """As on tapes without sizes; what is behind it is there, and comes and goes as any other."""
    ladders, empty = Ladders(3, DIME), np.array([0])
    at = [np.array([n]) for n in (10_000, 10_001)]
    bare = ladders.at(np.array([0]), np.array([1]), at[0], empty, at[1], np.array([5]))
    assert (bare.price[0, 0, 0], bare.size[0, 0, 0]) == (0, 0)
    assert bare.size[0, 0, 1:].all()
    full = book(ladders, 1, 10_000, 10_001)
    held = levels(full, 0)
    apply(held, changes(full, bare), 0)
    assert 10_000 not in held[0]
    apply(held, changes(bare, full), 0)
    assert held == levels(full, 0)


def test_lots_may_be_others_than_round_ones() -> None:
    """All sizes but that of the quote are so many times as large."""
    one = book(Ladders(3, DIME), 7, 10_000, 10_001).size[..., 1:]
    other = book(Ladders(3, DIME, np.array([100_000])), 7, 10_000, 10_001).size[..., 1:]
    assert (other // 1_000 == one).all()


def test_the_golden_books() -> None:
    """The same on every machine and every numpy; another hash means other books for the same epoch: see ``ticker.market.TAPE``."""
    universe = Universe.of_size(5)
    ladder = books(Ladders(7, universe), quotes_of(Market(universe, seed=7, rate=5), 20))
    text = ladder.price.astype("<i8").tobytes() + ladder.size.astype("<i8").tobytes()
    assert hashlib.sha256(text).hexdigest()[:32] == "57ef03cb84bfb622de04201dd7f0737e"
