"""Refining: the parts of a bar are that bar, and each is a bar that can be refined again."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ticker.backfill.refine import refine, share_out
from ticker.backfill.spans import Spans, gathered, halved
from ticker.randomness.noise import bits

ROWS = 4
WALKS = 5


def draws_of(seed: int, *shape: int) -> Any:
    """Draws for each place of a shape."""
    words = 1 + WALKS
    counter = np.arange(words * int(np.prod(shape)), dtype=np.uint64).reshape(*shape, words)
    return halved(bits(np.array([seed], dtype=np.uint64), counter))


@st.composite
def spans(draw: st.DrawFn) -> Spans:
    """Spans with some trades each, from one to many, at few or many prices."""
    ticks = draw(
        st.sampled_from([st.integers(1, 3), st.integers(1, 10**5), st.integers(1, 10**13)])
    )
    column = st.lists(ticks, min_size=ROWS, max_size=ROWS).map(np.array)
    trades = draw(
        arrays(np.int64, ROWS, elements=st.integers(1, draw(st.sampled_from([4, 10**6]))))
    )
    opened, high, low = draw(column), draw(column), draw(column)
    close = np.where(trades == 1, opened, draw(column))
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    high = np.where(trades > 2, np.maximum(high, top), top)
    # Of three trades one is in between: it isn't both.
    low = np.where((trades > 3) | (trades == 3) & (high == top), np.minimum(low, bottom), bottom)
    extra = draw(arrays(np.int64, ROWS, elements=st.integers(0, 10**9)))
    variance = draw(st.sampled_from([0.0, 0.5, 1.0, 1e6])) * np.ones(ROWS)
    start = np.arange(ROWS) * 3_600
    return Spans(start, opened, high, low, close, trades + extra, trades, variance)


def check(parts: Spans) -> None:
    """Assert what holds for any span that has trades."""
    there = parts.trades > 0
    opened, high, low, close = (c[there] for c in (parts.open, parts.high, parts.low, parts.close))
    trades = parts.trades[there]
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    assert (high >= top).all()
    assert (low <= bottom).all()
    assert (low >= 1).all()
    assert (parts.volume[there] >= trades).all()
    assert not parts.volume[~there].any()
    assert (opened == close)[trades == 1].all()
    # Each extreme is a trade: the first, the last, or one in between of its own.
    between = (high > top).astype(int) + (low < bottom)
    assert (between <= np.maximum(trades - 2, 0)).all()


@settings(max_examples=200, deadline=None)
@given(
    whole=spans(),
    parts=st.sampled_from([1, 2, 5, 60]),
    seed=st.integers(0, 2**63),
    weights=st.sampled_from(["even", "one", "uneven"]),
    wild=st.booleans(),
)
def test_parts_make_the_whole(
    whole: Spans, parts: int, seed: int, weights: str, wild: bool
) -> None:
    """First, highest, lowest and last price, volume and trades; and so do the parts of the parts."""
    check(whole)
    draws = draws_of(seed, ROWS, parts)
    weight = {"even": np.ones((ROWS, parts)), "one": np.eye(ROWS, parts) + 1e-9}.get(
        weights, draws[0].astype(float)
    )
    edges = share_out(whole.trades, weight, draws[3, :, 0] / 65536)
    start = whole.start[:, None] + np.arange(parts)
    uneven = 1 + draws[2].astype(float) if wild else None
    made = refine(whole, start, edges, draws, uneven)
    for row in range(ROWS):
        mine = made.take(np.arange(ROWS) == row).flat()
        mine = mine.take(mine.trades > 0)
        check(mine)
        (whole_again,) = table(gathered(mine, 3_600))
        (expected,) = table(whole.take(np.array([row])))
        assert whole_again == expected
        spread = (mine.trades * mine.variance).sum()
        assert spread == pytest.approx(whole.trades[row] * whole.variance[row])
    alone = whole.take(np.array([2]))
    again = refine(
        alone, start[[2]], edges[[2]], draws[:, [2]], None if uneven is None else uneven[[2]]
    )
    assert again.open.tolist() == made.open[[2]].tolist()


def table(bars: Spans) -> list[tuple[int, ...]]:
    """What is known of spans, but for the variance."""
    names = ("start", "open", "high", "low", "close", "volume", "trades")
    return list(zip(*(getattr(bars, name).tolist() for name in names), strict=True))


def walked(seed: int, spans: int, trades: int) -> tuple[np.ndarray, Spans]:
    """Random walks in trades, and their bars."""
    steps = np.random.default_rng(seed).normal(size=(spans, trades)) * 20
    price = np.rint(1e7 + np.cumsum(steps, axis=1)).astype(np.int64)
    count = np.full(spans, trades)
    start, variance = np.arange(spans) * 3_600, np.full(spans, 400.0)
    high, low = price.max(axis=1), price.min(axis=1)
    return price, Spans(start, price[:, 0], high, low, price[:, -1], count * 9, count, variance)


@pytest.mark.parametrize("parts", [5, 12])
def test_parts_know_nothing_of_those_before(parts: int) -> None:
    """What is refined of a random walk moves as it does, without memory of its own, and its parts are as high."""
    spans, each = 3_000, 40
    price, whole = walked(1, spans, parts * each)
    counter = np.arange(spans * parts * 49, dtype=np.uint64).reshape(spans, parts, 49)
    draws = halved(bits(np.array([1], dtype=np.uint64), counter))
    edges = np.broadcast_to(np.arange(parts + 1) * each, (spans, parts + 1))
    made = refine(whole, whole.start[:, None] + np.arange(parts), edges, draws)
    moves = np.diff(made.close, axis=1)
    real = np.diff(price[:, each - 1 :: each], axis=1)
    assert (moves**2).mean() == pytest.approx((real**2).mean(), rel=0.05)
    for lag in (1, 2, 3):
        memory = (moves[:, :-lag] * moves[:, lag:]).mean() / (moves**2).mean()
        assert abs(memory) < 0.045
    cut = price.reshape(spans, parts, each)
    ranges = cut.max(axis=2) - cut.min(axis=2)
    assert (made.high - made.low).mean() == pytest.approx(ranges.mean(), rel=0.03)


@settings(max_examples=200, deadline=None)
@given(
    total=arrays(np.int64, 3, elements=st.integers(0, 10**15)),
    weights=arrays(np.float64, (3, 7), elements=st.sampled_from([0.0, 1e-6, 0.3, 1.0, 1e6])),
    phase=arrays(np.float64, 3, elements=st.floats(0, 0.999)),
)
def test_sharing_out_leaves_nothing_over(total: Any, weights: Any, phase: Any) -> None:
    """The parts add up, none is negative, what has no weight gets nothing, and shares are as the weights are."""
    weights[:, 3] = np.maximum(weights[:, 3], 1e-6)
    edges = share_out(total, weights, phase)
    parts = np.diff(edges, axis=1)
    assert (edges[:, 0] == 0).all()
    assert (edges[:, -1] == total).all()
    assert (parts >= 0).all()
    assert not parts[weights == 0].any()
    exact = total[:, None] * weights / weights.sum(axis=1, keepdims=True)
    assert (np.abs(parts - exact) <= 1 + 1e-12 * total[:, None]).all()


def test_over_all_phases_nobody_is_favoured() -> None:
    """A trade for three parts goes to each of them in a third of the cases."""
    phase = (np.arange(300) + 0.5) / 300
    edges = share_out(np.ones(300, dtype=np.int64), np.ones((300, 3)), phase)
    assert np.diff(edges, axis=1).sum(axis=0).tolist() == [100, 100, 100]
