"""The policy for slow consumers as tables: unread bytes and time in, state and verdict out."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import ConfigError
from feeds.wire.backlog import Backlog, BacklogPolicy, Eviction, State

POLICY = BacklogPolicy(
    soft_limit=100, low_water=10, hard_limit=1_000, no_progress_s=5.0, soft_seconds=0
)
LIVE, CONFLATING, EVICTED = State.LIVE, State.CONFLATING, State.EVICTED
HARD_LIMIT, NO_PROGRESS = Eviction.HARD_LIMIT, Eviction.NO_PROGRESS

Step = tuple[int, float, State, Eviction | None]

CASES: dict[str, list[Step]] = {
    "one that reads everything stays live": [
        (0, 0, LIVE, None),
        (100, 1, LIVE, None),
        (0, 2, LIVE, None),
    ],
    "up to the soft limit it is live, for any time": [
        (100, 0, LIVE, None),
        (100, 1_000, LIVE, None),
        (100, 2_000, LIVE, None),
    ],
    "one byte over the soft limit conflates": [(101, 0, CONFLATING, None)],
    "it is live again at the low-water mark, not before": [
        (500, 0, CONFLATING, None),
        (100, 1, CONFLATING, None),
        (11, 2, CONFLATING, None),
        (10, 3, LIVE, None),
    ],
    "up to the hard limit it is kept": [(1_000, 0, CONFLATING, None)],
    "one byte over the hard limit evicts, from live": [(1_001, 0, EVICTED, HARD_LIMIT)],
    "one byte over the hard limit evicts, while conflating": [
        (900, 0, CONFLATING, None),
        (1_001, 1, EVICTED, HARD_LIMIT),
    ],
    "without progress it is evicted when the time is up": [
        (500, 10, CONFLATING, None),
        (500, 14.999, CONFLATING, None),
        (500, 15, EVICTED, NO_PROGRESS),
    ],
    "a byte of progress begins the time anew": [
        (500, 0, CONFLATING, None),
        (499, 4.9, CONFLATING, None),
        (499, 9.8, CONFLATING, None),
        (498, 9.85, CONFLATING, None),
        (498, 14.8, CONFLATING, None),
        (498, 14.85, EVICTED, NO_PROGRESS),
    ],
    "a backlog that grows is no progress": [
        (500, 0, CONFLATING, None),
        (600, 3, CONFLATING, None),
        (650, 5, EVICTED, NO_PROGRESS),
    ],
    "reading what came on top is progress, though more is unread than before it came": [
        (500, 0, CONFLATING, None),
        (900, 3, CONFLATING, None),
        (899, 4, CONFLATING, None),
        (899, 8.9, CONFLATING, None),
        (898, 8.95, CONFLATING, None),
        (898, 13.95, EVICTED, NO_PROGRESS),
    ],
    "the time of an earlier episode doesn't count": [
        (500, 0, CONFLATING, None),
        (0, 4, LIVE, None),
        (500, 100, CONFLATING, None),
        (500, 104.9, CONFLATING, None),
        (500, 105, EVICTED, NO_PROGRESS),
    ],
    "having drained beats the time being up": [
        (500, 0, CONFLATING, None),
        (10, 60, LIVE, None),
    ],
    "the hard limit is named where both are true": [
        (500, 0, CONFLATING, None),
        (2_000, 60, EVICTED, HARD_LIMIT),
    ],
}


@pytest.mark.parametrize("steps", CASES.values(), ids=CASES.keys())
def test_of_unread_bytes_and_time(steps: list[Step]) -> None:
    backlog = Backlog(POLICY)
    for unread, now, state, verdict in steps:
        assert backlog.admit(unread, now) is verdict
        assert backlog.state is state


def test_conflating_can_be_begun_from_outside_and_ends_the_same_way() -> None:
    """What is left of a long catching up goes out later: the hub asks for the state, whatever is unread."""
    backlog = Backlog(POLICY)
    backlog.conflate(0, now=3.0)
    assert backlog.state is CONFLATING
    assert backlog.admit(0, 4.0) is None
    assert backlog.state is LIVE
    backlog.conflate(50, now=5.0)
    assert backlog.admit(50, 9.9) is None
    assert backlog.admit(50, 10.0) is NO_PROGRESS


def test_who_reads_but_never_catches_up_is_evicted_in_the_end() -> None:
    backlog = Backlog(replace(POLICY, soft_seconds=60.0))
    for second in range(60):
        assert backlog.admit(900 - second, 100.0 + second) is None
        assert backlog.state is CONFLATING
    assert backlog.admit(800, 160.0) is Eviction.TOO_LONG
    assert backlog.state is EVICTED


def test_having_drained_once_begins_the_soft_seconds_anew() -> None:
    backlog = Backlog(replace(POLICY, soft_seconds=4.0))
    assert backlog.admit(500, 0.0) is None
    assert backlog.admit(10, 3.9) is None
    assert backlog.admit(500, 4.0) is None
    assert backlog.admit(400, 7.9) is None
    backlog.conflate(0, 8.0)
    assert backlog.admit(500, 11.9) is None
    assert backlog.admit(400, 12.0) is Eviction.TOO_LONG


def test_no_progress_is_named_where_it_is_behind_for_too_long_as_well() -> None:
    backlog = Backlog(replace(POLICY, soft_seconds=5.0))
    assert backlog.admit(500, 0.0) is None
    assert backlog.admit(500, 5.0) is NO_PROGRESS


@given(
    st.sets(st.integers(0, 1_000), min_size=1),
    st.lists(st.floats(0, POLICY.no_progress_s, exclude_max=True), min_size=1),
)
def test_who_reads_a_little_in_every_while_is_never_evicted(
    unread: set[int], waits: list[float]
) -> None:
    """One byte within the no-progress time is enough, however long it takes in all."""
    backlog = Backlog(POLICY)
    now = 0.0
    for i, left in enumerate(sorted(unread, reverse=True)):
        assert backlog.admit(left, now) is None
        now += waits[i % len(waits)]


@given(st.lists(st.tuples(st.integers(0, 1_200), st.floats(0, 10)), max_size=30))
def test_who_is_live_or_evicted_follows_from_the_bytes(steps: list[tuple[int, float]]) -> None:
    """Whatever came before: over the hard limit is evicted, at most the low-water mark is live."""
    backlog = Backlog(POLICY)
    times = [sum(t for _, t in steps[: i + 1]) for i in range(len(steps))]
    assert all(a <= b for a, b in pairwise(times))
    for (unread, _), now in zip(steps, times, strict=True):
        verdict = backlog.admit(unread, now)
        if unread > POLICY.hard_limit:
            assert verdict is HARD_LIMIT
        if unread <= POLICY.low_water:
            assert (backlog.state, verdict) == (LIVE, None)
        assert (backlog.state is EVICTED) == (verdict is not None)
        if verdict is not None:
            break


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            {"soft_limit": 5, "low_water": 6, "hard_limit": 7},
            "backlog limits must rise: low water 6, soft 5, hard 7",
        ),
        (
            {"soft_limit": 8, "low_water": 6, "hard_limit": 7},
            "backlog limits must rise: low water 6, soft 8, hard 7",
        ),
        ({"low_water": -1}, "backlog limits must rise: low water -1, soft 32768, hard 8388608"),
        ({"no_progress_s": 0}, "no-progress time 0 s must be positive, and at most 1000000"),
        (
            {"no_progress_s": float("nan")},
            "no-progress time nan s must be positive, and at most 1000000",
        ),
        (
            {"no_progress_s": float("inf")},
            "no-progress time inf s must be positive, and at most 1000000",
        ),
        (
            {"soft_seconds": float("nan")},
            "soft seconds nan must be positive, and at most 1000000; or 0: for any time",
        ),
        (
            {"soft_seconds": float("inf")},
            "soft seconds inf must be positive, and at most 1000000; or 0: for any time",
        ),
        ({"no_progress_s": -2.5}, "no-progress time -2.5 s must be positive, and at most 1000000"),
        (
            {"soft_seconds": -1},
            "soft seconds -1 must be positive, and at most 1000000; or 0: for any time",
        ),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        BacklogPolicy(**limits)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_equal_limits_are_allowed() -> None:
    """No hysteresis, and nothing between conflating and evicting, is odd, but it is a choice."""
    policy = BacklogPolicy(soft_limit=0, low_water=0, hard_limit=0)
    backlog = Backlog(policy)
    assert backlog.admit(0, 0) is None
    assert backlog.admit(1, 0) is HARD_LIMIT
