"""Histograms, against counting one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.counters import histogram as histogram_module
from feeds.counters.histogram import AgeHistogram, Histogram

BOUNDS = (0.001, 0.01, 0.1, 1.0)
NOW = 1_795_000_000_000_000


def counted(values: list[float], bounds: tuple[float, ...] = BOUNDS) -> list[int]:
    """How many values are at or below each bound, then all of them: what Prometheus means by a histogram."""
    return [*(sum(v <= bound for v in values) for bound in bounds), len(values)]


def test_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram(BOUNDS)
    for value in (0.001, 0.0011, 0.01, 1.0, 1.1):
        histogram.observe(value)
    assert histogram.counts == [1, 2, 0, 1, 1]
    assert histogram.cumulative() == [1, 3, 3, 4, 5]
    assert histogram.sum == pytest.approx(2.1121)


def test_an_empty_one_has_all_its_bounds() -> None:
    for empty in (Histogram(BOUNDS), AgeHistogram(BOUNDS)):
        assert (empty.cumulative(), empty.sum) == ([0] * 5, 0)


@given(st.lists(st.sampled_from([0.0, *BOUNDS, 2.0]) | st.floats(0, 2)))
def test_it_counts_as_one_would_by_hand(values: list[float]) -> None:
    histogram = Histogram(BOUNDS)
    histogram.observe_all(values)
    assert histogram.cumulative() == counted(values)
    assert histogram.sum == pytest.approx(sum(values))


ages_us = st.lists(st.sampled_from([0, 1_000, 10_000, 1_000_000]) | st.integers(0, 3_000_000))


@given(st.lists(ages_us, max_size=5), st.sampled_from([0.5, 1.0, 10.0]))
def test_ages_are_counted_exactly_whatever_the_clocks_speed(
    batches: list[list[int]], speed: float
) -> None:
    """An age is in real seconds: at ten times the speed, ten market seconds are one."""
    histogram = AgeHistogram(BOUNDS, speed)
    for n, ages in enumerate(batches):
        times = np.array(sorted(NOW - age for age in ages), dtype=np.int64)
        histogram.observe(times + n, NOW + n)
    # As whole microseconds of the market, so that rounding can't move an age over a bound.
    limits = tuple(round(bound * speed * 1e6) for bound in BOUNDS)
    flat = [age for ages in batches for age in ages]
    assert histogram.cumulative() == [
        *(sum(a <= limit for a in flat) for limit in limits),
        len(flat),
    ]
    assert histogram.sum == pytest.approx(sum(flat) / speed / 1e6)


def test_what_is_laid_aside_is_bounded_and_nothing_of_it_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(histogram_module, "_MOST_ASIDE", 3)
    histogram = AgeHistogram(BOUNDS)
    for n in range(1, 9):
        histogram.observe(np.array([NOW - 5_000] * n, dtype=np.int64), NOW)
        assert len(histogram._aside) < 3
    assert histogram.cumulative() == [0, 36, 36, 36, 36]
    assert histogram.cumulative() == [0, 36, 36, 36, 36], "asking twice counts nothing twice"
    assert histogram.sum == pytest.approx(36 * 0.005)


def test_an_event_that_is_written_before_its_time_has_no_age() -> None:
    """Which a clock that is set back may bring about: it counts as the youngest."""
    histogram = AgeHistogram(BOUNDS)
    histogram.observe(np.array([NOW + 10], dtype=np.int64), NOW)
    assert histogram.cumulative() == [1] * 5
