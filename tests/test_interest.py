"""Interests behave as sets of (channel, symbol), and equal ones are equal values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.fanout.interest import NOTHING, Interest

SYMBOLS = 6
some_symbols = st.sets(st.integers(0, SYMBOLS - 1))
some_channels = st.sets(st.integers(0, 3))
changes = st.lists(st.tuples(st.booleans(), some_symbols, some_channels), max_size=12)


def pairs(interest: Interest) -> set[tuple[int, int]]:
    return {(c, s) for c, symbols in interest.channels for s in symbols}


@given(changes)
def test_adding_and_removing_is_that_of_sets(
    steps: list[tuple[bool, set[int], set[int]]],
) -> None:
    """Against a plain set of pairs; and whatever way led there, equal sets are equal, hash the same and look the same."""
    interest, model = Interest(), set()
    for adding, symbols, channels in steps:
        change = {(c, s) for c in channels for s in symbols}
        if adding:
            interest, model = interest.add(symbols, channels), model | change
        else:
            interest, model = interest.remove(symbols, channels), model - change
        assert pairs(interest) == model
        assert bool(interest) == bool(model)
        afresh = Interest()
        for channel, symbol in sorted(model, reverse=True):
            afresh = afresh.add([symbol], [channel])
        assert interest == afresh
        assert hash(interest) == hash(afresh)
        assert interest.slots(SYMBOLS).tolist() == sorted(c * SYMBOLS + s for c, s in model)
        assert [c for c, _ in interest.channels] == sorted({c for c, _ in model})


def test_an_interest_doesnt_change() -> None:
    """Adding and removing give new values; those who hold the old one keep it."""
    one = Interest().add([1, 2], [0])
    two = one.add([3], [0])
    three = two.remove([1], [0])
    assert [pairs(i) for i in (one, two, three)] == [
        {(0, 1), (0, 2)},
        {(0, 1), (0, 2), (0, 3)},
        {(0, 2), (0, 3)},
    ]


def test_removing_the_last_symbol_of_a_channel_leaves_no_empty_channel() -> None:
    assert Interest().add([1], [0, 2]).remove([1], [0]) == Interest().add([1], [2])
    assert Interest().add([1], [0]).remove([1], [0]) == NOTHING
    assert Interest().add([], [0]) == NOTHING


def test_removing_what_isnt_there_changes_nothing() -> None:
    interest = Interest().add([1], [0])
    assert interest.remove([2], [0]) == interest
    assert interest.remove([1], [3]) == interest
    assert NOTHING.remove([1], [0]) == NOTHING


def test_slots_are_channel_by_channel_and_computed_once() -> None:
    interest = Interest().add([4, 0], [1, 0])
    slots = interest.slots(10)
    assert slots.tolist() == [0, 4, 10, 14]
    assert slots.dtype == np.int64
    assert interest.slots(10) is slots
    assert NOTHING.slots(10).tolist() == []


@pytest.mark.parametrize(
    ("interest", "parts"),
    [
        (NOTHING, []),
        (Interest().add([0], [0]), [({0}, {0})]),
        (Interest().add([0, 2], [0, 5]), [({0, 5}, {0, 2})]),
        (Interest().add([0, 2], [0, 5]).add([1], [1]), [({0, 5}, {0, 2}), ({1}, {1})]),
        (Interest().add([0, 2], [0, 5]).remove([2], [5]), [({0}, {2}), ({0, 5}, {0})]),
        (
            Interest().add([0, 1], [0]).add([1, 2], [1]).add([1, 3], [2]),
            [({0}, {0}), ({1}, {2}), ({0, 1, 2}, {1}), ({2}, {3})],
        ),
    ],
)
def test_symbols_with_the_same_channels_are_one_part(
    interest: Interest, parts: list[tuple[set[int], set[int]]]
) -> None:
    found = [(set(channels), set(symbols)) for channels, symbols in interest.parts()]
    assert sorted(found, key=str) == sorted(parts, key=str)


def test_where_there_would_be_too_many_parts_it_gives_none() -> None:
    interest = Interest()
    for symbol in range(1, 8):
        interest = interest.add([symbol], [c for c in range(3) if symbol >> c & 1])
    assert len(interest.parts()) == len(interest.parts(7)) == 7
    assert interest.parts(6) == []


@given(changes)
def test_its_parts_are_the_whole_of_it_and_dont_overlap(
    steps: list[tuple[bool, set[int], set[int]]],
) -> None:
    interest = Interest()
    for adding, symbols, channels in steps:
        interest = (interest.add if adding else interest.remove)(symbols, channels)
    found = [(c, s) for channels, symbols in interest.parts() for c in channels for s in symbols]
    assert sorted(found) == sorted(pairs(interest))
    assert len({channels for channels, _ in interest.parts()}) == len(interest.parts())
    assert len({symbol for _, symbol in found}) == sum(len(some) for _, some in interest.parts())
