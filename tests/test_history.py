"""The history gives exactly what was missed, or says that it can't: never a part."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.config import FeedConfig
from feeds.fanout.history import EVENT_BYTES, MOST_EVENTS, History


def history_of(length: int) -> History:
    history = History(1, length * 2 * EVENT_BYTES)
    assert history.length == length
    return history


@given(st.integers(1, 6), st.lists(st.integers(0, 2), max_size=40), st.data())
def test_it_gives_all_events_after_a_sequence_or_none(
    length: int, slots: list[int], data: st.DataObject
) -> None:
    """Against lists that keep everything."""
    history = history_of(length)
    everything: dict[int, list[bytes]] = {0: [], 1: [], 2: []}
    for slot in slots:
        everything[slot].append(b"%d:%d" % (slot, len(everything[slot]) + 1))
        history.extend([slot], everything[slot][-1:])
    for slot, events in everything.items():
        since = data.draw(st.integers(0, len(events)))
        missed = events[since:]
        assert history.after(slot, since, len(events)) == (
            missed if len(missed) <= length else None
        )
        count = data.draw(st.integers(0, 10))
        assert history.last(slot, count) == events[max(0, len(events) - min(count, length)) :]


def test_a_turns_events_are_kept_in_order() -> None:
    history = history_of(3)
    history.extend([0, 1, 0, 0, 0], [b"a", b"b", b"c", b"d", b"e"])
    assert history.last(0, 10) == [b"c", b"d", b"e"]
    assert history.last(1, 10) == [b"b"]


def test_what_never_had_an_event_is_complete_as_long_as_nothing_was_published() -> None:
    history = history_of(3)
    assert history.after(5, 0, 0) == []
    assert history.after(5, 0, 1) is None
    assert history.last(5, 10) == []


@pytest.mark.parametrize(
    ("symbols", "budget", "length"),
    [
        (1, 0, 0),
        (100, 2 * 100 * EVENT_BYTES - 1, 0),
        (100, 2 * 100 * EVENT_BYTES, 1),
        (500, 64_000_000, 376),
        (1, 10**12, MOST_EVENTS),
    ],
)
def test_the_memory_is_shared_among_the_symbols(symbols: int, budget: int, length: int) -> None:
    history = History(symbols, budget)
    assert history.length == length
    assert bool(history) == (length > 0)


def test_what_the_protocol_says_of_its_length_is_so() -> None:
    text = (Path(__file__).parent.parent / "feeds/PROTOCOL.md").read_text("utf-8")
    found = re.search(
        r"the newest ([\d,]+) events .* default of (\d+) MB does up to\s+(\d+) symbols,"
        r" and gives (\d+) events each of ([\d,]+)",
        text,
    )
    assert found
    most, megabytes, symbols, fewer, many = (int(n.replace(",", "")) for n in found.groups())
    assert (most, megabytes) == (MOST_EVENTS, FeedConfig().history_mb)
    lengths = [History(n, megabytes * 1_000_000).length for n in (symbols, symbols + 1, many)]
    assert lengths[0] == most > lengths[1]
    assert lengths[2] == fewer
