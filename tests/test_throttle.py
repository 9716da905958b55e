"""A throttle: what was done just now isn't done again."""

from feeds.clock import ManualClock, ScaledClock
from feeds.engine.throttle import Throttle


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
