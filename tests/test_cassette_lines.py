"""The format of cassettes."""

import orjson
import pytest

from feeds.cassette.lines import (
    Closed,
    Head,
    Line,
    Message,
    Opened,
    Refused,
    TapeError,
    parse_head,
    parse_line,
)

LINES: list[Line] = [
    Opened(0.0, 1, "/ws?x=1", "v1", {"origin": "http://localhost"}),
    Opened(0.5, 2, "/"),
    Refused(1.25, 3, "/ws", 401),
    Message(2.000001, 1, True, '{"a":"ü\\n"}'),
    Message(3.0, 1, False, b"\x00\xff"),
    Closed(4.0, 1, "server", 4001, "enough"),
]


@pytest.mark.parametrize("line", LINES)
def test_what_is_written_is_read_back(line: Line) -> None:
    raw = line.encode()
    assert raw.count(b"\n") == 1
    assert parse_line(raw) == line


def test_a_message_looks_as_documented() -> None:
    assert Message(0.25, 2, True, "hi").encode() == b'{"t":0.25,"conn":2,"dir":"in","text":"hi"}\n'
    assert Message(1.0, 2, False, b"hi").encode() == (
        b'{"t":1.0,"conn":2,"dir":"out","b64":"aGk="}\n'
    )


def test_the_head_is_read_back() -> None:
    head = Head("wss://feed.example", "2026-01-02T03:04:05+00:00", ("session",), ("key",))
    assert parse_head(head.encode()) == head


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"no json", "it is not JSON"),
        (b"[1]", "it is no JSON object"),
        (b'{"type":"hello"}', "it is no cassette: its first line has no field 'cassette'"),
        (b'{"cassette":2}', "it is of version 2, and only 1 can be read here"),
        (b'{"cassette":1,"upstream":3}', "'upstream' must be of type str, and is 3"),
    ],
)
def test_what_is_no_cassette_is_told(raw: bytes, message: str) -> None:
    with pytest.raises(TapeError, match=message):
        parse_head(raw)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t": -1}, "'t' must be a number from 0, and is -1"),
        ({"t": True}, "'t' must be a number from 0, and is True"),
        ({"conn": "1"}, "'conn' must be of type int, and is '1'"),
        ({"dir": "up"}, "'dir' must be in or out, and is 'up'"),
        ({"text": 5}, "'text' must be of type str, and is 5"),
        ({"b64": "?"}, "'b64' is no base64"),
    ],
)
def test_a_damaged_line_is_told_with_field_and_value(
    change: dict[str, object], message: str
) -> None:
    line = {"t": 1.0, "conn": 1, "dir": "in", "text": "x"} | change
    with pytest.raises(TapeError, match=message):
        parse_line(orjson.dumps(line))


def test_an_unknown_event_is_told() -> None:
    with pytest.raises(TapeError, match="'event' must be open or refused or close, and is 'x'"):
        parse_line(b'{"t":0,"conn":1,"event":"x"}')
