"""Sets of symbol ids behave as sets, few or many; many of them take little memory, and so do connections that want them."""

from __future__ import annotations

import random
import sys
import tracemalloc

import pytest
from doubles import FakeDialect, RecordingTransport
from hypothesis import given
from hypothesis import strategies as st

from feeds.fanout.hub import Hub
from feeds.fanout.interest import Interest
from feeds.fanout.symbols import FEW, Symbols

MARKET = 10_000

ids = st.one_of(
    st.sets(st.integers(0, 300)),
    st.sets(st.integers(0, 300)).map(lambda less: set(range(301)) - less),
    st.sets(st.integers(0, 9_999), max_size=90),
)


@given(ids)
def test_it_has_what_it_was_made_of(some: set[int]) -> None:
    symbols = Symbols(some)
    assert list(symbols) == sorted(some)
    assert len(symbols) == len(some)
    assert symbols.ids().tolist() == sorted(some)
    assert {i for i in range(10_001) if i in symbols} == some
    assert [i for i, there in enumerate(symbols.mask(MARKET)) if there] == sorted(some)
    assert symbols.bits == sum(1 << i for i in some)
    assert Symbols.of(symbols) is symbols
    assert repr(symbols) == f"Symbols({sorted(some)})"


@given(ids, ids)
def test_it_is_added_to_and_taken_from_as_sets_are(one: set[int], other: set[int]) -> None:
    """And whichever way led there, equal sets are equal, hash the same and are kept alike."""
    a, b = Symbols(one), Symbols(other)
    assert (a <= b) == (one <= other)
    assert (a == b) == (one == other)
    for made, model in ((a | b, one | other), (a - b, one - other)):
        again = Symbols(model)
        assert made == again
        assert hash(made) == hash(again)
        assert (made.few is None) == (again.few is None)
        assert list(made) == sorted(model)


def test_it_is_a_set_of_ids_and_no_other() -> None:
    assert Symbols([1]) != {1}
    assert Symbols([1]) != Symbols([2])


@pytest.mark.parametrize(
    ("count", "last", "many"),
    [(FEW, FEW, False), (FEW + 1, FEW + 1, True), (100, 3_199, True), (100, 3_200, False)],
)
def test_few_are_quick_to_look_into_and_many_are_small(count: int, last: int, many: bool) -> None:
    symbols = Symbols([*range(count - 1), last])
    assert (symbols.few is None) == many
    assert (sys.getsizeof(symbols.bits) < 32 * count) or not many


@pytest.mark.parametrize("wanted", [9_900, 2_600, 2_000, 400, 300])
def test_a_client_that_wants_what_nobody_else_does_costs_little(wanted: int) -> None:
    """However many symbols, and in however many pieces it subscribed: its set, and how to pick its events."""
    hub = Hub(MARKET, 3, FakeDialect())
    numbers = list(range(MARKET))

    def join(seed: int) -> None:
        member = hub.join(RecordingTransport(), 0.0, lambda _: None)
        picks = random.Random(seed).sample(numbers, wanted)
        interest = Interest()
        for i in range(0, wanted, 400):
            interest = interest.add(picks[i : i + 400], (0, 1))
            hub.subscribe(member, interest, 0.0)

    join(0)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for seed in range(1, 6):
            join(seed)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(hub.roster.groups) == 6
    assert (after - before) / 5 < 40_000
