"""Server messages into typed values."""

import dataclasses

import pytest
from fake_feed import TIME, bar, hello, quote, snapshot, status, trade

from clients.core.decode import BUILDERS, Item, build_snapshot, parse_message
from clients.events import Bar, Event, Hello, Quote, Snapshot, Status, Trade, TradeTotal
from clients.failures import ClosedError, MalformedMessageError, RequestError


@pytest.mark.parametrize(
    ("item", "event"),
    [
        (trade("AAPL", 4), Trade("AAPL", 4, TIME, 187.43, 100)),
        (trade("AAPL", 4, merged=3), Trade("AAPL", 4, TIME, 187.43, 100, 3)),
        (
            trade("AAPL", 4, merged=3, volume=700, open=187.4, high=187.5, low=187.3),
            Trade("AAPL", 4, TIME, 187.43, 100, 3, TradeTotal(700, 187.4, 187.5, 187.3, 187.43)),
        ),
        (
            trade("AAPL", 4, exchange="V", conditions=["I", "T"]),
            Trade("AAPL", 4, TIME, 187.43, 100, exchange="V", conditions=("I", "T")),
        ),
        (quote("AAPL", 5), Quote("AAPL", 5, TIME, 187.42, 300, 187.44, 200)),
        (quote("AAPL", 5, merged=1), Quote("AAPL", 5, TIME, 187.42, 300, 187.44, 200, 1)),
        (
            bar("AAPL", 6, "1s", unknown="field"),
            Bar("AAPL", 6, TIME, "1s", 187.0, 188.0, 186.5, 187.5, 900, 187.3, 12),
        ),
        (status("AAPL", 7), Status("AAPL", 7, TIME, "halted", "LUDP")),
    ],
)
def test_each_event_type_has_its_class(item: Item, event: Event) -> None:
    """Fields are taken by name; unknown ones are ignored."""
    assert BUILDERS[item["type"]](item) == event


@pytest.mark.parametrize(
    ("fields", "last"),
    [
        ({}, 187.43),
        ({"conditions": ["F", "X"]}, 187.43),
        ({"conditions": ["F", "I"]}, None),
        (
            {"conditions": ["I"], "volume": 9, "open": 1.0, "high": 2.0, "low": 1.0, "close": 1.5},
            1.5,
        ),
        ({"volume": 9, "open": None, "high": None, "low": None, "close": None}, None),
    ],
)
def test_a_trade_tells_which_last_price_it_leaves_behind(
    fields: dict[str, object], last: float | None
) -> None:
    """Its conditions say so, or, where it replaces others, its close."""
    event = BUILDERS["trade"](trade("AAPL", 4, **fields))
    assert isinstance(event, Trade)
    assert event.last == last


def test_a_snapshot_before_the_first_trade_has_no_day_yet() -> None:
    """What is null on the wire, or absent, is None."""
    item = snapshot("AAPL", 3) | {"size": None, "open": None, "high": None}
    del item["low"]
    seq = {"trades": 3, "quotes": 0, "status": 0}
    assert build_snapshot(item) == Snapshot(
        "AAPL", TIME, seq, 187.0, None, 186.99, 300, 187.01, 200,
        None, None, None, 186.0, 1000, "trading",
    )  # fmt: skip


def test_hello_may_lack_what_has_a_default() -> None:
    """Intervals and auth are optional for the client."""
    item = hello()
    del item["intervals"], item["auth"]
    parsed = Hello.parse(item)
    assert (parsed.intervals, parsed.auth, parsed.epoch) == ((), False, "e1")
    assert parsed.rules == "open"
    assert Hello.parse(item | {"rules": "us"}).rules == "us"


def test_events_are_immutable_and_small() -> None:
    """No dictionary for each of millions, and no accidental changes."""
    event = Trade("AAPL", 4, TIME, 187.43, 100)
    assert not hasattr(event, "__dict__")
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.price = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "malformed message: unexpected end"), ('{"type":"trade"}', "not an array"), ("7", "not an array")],
)  # fmt: skip
def test_what_is_not_an_array_is_malformed(text: str, words: str) -> None:
    """The error quotes the message."""
    with pytest.raises(MalformedMessageError, match=words):
        parse_message(text)


def test_errors_carry_their_data() -> None:
    """Programs look at attributes, people read the text."""
    refused = RequestError("unknown_symbol", "unknown symbol 'APPL'", 5)
    assert (refused.code, refused.message, refused.id) == ("unknown_symbol", str(refused), 5)
    assert str(ClosedError(1008, "")) == "connection closed with 1008: no reason given"
