"""What streams over HTTP are made of: the same array as a WebSocket message, in an event or as lines."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streaming import SseParser, messages_in

from feeds.fanout.group import Group
from feeds.fanout.interest import NOTHING
from feeds.wire.bodies import EventStream, Lines
from feeds.wire.envelope import HEADS

HEAD = HEADS[1]
TRADE, QUOTE = b'{"type":"trade","seq":1}', b'{"type":"quote","seq":2}'


def cursor() -> bytes:
    return b"9f3c-17"


def unchunked(data: bytes) -> bytes:
    """Take the framing of one chunk off."""
    size, _, rest = bytes(data).partition(b"\r\n")
    assert len(rest) == int(size, 16) + 2
    assert rest.endswith(b"\r\n")
    return rest[:-2]


def test_an_event() -> None:
    stream = EventStream(chunked=False, cursor=cursor)
    assert stream.seal((HEAD, TRADE + b",", b"", QUOTE + b",")) == (
        b"id: 9f3c-17\ndata: [" + TRADE + b"," + QUOTE + b"]\n\n"
    )
    assert stream.wrap(b"[1]") == b"id: 9f3c-17\ndata: [1]\n\n"
    assert stream.greet(b"[1]", 700) == b"retry: 700\ndata: [1]\n\n"


def test_an_event_claims_nothing_that_was_not_delivered() -> None:
    assert EventStream(chunked=False, cursor=cursor).wrap(b"[1]", whole=False) == b"data: [1]\n\n"
    assert EventStream(chunked=False).seal((HEAD, b"1,")) == b"data: [1]\n\n"


def test_lines() -> None:
    lines = Lines(chunked=False)
    assert lines.seal((HEAD, TRADE + b"," + QUOTE + b",")) == TRADE + b"\n" + QUOTE + b"\n"
    assert lines.wrap(b"[" + TRADE + b"]") == TRADE + b"\n"
    assert lines.greet(b"[" + TRADE + b"]", 700) == TRADE + b"\n"


def test_lines_with_cursors() -> None:
    lines = Lines(chunked=False, cursor=cursor)
    place = b'{"type":"cursor","cursor":"9f3c-17"}\n'
    assert lines.seal((HEAD, TRADE + b",")) == TRADE + b"\n" + place
    assert lines.wrap(b"[" + TRADE + b"]") == TRADE + b"\n" + place
    assert lines.wrap(b"[" + TRADE + b"]", whole=False) == TRADE + b"\n"
    assert lines.greet(b"[" + TRADE + b"]", 700) == TRADE + b"\n"


@pytest.mark.parametrize("kind", [EventStream, Lines])
@pytest.mark.parametrize("size", [1, 15, 16, 255, 256, 70_000])
def test_a_chunk_is_the_message_with_its_length(kind: type[EventStream | Lines], size: int) -> None:
    payload = b"[" + b"1" * size + b"]"
    for whole in (False, True):
        for give in (None, cursor):
            plain = kind(chunked=False, cursor=give).wrap(payload, whole=whole)
            chunk = kind(chunked=True, cursor=give).wrap(payload, whole=whole)
            assert unchunked(chunk) == plain
    sealed = kind(chunked=True).seal((HEAD, b"1" * size + b","))
    assert unchunked(sealed) == kind(chunked=False).wrap(payload)


@pytest.mark.parametrize("kind", [EventStream, Lines])
def test_no_fragments_make_no_message(kind: type[EventStream | Lines]) -> None:
    """Nor an empty chunk, which would end the response."""
    for pieces in ((), (HEAD,), (HEAD, b"", b"")):
        assert kind(chunked=True, cursor=cursor).seal(pieces) == b""


@pytest.mark.parametrize("kind", [EventStream, Lines])
def test_one_object_serves_all_groups(kind: type[EventStream | Lines]) -> None:
    envelope = kind(chunked=True)
    group = Group(NOTHING, envelope, [], [], 0.0)  # type: ignore[arg-type]
    assert group.envelope is envelope
    assert envelope.open() is envelope
    envelope.restart()
    assert envelope.number == HEADS.index(b"[")


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text().filter(lambda k: k != "type"), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.lists(
    st.tuples(st.text(), st.dictionaries(st.text().filter(lambda k: k != "type"), values)).map(
        lambda pair: {"type": pair[0]} | pair[1]
    ),
    min_size=1,
    max_size=5,
)


@given(objects)
def test_lines_are_the_objects_whatever_is_in_them(items: list[dict[str, Any]]) -> None:
    text = bytes(Lines(chunked=False).wrap(orjson.dumps(items)))
    assert [orjson.loads(line) for line in text.split(b"\n")[:-1]] == items
    evil = [
        {"type": "x", "name": '"},{"type":"y"'},
        {"type": '},{"type"', "a": [{"b": 1}, {"c": 2}]},
    ]
    text = bytes(Lines(chunked=False).wrap(orjson.dumps(evil)))
    assert [orjson.loads(line) for line in text.split(b"\n")[:-1]] == evil


@given(objects)
def test_an_event_is_the_array_whatever_is_in_it(items: list[dict[str, Any]]) -> None:
    payload = orjson.dumps(items)
    (message,) = messages_in(bytes(EventStream(chunked=False, cursor=cursor).wrap(payload)))
    assert message.data == payload.decode()
    assert message.last_event_id == "9f3c-17"


# The parser that the tests believe.


def test_the_parser_reads_the_examples_of_the_standard() -> None:
    assert [m.data for m in messages_in(b"data: YHOO\ndata: +2\ndata: 10\n\n")] == ["YHOO\n+2\n10"]
    text = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    assert [(m.data, m.last_event_id) for m in messages_in(text)] == [
        ("first event", "1"),
        ("second event", ""),
        (" third event", ""),
    ]
    assert [m.data for m in messages_in(b"data\n\ndata\ndata\n\ndata:test\r\n\r\n")] == [
        "",
        "\n",
        "test",
    ]
    parser = SseParser()
    (message,) = parser.feed(b"retry: 10\nretry: x\nevent: add\nid: a\0b\ndata: 7\r\r")
    assert (parser.retry, message.kind, message.last_event_id) == (10, "add", "")
