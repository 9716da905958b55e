"""The parameters of a stream: a subscribe written as a URL."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from feeds.dialects.requests import Subscribe
from feeds.errors import Code, RequestError
from feeds.fanout.cursor import Cursor, Place
from feeds.protocol.query import StreamQuery, parse_query

KNOWN = "symbols, channels, interval, snapshot, mode, max_hz, epoch, since, last_event_id"


def parse(query: str, header: str | None = None, path: str = "/sse") -> StreamQuery:
    return parse_query(path, parse_qsl(query, keep_blank_values=True), header)


def test_defaults_are_those_of_subscribe() -> None:
    assert parse("symbols=AAPL") == StreamQuery(
        Subscribe(None, ("AAPL",), ("trades",), "1m", snapshot=True), None, cursors=False
    )


def test_everything_there_is() -> None:
    query = (
        "symbols=AAPL,A*,,AAPL&channels=quotes,bars&interval=1s&snapshot=false"
        '&epoch=9f3c&since={"AAPL":{"quotes":3,"bars":4}}&cursors=true'
    )
    assert parse(query, path="/stream") == StreamQuery(
        Subscribe(
            None,
            ("AAPL", "A*"),
            ("quotes", "bars"),
            "1s",
            snapshot=False,
            epoch="9f3c",
            since={"AAPL": {"quotes": 3, "bars:1s": 4}},
        ),
        None,
        cursors=True,
    )


@pytest.mark.parametrize(
    ("query", "header", "cursor"),
    [
        ("", None, None),
        ("&last_event_id=", None, None),
        ("&last_event_id=", "", None),
        ("&last_event_id=e-17", None, Cursor("e", Place(17))),
        ("&last_event_id=e-17-4", None, Cursor("e", Place(17, 4))),
        ("", "e-17", Cursor("e", Place(17))),
        # A browser that connects again sends the old URL and the new header.
        ("&last_event_id=e-17", "e-18", Cursor("e", Place(18))),
        # It would give up for ever on an error: an id of another server is one of another epoch.
        ("", "nonsense", Cursor("", Place(0))),
    ],
)
def test_cursors(query: str, header: str | None, cursor: Cursor | None) -> None:
    assert parse("symbols=A" + query, header).cursor == cursor


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("", Code.MISSING_FIELD, "the field 'symbols' is missing: a list of symbols, or \"*\""),
        (
            "symbols=",
            Code.INVALID_VALUE,
            "'symbols' must be a list of symbols and patterns, or \"*\", not []",
        ),
        (
            "symbol=AAPL",
            Code.UNKNOWN_FIELD,
            f"/sse has no parameter 'symbol'; its parameters are {KNOWN}",
        ),
        (
            "symbols=AAPL&cursors=true",
            Code.UNKNOWN_FIELD,
            f"/sse has no parameter 'cursors'; its parameters are {KNOWN}",
        ),
        ("symbols=A&symbols=B", Code.INVALID_VALUE, "the parameter 'symbols' is given twice"),
        (
            "symbols=A&channels=news",
            Code.UNKNOWN_CHANNEL,
            "unknown channel 'news'; the channels are trades, quotes, bars, status, depth",
        ),
        (
            "symbols=A&channels=",
            Code.INVALID_VALUE,
            "'channels' must be a list of channels, not []",
        ),
        (
            "symbols=A&interval=2m",
            Code.INVALID_VALUE,
            "unknown interval '2m'; the intervals are 1s, 1m, 5m, 1h, 1d",
        ),
        (
            "symbols=A&snapshot=no",
            Code.INVALID_VALUE,
            "'snapshot' must be true or false, not 'no'",
        ),
        (
            "symbols=A&since=3&epoch=e",
            Code.INVALID_VALUE,
            "'since' must be an object of symbols, not 3",
        ),
        (
            f"symbols=A&since={'[' * 900}{']' * 900}&epoch=e",
            Code.INVALID_VALUE,
            f"'since' must be an object of symbols, not '{'[' * 56}...",
        ),
        (
            "symbols=A&since={&epoch=e",
            Code.INVALID_VALUE,
            "'since' must be an object of symbols, not '{'",
        ),
        (
            "symbols=A&epoch=e",
            Code.MISSING_FIELD,
            "the field 'since' is missing: it belongs to 'epoch'",
        ),
        (
            "symbols=A&last_event_id=17",
            Code.INVALID_VALUE,
            "'last_event_id' must be the id of an event, not '17'",
        ),
        (
            "symbols=A&mode=newest",
            Code.INVALID_VALUE,
            "unknown mode 'newest'; the modes are all, latest",
        ),
        *(
            (
                f"symbols=A&mode=latest&max_hz={hz}",
                Code.INVALID_VALUE,
                f"'max_hz' must be a number from 0.01 to 1000, not {shown}",
            )
            for hz, shown in (
                ("0", "0"),
                ("1e4", "10000.0"),
                ("nan", "'nan'"),
                ("", "''"),
                ("5hz", "'5hz'"),
            )
        ),
        (
            "symbols=A&max_hz=5",
            Code.INVALID_VALUE,
            "'max_hz' 5 belongs to the mode latest, and this one is all",
        ),
        ("symbols=" + "A," * 1001, Code.TOO_MANY_SYMBOLS, "1001 symbols in one request"),
    ],
)
def test_what_is_wrong_is_named(query: str, code: Code, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(query)
    assert caught.value.code is code
    assert caught.value.message.startswith(message)


def test_cursors_of_lines_are_asked_for_with_true_or_false() -> None:
    assert not parse("symbols=A&cursors=false", path="/stream").cursors
    with pytest.raises(RequestError, match="'cursors' must be true or false, not 'yes'"):
        parse("symbols=A&cursors=yes", path="/stream")


def test_the_latest_only_can_be_asked_for_and_has_no_cursors() -> None:
    assert parse("symbols=A&mode=latest&max_hz=0.5").subscribe == Subscribe(
        None, ("A",), ("trades",), "1m", snapshot=True, mode="latest", max_hz=0.5
    )
    with pytest.raises(RequestError, match="'cursors' must be false with the mode latest"):
        parse("symbols=A&mode=latest&cursors=true", path="/stream")


def test_bytes_that_are_no_text_are_no_symbol() -> None:
    assert parse_query("/sse", [("symbols", "A\udcff")]).subscribe.symbols == ("A?",)
