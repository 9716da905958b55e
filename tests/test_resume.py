"""What a client that comes back is told of one symbol: all of it, or a gap and why."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from feeds.fanout.history import EVENT_BYTES, History
from feeds.fanout.resume import Resume
from ticker.batch import BARS, QUOTES, TRADES

SYMBOLS = 3
AAPL = 1
"""The symbol's id."""


def resume(since: dict[str, dict[str, int]], *, same_epoch: bool = True) -> Resume:
    """A history with the newest five of ten trades, one of one quotes, and two of two one-minute bars of AAPL."""
    history = History(SYMBOLS, 5 * 2 * SYMBOLS * EVENT_BYTES)
    for channel, count in ((TRADES, 10), (QUOTES, 1), (BARS + 1, 2)):
        slot = channel * SYMBOLS + AAPL
        events = [b'{"channel":%d,"seq":%d},' % (channel, n) for n in range(1, count + 1)]
        history.extend([slot] * count, events)
    return Resume(history, same_epoch, since)


def told(it: Resume, channels: list[int], newest: list[int]) -> tuple[list[Any], bool]:
    objects, snapshot = it.of("AAPL", AAPL, SYMBOLS, channels, newest)
    return [orjson.loads(o) for o in objects], snapshot


def gap(channel: str, first: int, last: int, reason: str) -> dict[str, Any]:
    return {
        "type": "gap",
        "symbol": "AAPL",
        "channel": channel,
        "from": first,
        "to": last,
        "reason": reason,
    }


@pytest.mark.parametrize(
    ("since", "objects", "snapshot"),
    [
        ({"trades": 10}, [], False),
        ({"trades": 8}, [{"channel": 0, "seq": 9}, {"channel": 0, "seq": 10}], False),
        ({"trades": 5}, [{"channel": 0, "seq": n} for n in range(6, 11)], False),
        ({"trades": 4}, [gap("trades", 5, 10, "too_old")], True),
        ({"trades": 0}, [gap("trades", 1, 10, "too_old")], True),
        ({"trades": 11}, [gap("trades", 12, 10, "ahead")], True),
        ({}, [], True),
        ({"quotes": 0}, [], True),
    ],
)
def test_one_channel(since: dict[str, int], objects: list[Any], snapshot: bool) -> None:
    assert told(resume({"AAPL": since}), [TRADES], [10]) == (objects, snapshot)


def test_each_channel_is_for_itself() -> None:
    """One with everything, one with a gap, one that the client didn't have: then a snapshot follows."""
    it = resume({"AAPL": {"trades": 9, "quotes": 5}})
    assert told(it, [TRADES, QUOTES, BARS + 1], [10, 1, 2]) == (
        [{"channel": 0, "seq": 10}, gap("quotes", 6, 1, "ahead")],
        True,
    )


def test_bars_go_by_their_interval() -> None:
    it = resume({"AAPL": {"bars:1m": 1}})
    assert told(it, [BARS + 1], [2]) == ([{"channel": BARS + 1, "seq": 2}], False)
    assert told(it, [BARS], [2]) == ([], True)


def test_sequences_of_another_run_are_a_gap_whatever_they_are() -> None:
    for since in (0, 9, 10, 99):
        it = resume({"AAPL": {"trades": since}}, same_epoch=False)
        assert told(it, [TRADES], [10]) == ([gap("trades", since + 1, 10, "epoch")], True)


def test_a_symbol_that_the_client_didnt_have_gets_its_snapshot() -> None:
    assert told(resume({"MSFT": {"trades": 1}}), [TRADES], [10]) == ([], True)


def test_a_gap_is_written_as_the_document_has_it() -> None:
    objects, _ = resume({"AAPL": {"trades": 1}}).of("AAPL", AAPL, SYMBOLS, [TRADES], [10])
    assert objects == [
        b'{"type":"gap","symbol":"AAPL","channel":"trades","from":2,"to":10,"reason":"too_old"}'
    ]


@pytest.mark.parametrize(
    ("since", "weight"),
    [
        ({}, 0),
        ({"AAPL": {"trades": 10, "quotes": 1}}, 0),
        ({"AAPL": {"trades": 7, "quotes": 0}}, 4),
        ({"AAPL": {"trades": 0}}, 5),
        ({"AAPL": {"trades": 99}}, 0),
        ({"MSFT": {"trades": 0}}, 0),
    ],
)
def test_its_weight_is_about_the_number_of_events_to_tell(
    since: dict[str, dict[str, int]], weight: int
) -> None:
    """What is too old isn't told, so it weighs no more than the history is long."""
    assert resume(since).weight("AAPL", [TRADES, QUOTES], [10, 1]) == weight
