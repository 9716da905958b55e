"""What the load generator counts without parsing."""

from typing import Any

import orjson
import pytest
from fake_feed import TIME, bar, hello, quote, snapshot, status, trade
from hypothesis import given
from hypothesis import strategies as st

from clients.loadgen.tally import Tally

Item = dict[str, Any]

MAKERS = [trade, quote, bar, status]
SYMBOLS = st.sampled_from(["AAPL", "GOOG", "gold", 'A"seq":1', 'B"merged":7', "Ü"])


def count(*messages: list[Item], now_ms: float = TIME) -> Tally:
    tally = Tally(sample_every=1)
    for items in messages:
        tally.message(orjson.dumps(items), now_ms)
    return tally


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(MAKERS), SYMBOLS, st.integers(0, 9)), min_size=1, max_size=9
        ),
        max_size=9,
    )
)
def test_the_cheap_counts_are_those_of_a_parser(
    drafts: list[list[tuple[Any, str, int]]],
) -> None:
    """Whatever the events, and whatever is in their strings."""
    messages = [
        [make(symbol, 1, **({"merged": merged} if merged else {})) for make, symbol, merged in some]
        for some in drafts
    ]
    tally = count(*messages)
    events = [item for items in messages for item in items]
    merges = [item["merged"] for item in events if "merged" in item]
    assert tally.frames == len(messages)
    assert tally.events == len(events)
    assert (tally.merged_events, tally.merged) == (len(merges), sum(merges))


def test_other_messages_are_no_events() -> None:
    """They are frames, though."""
    subscribed = {"type": "subscribed", "symbols": ["AAPL"], "channels": ["trades"]}
    tally = count([hello()], [subscribed], [{"type": "heartbeat", "time": TIME}])
    assert (tally.frames, tally.events, tally.histogram.get_total_count()) == (3, 0, 0)


def test_white_space_after_a_key_makes_no_difference() -> None:
    """Servers may write JSON as they like."""
    tally = Tally()
    tally.message(b'[{"type": "trade", "seq": 4, "merged": 2}]', TIME)
    assert (tally.events, tally.merged) == (1, 2)


@pytest.mark.parametrize(
    ("late_ms", "recorded", "insane"),
    [(2.5, 2500, 0), (0.0, 1, 0), (-3.0, 1, 0), (-90.0, None, 1), (90_000.0, None, 1)],
)
def test_latency_is_the_age_of_an_event_if_the_clocks_are_those_of_the_wall(
    late_ms: float, recorded: int | None, insane: int
) -> None:
    """Clocks of one machine may differ by little; a market on its own clock is told apart."""
    tally = count([trade("AAPL", 1)], now_ms=TIME + late_ms)
    assert tally.insane == insane
    found = tally.histogram.get_max_value() if tally.histogram.get_total_count() else None
    assert found == recorded or abs(found - recorded) <= 2


def test_a_bar_says_nothing_about_latency() -> None:
    """Its time is the beginning of its interval."""
    tally = count([bar("AAPL", 1)], [bar("AAPL", 2)])
    assert (tally.events, tally.insane, tally.histogram.get_total_count()) == (2, 0, 0)


@pytest.mark.parametrize(
    "text",
    [b'[{"seq":1}]', b'[{"seq":1,"time":}]', b'[{"type":"trade","seq":1,"time":"x"}]'],
)
def test_a_sample_that_cannot_be_read_is_counted_as_such(text: bytes) -> None:
    """A load test goes on."""
    tally = Tally()
    tally.message(text, TIME)
    assert (tally.events, tally.insane) == (1, 1)


def test_samples_are_taken_every_so_many_events_wherever_in_a_message() -> None:
    """Neither always the first nor always the last event of a message."""
    tally = Tally(sample_every=10)
    items = [trade("AAPL", n, time=TIME - n) for n in range(20)]
    for _ in range(100):
        tally.message(orjson.dumps(items), TIME)
    assert tally.histogram.get_total_count() == 100
    ages = {round(entry.value_iterated_to / 1000) for entry in tally.histogram.get_recorded_iterator()}  # fmt: skip
    assert len(ages) > 10


@pytest.mark.parametrize(
    ("events_per_s", "every"), [(0, 1), (1999, 1), (4000, 3), (1_000_000, 501)]
)
def test_the_number_of_samples_is_kept_at_some_thousand_a_second(
    events_per_s: float, every: int
) -> None:
    """An odd distance doesn't fall into step with messages of even length."""
    tally = Tally()
    tally.adapt(events_per_s)
    assert tally.sample_every == every


def test_latencies_can_be_forgotten_while_the_traffic_goes_on_counting() -> None:
    """What came while clients were still connecting was late for that reason."""
    tally = count([trade("AAPL", 1, merged=2)], [trade("AAPL", 2, time=0.0)])
    tally.received = 100
    assert (tally.insane, tally.histogram.get_total_count()) == (1, 1)
    tally.forget_latency()
    assert (tally.insane, tally.histogram.get_total_count()) == (0, 0)
    assert tally.traffic() == (2, 2, 100, 1, 2)


def test_a_snapshot_is_not_an_event_but_would_be_counted() -> None:
    """Which is why the load generator asks for none."""
    assert count([snapshot("AAPL", 3)]).events == 1
