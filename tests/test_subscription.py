"""What a connection is subscribed to and how, against a plain dictionary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.fanout.interest import Interest
from feeds.fanout.subscription import Subscription

symbols = st.sets(st.integers(0, 3))
channels = st.sets(st.integers(0, 2))
windows = st.sampled_from([None, 10, 1_000, 50])
steps = st.lists(st.tuples(st.booleans(), symbols, channels, windows), max_size=12)


def pairs(interest: Interest) -> set[tuple[int, int]]:
    return {(s, c) for c, symbols in interest.channels for s in symbols}


@given(steps)
def test_each_symbol_and_channel_has_one_mode_the_last_one(
    changes: list[tuple[bool, set[int], set[int], int | None]],
) -> None:
    subscription = Subscription()
    expected: dict[tuple[int, int], int | None] = {}
    for more, some, on, window in changes:
        keys = {(s, c) for s in some for c in on}
        if more:
            subscription = subscription.add(some, on, window)
            expected |= dict.fromkeys(keys, window)
        else:
            subscription = subscription.remove(some, on)
            expected = {k: w for k, w in expected.items() if k not in keys}
    told = dict.fromkeys(pairs(subscription.full), None) | {
        key: window for window, interest in subscription.paced for key in pairs(interest)
    }
    assert told == expected
    lengths = [window for window, _ in subscription.paced]
    assert lengths == sorted(set(lengths))
    assert all(interest for _, interest in subscription.paced)


def test_equal_wishes_are_equal_however_they_came_about() -> None:
    one = Subscription().add([0, 1], [0], 10).add([2], [0], None)
    other = Subscription().add([0, 1, 2], [0], 99).add([0, 2], [0], None).add([1, 0], [0], 10)
    assert one == other
