"""How long this process has been running, with the time in our hands."""

from feeds.awake import Awake


class Hands:
    """Seconds that somebody sets."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_who_looks_rarely_and_late_each_time_still_sees_time_go_on() -> None:
    """A pause counts as the usual time between two looks; what is as late as that alone isn't one."""
    hands = Hands()
    awake = Awake(hands, usual_s=0.5)
    seen = []
    for passed in (0.5, 1.25, 1.5, 1.75, 1.75, 3_600.0):
        hands.now += passed
        seen.append(awake())
    assert seen == [100.5, 101.75, 103.25, 103.75, 104.25, 104.75]


def test_a_clock_that_steps_back_is_not_taken_for_a_pause() -> None:
    """No monotonic clock does; if one did, nobody would be evicted for it."""
    hands = Hands()
    awake = Awake(hands)
    hands.now -= 50
    assert awake() == 50.0
    hands.now += 0.5
    assert awake() == 50.5
