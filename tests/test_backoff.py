"""Waits between attempts to connect."""

import pytest

from clients.core.backoff import Backoff


@pytest.mark.parametrize(
    ("lives", "waits"),
    [
        ([0, 0, 0, 0], [1, 2, 4, 8]),
        ([0, 0, 0, 0, 0, 0], [1, 2, 4, 8, 10, 10]),
        ([9.9, 9.9], [1, 2]),
        ([0, 0, 10.0, 0], [1, 2, 1, 2]),
        ([3600, 3600, 3600], [1, 1, 1]),
    ],
    ids=["doubles", "capped", "a short life is a failure", "reset by a good life", "always good"],
)
def test_the_ceiling_doubles_up_to_the_cap_and_starts_afresh_after_a_healthy_connection(
    lives: list[float], waits: list[float]
) -> None:
    """With the jitter at its top, the waits are the ceilings."""
    backoff = Backoff(base=1, cap=10, healthy=10, random=lambda: 1.0)
    assert [backoff.delay(lived) for lived in lives] == waits


@pytest.mark.parametrize(("drawn", "waits"), [(0.0, [0, 0, 0]), (0.5, [0.5, 1, 2])])
def test_the_wait_is_a_random_part_of_the_whole_ceiling(drawn: float, waits: list[float]) -> None:
    """Full jitter: any wait from nothing to the ceiling."""
    backoff = Backoff(base=1, cap=10, random=lambda: drawn)
    assert [backoff.delay(0) for _ in waits] == waits


def test_it_can_fail_for_ever() -> None:
    """The exponent doesn't overflow after thousands of failures."""
    backoff = Backoff(base=1, cap=30, random=lambda: 1.0)
    assert [backoff.delay(0) for _ in range(5000)][-1] == 30


def test_the_default_draws_differ() -> None:
    """Two clients don't wait equally long."""
    assert Backoff().delay(0) != Backoff().delay(0)
