"""Throttles: what was done just now isn't done again, and turns that write little are so many at most."""

from feeds.clock import ManualClock, ScaledClock
from feeds.counters.stats import HubStats
from feeds.engine.throttle import Gathering, Throttle


def test_it_is_time_again_when_the_seconds_are_over() -> None:
    now = [5.0]
    throttle = Throttle(ScaledClock(0, monotonic=lambda: now[0]))

    def over(at: float) -> bool:
        now[0] = at
        return throttle.passes(1.0)

    done = [at for at in (5.0, 5.0, 5.5, 6.0, 6.9, 7.0) if over(at)]
    assert done == [5.0, 6.0, 7.0]


def test_without_a_length_it_is_always_time() -> None:
    throttle = Throttle(ScaledClock(0, monotonic=lambda: 7.0))
    assert all(throttle.passes(0.0) for _ in range(3))


def test_on_a_clock_without_a_pace_nothing_is_throttled() -> None:
    throttle = Throttle(ManualClock(0))
    assert all(throttle.passes(1.0) for _ in range(3))


def test_some_turns_with_few_writes_may_come_one_after_the_other() -> None:
    """Eight, after a pause; how many turns without writes, or with many, there were doesn't count."""
    stats = HubStats()
    gathering = Gathering(stats, speed=1.0)
    now, waits = 1_000_000, list[int]()
    for _ in range(10):
        gathering.due_us(now, now)
        stats.writes += 1
        waits.append(gathering.due_us(now, now) - now)
        stats.writes += 16
        assert gathering.due_us(now, now) == now
    assert waits == [*[0] * 8, 1_250, 2_500]
    now += 10 * 1_250
    stats.writes += 1
    assert gathering.due_us(now, now) == now
