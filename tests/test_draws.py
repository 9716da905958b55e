"""The distributions of the order flow, checked against their formulas, one number at a time."""

import hashlib
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ticker.randomness.draws import exp_minus, lots, mean_trade_lots, poisson, trade_sizes

UNIFORMS = (np.arange(1 << 16) + 0.5) / (1 << 16)

means = st.floats(0, 64)
uniforms = st.integers(0, 2**32 - 1).map(lambda n: (n + 0.5) / 2**32)


def sha(array: np.ndarray) -> str:
    return hashlib.sha256(array.astype("<i8").tobytes()).hexdigest()[:32]


# Powers of e.


@given(means)
@example(0.0)
@example(64.0)
def test_exp_minus_is_the_exponential_function(x: float) -> None:
    """To 12 digits, in the range that is used."""
    assert float(exp_minus(np.array([x]))[0]) == pytest.approx(math.exp(-x), rel=1e-12)


def test_exp_minus_is_pinned() -> None:
    """To the last bit: a processor's own exponential function isn't."""
    values = [value.hex() for value in exp_minus(np.array([0.0, 0.25, 1.0, 10.0, 64.0])).tolist()]
    assert values == [
        "0x1.0000000000000p+0",
        "0x1.8ebef9eac8301p-1",
        "0x1.78b56362cf004p-2",
        "0x1.7cd79b5647ca5p-15",
        "0x1.969d47321e61cp-93",
    ]


# Poisson numbers.


def cumulative(mean: float, count: int) -> float:
    """The probability of at most `count` events."""
    return math.fsum(
        math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) if mean else float(k == 0)
        for k in range(count + 1)
    )


@given(means, uniforms)
@example(64.0, (2**32 - 0.5) / 2**32)
@example(64.0, 0.5 / 2**32)
@example(0.0, (2**32 - 0.5) / 2**32)
def test_a_poisson_number_is_the_quantile_of_its_draw(mean: float, uniform: float) -> None:
    """The smallest count whose cumulated probability reaches the draw."""
    count = int(poisson(np.array([mean]), np.array([uniform]))[0])
    assert cumulative(mean, count) >= uniform - 1e-11
    assert cumulative(mean, count - 1) <= uniform + 1e-11


@pytest.mark.parametrize("mean", [0.01, 0.1, 0.5, 1, 2, 7.5, 20, 63.9, 64, 64.1, 100, 500, 1e4])
def test_poisson_numbers_have_the_mean_and_variance_of_theirs(mean: float) -> None:
    """Both are the mean, on either side of the change to the normal approximation."""
    counts = poisson(np.array([mean]), UNIFORMS)
    assert counts.mean() == pytest.approx(mean, rel=2e-3)
    assert counts.var() == pytest.approx(mean, rel=1e-2)
    assert counts.min() >= 0


def test_where_nothing_is_expected_nothing_comes() -> None:
    """A mean of 0 gives 0 for every draw."""
    assert not poisson(np.zeros(1), UNIFORMS).any()


@given(
    st.lists(
        st.tuples(st.one_of(means, st.floats(64, 1e6)), st.lists(uniforms, min_size=3, max_size=3)),
        min_size=1,
        max_size=6,
    )
)
def test_a_poisson_number_does_not_depend_on_its_neighbours(
    rows: list[tuple[float, list[float]]],
) -> None:
    """Rows of an array, one mean each, are what they are alone."""
    mean = np.array([[mean] for mean, _ in rows])
    uniform = np.array([row for _, row in rows])
    together = poisson(mean, uniform)
    assert together.shape == (len(rows), 3)
    for i, j in np.ndindex(together.shape):
        alone = poisson(mean[i], uniform[i, j : j + 1])
        assert alone.tolist() == [together[i, j]]


@pytest.mark.parametrize("mean", [0.3, 5.0, 64.0, 65.0, 1e6])
def test_a_larger_draw_never_gives_a_smaller_number(mean: float) -> None:
    """Inversion keeps the order."""
    assert (np.diff(poisson(np.array([mean]), UNIFORMS)) >= 0).all()


def test_no_draws_give_no_numbers() -> None:
    """An empty array is fine."""
    assert poisson(np.ones((3, 1)), np.empty((3, 0))).shape == (3, 0)


# Sizes.


def test_the_tables_of_sizes_are_pinned() -> None:
    """Change them only together with the golden tape of test_market.py."""
    assert sha(trade_sizes()) == "2c2282c1bcd1377bdd3095b291e761ce"
    assert sha(lots()) == "42da9999124868404ede42089f75e2b8"


@pytest.mark.parametrize("wrong", [1 - 1e-12, 1 + 1e-12])
def test_the_tables_of_sizes_do_not_depend_on_the_last_bits_of_a_logarithm(
    monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    """A machine whose logarithm is thousands of last bits off builds the same tables."""
    expected = trade_sizes(), lots()
    log1p = np.log1p
    monkeypatch.setattr(np, "log1p", lambda x: log1p(x) * wrong)
    assert (trade_sizes() == expected[0]).all()
    assert (lots() == expected[1]).all()


def test_half_of_the_trades_are_odd_lots_and_few_are_blocks() -> None:
    """In hundredths of a round lot: 1 to 99 for half, whole lots for the rest, 20 lots and more for one in 500."""
    sizes = trade_sizes()
    odd, whole = sizes[sizes < 100], sizes[sizes >= 100]
    assert len(odd) == len(sizes) // 2
    assert odd.min() == 1
    assert not (whole % 100).any()
    assert (sizes >= 2_000).mean() == pytest.approx(1 / 500, rel=0.01)
    assert np.median(whole) == 100
    assert sizes.max() < 100_000


def test_round_numbers_are_more_frequent() -> None:
    """Of shares among odd lots, where 1 and 50 are the most frequent ones, and of 5 and 10 lots; blocks are of whole fives."""
    sizes = trade_sizes()
    count = np.bincount(sizes, minlength=2_000)
    for size in (5, 10, 20, 25, 50, 75, 500, 1_000):
        step = 1 if size < 100 else 100
        assert count[size] > 1.5 * count[[size - step, size + step]].mean()
    assert set(np.argsort(count[:100])[-2:]) == {1, 50}
    assert (np.diff(sizes) >= 0).all(), "a larger draw never gives a smaller trade"
    assert not (sizes[sizes >= 2_000] % 500).any()


def test_the_mean_trade_is_told_in_round_lots() -> None:
    """The mean over all draws, where a quote shows no less than what is traded, unless that is a block."""
    sizes, shown = trade_sizes().tolist(), lots().tolist()
    draws = np.random.default_rng(1).permutation(len(shown)).tolist()
    taken = [s if s >= 2_000 else min(s, 100 * shown[i]) for s, i in zip(sizes, draws, strict=True)]
    assert mean_trade_lots() * 100 == pytest.approx(sum(taken) / (1 << 16), rel=0.01)


def test_quote_sizes_are_geometric() -> None:
    """Whole round lots, at least 1, about 3 on average: each further lot is there with the probability 0.68."""
    sizes = lots()
    assert sizes.min() == 1
    assert sizes.mean() == pytest.approx(1 / 0.32, rel=1e-3)
    for more in range(1, 8):
        share = (sizes > more).sum() / (sizes > more - 1).sum()
        assert share == pytest.approx(0.68, abs=5e-3)
