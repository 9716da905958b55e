"""Refining: the parts of a bar are that bar, and each is a bar that can be refined again."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ticker.noise import bits
from ticker.refine import dressed, refine, share_out
from ticker.spans import Spans, halved

ROWS = 4


def draws_of(seed: int, *shape: int) -> Any:
    """Eight draws for each place of a shape."""
    counter = np.arange(2 * int(np.prod(shape)), dtype=np.uint64).reshape(*shape, 2)
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
    opened = draw(column)
    close = np.where(trades == 1, opened, draw(column))
    extra = draw(arrays(np.int64, ROWS, elements=st.integers(0, 10**9)))
    variance = draw(st.sampled_from([0.0, 1.0, 1e6])) * np.ones(ROWS)
    seed = draw(st.integers(0, 2**63))
    return dressed(
        np.arange(ROWS) * 3_600,
        (opened, close),
        trades + extra,
        trades,
        draws_of(seed, ROWS)[4:],
        variance,
        limits=(10**14, 1),
    )


def check(parts: Spans) -> None:
    """Assert what holds for any span that has trades."""
    there = parts.trades > 0
    opened, high, low, close = (c[there] for c in (parts.open, parts.high, parts.low, parts.close))
    trades, high_at, low_at = (c[there] for c in (parts.trades, parts.high_at, parts.low_at))
    assert (high >= np.maximum(opened, close)).all()
    assert (low <= np.minimum(opened, close)).all()
    assert (low >= 1).all()
    assert (parts.volume[there] >= trades).all()
    assert not parts.volume[~there].any()
    for at, price in ((high_at, high), (low_at, low)):
        assert ((at >= 0) & (at < trades)).all()
        assert (price == opened)[at == 0].all()
        assert (price == close)[at == trades - 1].all()
    assert ((high_at != low_at) | (high == low)).all()


@settings(max_examples=200, deadline=None)
@given(
    whole=spans(),
    parts=st.sampled_from([1, 2, 5, 60]),
    seed=st.integers(0, 2**63),
    variance=st.sampled_from([0.0, 0.5, 1e5]),
    weights=st.sampled_from(["even", "one", "uneven"]),
)
def test_parts_make_the_whole(
    whole: Spans, parts: int, seed: int, variance: float, weights: str
) -> None:
    """First, highest, lowest and last price, volume and trades; and so do the parts of the parts."""
    check(whole)
    draws = draws_of(seed, ROWS, parts)
    weight = {"even": np.ones((ROWS, parts)), "one": np.eye(ROWS, parts) + 1e-9}.get(
        weights, draws[0].astype(float)
    )
    edges = share_out(whole.trades, weight, draws[7, :, 0] / 65536)
    start = whole.start[:, None] + np.arange(parts)
    made = refine(whole, start, edges, draws, np.full(ROWS, variance))
    for row in range(ROWS):
        mine = made.take(np.arange(ROWS) == row).flat()
        mine = mine.take(mine.trades > 0)
        check(mine)
        assert mine.open[0] == whole.open[row]
        assert mine.high.max() == whole.high[row]
        assert mine.low.min() == whole.low[row]
        assert mine.close[-1] == whole.close[row]
        assert mine.volume.sum() == whole.volume[row]
        assert mine.trades.sum() == whole.trades[row]
    alone = whole.take(np.array([2]))
    again = refine(alone, start[[2]], edges[[2]], draws[:, [2]], np.full(1, variance))
    assert again.open.tolist() == made.open[[2]].tolist()
    assert again.low_at.tolist() == made.low_at[[2]].tolist()


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
