"""Requests: every action and option, and for everything else one clear error that names the value."""

from __future__ import annotations

import string
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.dialects.requests import (
    CHANNEL_NAMES,
    LITTLE,
    MAX_REQUEST_BYTES,
    Auth,
    Ping,
    Request,
    SnapshotRequest,
    Subscribe,
    Symbols,
    Unsubscribe,
    is_little,
    parse_request,
)
from feeds.errors import Code, RequestError

ALL = CHANNEL_NAMES
SUBSCRIBE: dict[str, Any] = {"action": "subscribe", "symbols": ["AAPL"]}

ACCEPTED: list[tuple[dict[str, Any], Request]] = [
    (SUBSCRIBE, Subscribe(None, ("AAPL",), ("trades",), "1m", True)),
    ({**SUBSCRIBE, "id": 1}, Subscribe(1, ("AAPL",), ("trades",), "1m", True)),
    ({**SUBSCRIBE, "id": "x" * 64}, Subscribe("x" * 64, ("AAPL",), ("trades",), "1m", True)),
    ({**SUBSCRIBE, "id": ""}, Subscribe("", ("AAPL",), ("trades",), "1m", True)),
    # What may be left out may be null.
    (
        {
            **SUBSCRIBE,
            **dict.fromkeys(
                ("id", "channels", "interval", "snapshot", "mode", "max_hz", "epoch", "since")
            ),
        },
        Subscribe(None, ("AAPL",), ("trades",), "1m", True),
    ),
    (
        {"action": "unsubscribe", "symbols": "AAPL", "channels": None, "interval": None},
        Unsubscribe(None, ("AAPL",), ALL, None),
    ),
    (
        {**SUBSCRIBE, "id": 2**53 - 1},
        Subscribe(2**53 - 1, ("AAPL",), ("trades",), "1m", True),
    ),
    ({**SUBSCRIBE, "id": -(2**53) + 1}, Subscribe(1 - 2**53, ("AAPL",), ("trades",), "1m", True)),
    ({**SUBSCRIBE, "symbols": "*"}, Subscribe(None, ("*",), ("trades",), "1m", True)),
    ({**SUBSCRIBE, "symbols": "AAPL"}, Subscribe(None, ("AAPL",), ("trades",), "1m", True)),
    (
        {**SUBSCRIBE, "symbols": ["B*", "AAPL", "B*", "AAPL"]},
        Subscribe(None, ("B*", "AAPL"), ("trades",), "1m", True),
    ),
    (
        {**SUBSCRIBE, "symbols": ["A"] * 1000},
        Subscribe(None, ("A",), ("trades",), "1m", True),
    ),
    (
        {**SUBSCRIBE, "channels": ["status", "bars", "quotes", "trades", "bars"]},
        Subscribe(None, ("AAPL",), ("status", "bars", "quotes", "trades"), "1m", True),
    ),
    *(
        (
            {**SUBSCRIBE, "channels": ["bars"], "interval": interval},
            Subscribe(None, ("AAPL",), ("bars",), interval, True),
        )
        for interval in ("1s", "1m", "5m", "1h", "1d")
    ),
    (
        {**SUBSCRIBE, "mode": "all"},
        Subscribe(None, ("AAPL",), ("trades",), "1m", True, mode="all"),
    ),
    *(
        (
            {**SUBSCRIBE, "mode": "latest", "max_hz": hz},
            Subscribe(None, ("AAPL",), ("trades",), "1m", True, mode="latest", max_hz=hz),
        )
        for hz in (0.01, 0.5, 1, 10, 1000, 1000.0)
    ),
    (
        {**SUBSCRIBE, "mode": "latest"},
        Subscribe(None, ("AAPL",), ("trades",), "1m", True, mode="latest", max_hz=10),
    ),
    ({**SUBSCRIBE, "snapshot": False}, Subscribe(None, ("AAPL",), ("trades",), "1m", False)),
    ({**SUBSCRIBE, "snapshot": True}, Subscribe(None, ("AAPL",), ("trades",), "1m", True)),
    (
        {**SUBSCRIBE, "epoch": "9f3c", "since": {"AAPL": {"trades": 0, "quotes": 2**53 - 2}}},
        Subscribe(
            None,
            ("AAPL",),
            ("trades",),
            "1m",
            True,
            "9f3c",
            {"AAPL": {"trades": 0, "quotes": 2**53 - 2}},
        ),
    ),
    (
        {
            **SUBSCRIBE,
            "channels": ["bars"],
            "interval": "5m",
            "epoch": "e",
            "since": {"AAPL": {"bars": 3, "bars:1s": 9, "status": 1}, "MSFT": {}},
        },
        Subscribe(
            None,
            ("AAPL",),
            ("bars",),
            "5m",
            True,
            "e",
            {"AAPL": {"bars:5m": 3, "bars:1s": 9, "status": 1}, "MSFT": {}},
        ),
    ),
    (
        {**SUBSCRIBE, "epoch": "", "since": {}},
        Subscribe(None, ("AAPL",), ("trades",), "1m", True, "", {}),
    ),
    (
        {"action": "unsubscribe", "symbols": ["AAPL"]},
        Unsubscribe(None, ("AAPL",), ALL, None),
    ),
    (
        {"action": "unsubscribe", "symbols": "*", "channels": ["bars"], "interval": "5m", "id": 9},
        Unsubscribe(9, ("*",), ("bars",), "5m"),
    ),
    (
        {"action": "snapshot", "symbols": ["A?", "MSFT"], "id": "s"},
        SnapshotRequest("s", ("A?", "MSFT")),
    ),
    ({"action": "symbols"}, Symbols(None)),
    ({"action": "symbols", "id": 0}, Symbols(0)),
    ({"action": "ping"}, Ping(None)),
    ({"action": "ping", "id": -1}, Ping(-1)),
    ({"action": "auth", "token": "s3cret", "id": 1}, Auth(1, "s3cret")),
]


@pytest.mark.parametrize(("fields", "request_"), ACCEPTED, ids=lambda v: str(v)[:70])
def test_what_is_allowed_is_read(fields: dict[str, Any], request_: Request) -> None:
    assert parse_request(orjson.dumps(fields)) == request_


CHANNELS_ARE = "the channels are trades, quotes, bars, status, depth"
ID = "'id' must be a string of at most 64 characters or an integer of at most 53 bits, not "
SYMBOLS = "'symbols' must be a list of symbols and patterns, or \"*\", not "

REFUSED: list[tuple[Any, Code, str]] = [
    # The whole.
    ([], Code.INVALID_REQUEST, "a request must be a JSON object, not []"),
    ("ping", Code.INVALID_REQUEST, "a request must be a JSON object, not 'ping'"),
    (42, Code.INVALID_REQUEST, "a request must be a JSON object, not 42"),
    (None, Code.INVALID_REQUEST, "a request must be a JSON object, not null"),
    (
        [{"action": "ping"}] * 9,
        Code.INVALID_REQUEST,
        (
            "a request must be a JSON object, not "
            '[{"action":"ping"},{"action":"ping"},{"action":"ping"},{"...'
        ),
    ),
    # The action.
    ({}, Code.MISSING_FIELD, "the field 'action' is missing"),
    ({"id": 1}, Code.MISSING_FIELD, "the field 'action' is missing"),
    ({"action": 7}, Code.INVALID_VALUE, "'action' must be a string, not 7"),
    ({"action": None}, Code.INVALID_VALUE, "'action' must be a string, not null"),
    (
        {"action": "buy"},
        Code.UNKNOWN_ACTION,
        "unknown action 'buy'; the actions are subscribe, unsubscribe, snapshot, symbols, ping, auth",
    ),
    (
        {"action": "SUBSCRIBE"},
        Code.UNKNOWN_ACTION,
        (
            "unknown action 'SUBSCRIBE';"
            " the actions are subscribe, unsubscribe, snapshot, symbols, ping, auth"
        ),
    ),
    # The id.
    ({"action": "ping", "id": True}, Code.INVALID_VALUE, ID + "true"),
    ({"action": "ping", "id": 1.0}, Code.INVALID_VALUE, ID + "1.0"),
    ({"action": "ping", "id": [1]}, Code.INVALID_VALUE, ID + "[1]"),
    ({"action": "ping", "id": {}}, Code.INVALID_VALUE, ID + "{}"),
    ({"action": "ping", "id": 2**53}, Code.INVALID_VALUE, ID + "9007199254740992"),
    ({"action": "ping", "id": -(2**53)}, Code.INVALID_VALUE, ID + "-9007199254740992"),
    ({"action": "ping", "id": "x" * 65}, Code.INVALID_VALUE, ID + "'" + "x" * 56 + "..."),
    # Symbols.
    (
        {"action": "subscribe"},
        Code.MISSING_FIELD,
        "the field 'symbols' is missing: a list of symbols, or \"*\"",
    ),
    ({"action": "subscribe", "symbols": None}, Code.INVALID_VALUE, SYMBOLS + "null"),
    ({"action": "subscribe", "symbols": []}, Code.INVALID_VALUE, SYMBOLS + "[]"),
    ({"action": "snapshot", "symbols": {"A": 1}}, Code.INVALID_VALUE, SYMBOLS + '{"A":1}'),
    ({"action": "unsubscribe", "symbols": 5}, Code.INVALID_VALUE, SYMBOLS + "5"),
    (
        {"action": "subscribe", "symbols": ["AAPL", 5]},
        Code.INVALID_VALUE,
        "a symbol must be a string, not 5",
    ),
    (
        {"action": "subscribe", "symbols": ["AAPL", ["MSFT"]]},
        Code.INVALID_VALUE,
        'a symbol must be a string, not ["MSFT"]',
    ),
    (
        {"action": "subscribe", "symbols": ["A"] * 1001},
        Code.TOO_MANY_SYMBOLS,
        (
            "1001 symbols in one request; at most 1000 are allowed:"
            ' use several requests, a pattern such as "A*", or "*"'
        ),
    ),
    # Channels.
    (
        {**SUBSCRIBE, "channels": "trades"},
        Code.INVALID_VALUE,
        "'channels' must be a list of channels, not 'trades'",
    ),
    (
        {**SUBSCRIBE, "channels": []},
        Code.INVALID_VALUE,
        "'channels' must be a list of channels, not []",
    ),
    (
        {**SUBSCRIBE, "channels": ["trades", "trade"]},
        Code.UNKNOWN_CHANNEL,
        f"unknown channel 'trade'; {CHANNELS_ARE}",
    ),
    (
        {"action": "unsubscribe", "symbols": "*", "channels": ["Bars"]},
        Code.UNKNOWN_CHANNEL,
        f"unknown channel 'Bars'; {CHANNELS_ARE}",
    ),
    (
        {**SUBSCRIBE, "channels": [["trades"]]},
        Code.UNKNOWN_CHANNEL,
        f'unknown channel ["trades"]; {CHANNELS_ARE}',
    ),
    (
        {**SUBSCRIBE, "channels": [None]},
        Code.UNKNOWN_CHANNEL,
        f"unknown channel null; {CHANNELS_ARE}",
    ),
    # The interval.
    (
        {**SUBSCRIBE, "interval": "2m"},
        Code.INVALID_VALUE,
        "unknown interval '2m'; the intervals are 1s, 1m, 5m, 1h, 1d",
    ),
    (
        {**SUBSCRIBE, "interval": 60},
        Code.INVALID_VALUE,
        "unknown interval 60; the intervals are 1s, 1m, 5m, 1h, 1d",
    ),
    (
        {**SUBSCRIBE, "interval": ["1m"]},
        Code.INVALID_VALUE,
        'unknown interval ["1m"]; the intervals are 1s, 1m, 5m, 1h, 1d',
    ),
    # Flags and tokens.
    (
        {**SUBSCRIBE, "snapshot": 1},
        Code.INVALID_VALUE,
        "'snapshot' must be true or false, not 1",
    ),
    (
        {**SUBSCRIBE, "snapshot": "false"},
        Code.INVALID_VALUE,
        "'snapshot' must be true or false, not 'false'",
    ),
    ({"action": "auth"}, Code.MISSING_FIELD, "the field 'token' is missing"),
    ({"action": "auth", "token": 5}, Code.INVALID_VALUE, "'token' must be a string"),
    # Resuming.
    (
        {**SUBSCRIBE, "epoch": "e"},
        Code.MISSING_FIELD,
        "the field 'since' is missing: it belongs to 'epoch'",
    ),
    (
        {**SUBSCRIBE, "since": {}},
        Code.MISSING_FIELD,
        "the field 'epoch' is missing: it belongs to 'since'",
    ),
    (
        {**SUBSCRIBE, "epoch": 5, "since": {}},
        Code.INVALID_VALUE,
        "'epoch' must be a string, not 5",
    ),
    (
        {**SUBSCRIBE, "epoch": "e", "since": ["AAPL"]},
        Code.INVALID_VALUE,
        """'since' must be an object of symbols, not ["AAPL"]""",
    ),
    (
        {**SUBSCRIBE, "epoch": "e", "since": {"AAPL": 5}},
        Code.INVALID_VALUE,
        "'since' of 'AAPL' must be an object of channels, not 5",
    ),
    (
        {**SUBSCRIBE, "epoch": "e", "since": {"AAPL": {"trade": 5}}},
        Code.UNKNOWN_CHANNEL,
        f"'since' of 'AAPL': unknown channel 'trade'; {CHANNELS_ARE}",
    ),
    *(
        (
            {**SUBSCRIBE, "epoch": "e", "since": {"AAPL": {"trades": seq}}},
            Code.INVALID_VALUE,
            f"'since' of 'AAPL': a sequence must be a whole number from 0 to 9007199254740990, not {shown}",
        )
        for seq, shown in (
            (-1, "-1"),
            (1.0, "1.0"),
            ("1", "'1'"),
            (None, "null"),
            (True, "true"),
            (2**53, "9007199254740992"),
        )
    ),
    # Fields that there aren't.
    (
        {**SUBSCRIBE, "symbol": None},
        Code.UNKNOWN_FIELD,
        "'subscribe' has no field 'symbol'; its fields are symbols, channels, interval, snapshot, mode, max_hz, epoch, since, id",
    ),
    (
        {"action": "ping", "symbol": "AAPL"},
        Code.UNKNOWN_FIELD,
        "'ping' has no field 'symbol'; its fields are id",
    ),
    (
        {"action": "symbols", "symbols": "*"},
        Code.UNKNOWN_FIELD,
        "'symbols' has no field 'symbols'; its fields are id",
    ),
    (
        {**SUBSCRIBE, "symbol": "AAPL"},
        Code.UNKNOWN_FIELD,
        (
            "'subscribe' has no field 'symbol';"
            " its fields are symbols, channels, interval, snapshot, mode, max_hz, epoch, since, id"
        ),
    ),
    (
        {**SUBSCRIBE, "mode": "newest"},
        Code.INVALID_VALUE,
        "unknown mode 'newest'; the modes are all, latest",
    ),
    (
        {**SUBSCRIBE, "mode": 1},
        Code.INVALID_VALUE,
        '\'mode\' must be "all" or "latest", not 1',
    ),
    *(
        (
            {**SUBSCRIBE, "mode": "latest", "max_hz": hz},
            Code.INVALID_VALUE,
            f"'max_hz' must be a number from 0.01 to 1000, not {shown}",
        )
        for hz, shown in [
            (0, "0"),
            (0.0099, "0.0099"),
            (1000.5, "1000.5"),
            (-1, "-1"),
            (True, "true"),
            ("10", "'10'"),
            ([], "[]"),
        ]
    ),
    *(
        (
            {**SUBSCRIBE, **mode, "max_hz": 5},
            Code.INVALID_VALUE,
            "'max_hz' 5 belongs to the mode latest, and this one is all",
        )
        for mode in ({}, {"mode": "all"})
    ),
    *(
        (
            {"action": action, "symbols": "*", "channels": ["trades"], "interval": "1s"},
            Code.INVALID_VALUE,
            "'interval' '1s' belongs to the channel bars, which is not among 'channels'",
        )
        for action in ("subscribe", "unsubscribe")
    ),
    (
        {**SUBSCRIBE, "interval": "5m"},
        Code.INVALID_VALUE,
        "'interval' '5m' belongs to the channel bars, which is not among 'channels'",
    ),
    (
        {"action": "unsubscribe", "symbols": "*", "snapshot": True},
        Code.UNKNOWN_FIELD,
        "'unsubscribe' has no field 'snapshot'; its fields are symbols, channels, interval, id",
    ),
    (
        {"action": "snapshot", "symbols": "*", "channels": ["trades"]},
        Code.UNKNOWN_FIELD,
        "'snapshot' has no field 'channels'; its fields are symbols, id",
    ),
    (
        {"action": "auth", "token": "t", "user": "u"},
        Code.UNKNOWN_FIELD,
        "'auth' has no field 'user'; its fields are token, id",
    ),
]


@pytest.mark.parametrize(("value", "code", "text"), REFUSED, ids=lambda v: str(v)[:70])
def test_what_is_not_allowed_gets_one_error_that_names_it(
    value: Any, code: Code, text: str
) -> None:
    with pytest.raises(RequestError) as error:
        parse_request(orjson.dumps(value))
    assert (error.value.code, error.value.message) == (code, text)


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "buy"},
        {"action": "subscribe"},
        {"action": "subscribe", "symbols": 5},
        {"action": "subscribe", "symbols": "*", "channels": ["x"]},
        {"action": "ping", "x": 1},
        {},
    ],
)
def test_an_error_carries_the_id_of_its_request(fields: dict[str, Any]) -> None:
    for request_id in (7, "seven"):
        with pytest.raises(RequestError) as error:
            parse_request(orjson.dumps({**fields, "id": request_id}))
        assert error.value.request_id == request_id


def test_an_error_about_the_id_carries_none() -> None:
    with pytest.raises(RequestError) as error:
        parse_request(b'{"action":"ping","id":[]}')
    assert error.value.request_id is None


@pytest.mark.parametrize(
    ("data", "excerpt"),
    [
        (b"", "''"),
        (b"ping", "'ping'"),
        (b"{", "'{'"),
        (b'{"action":"ping"', '\'{"action":"ping"\''),
        (b"{'action':'ping'}", "\"{'action':'ping'}\""),
        (b'{"action":"ping"} {}', '\'{"action":"ping"} {}\''),
        (b'{"action":NaN}', "'{\"action\":NaN}'"),
        (b"\xef\xbb\xbf{}", "'\\ufeff{}'"),
        (b"x" * 41, "'" + "x" * 40 + "...'"),
        (b"[" * 5000, "'" + "[" * 40 + "...'"),
        ("☃".encode() * 20, "'" + "☃" * 13 + "\N{REPLACEMENT CHARACTER}...'"),
    ],
)
def test_what_isnt_json_is_shown_with_the_place(data: bytes, excerpt: str) -> None:
    with pytest.raises(orjson.JSONDecodeError) as reason:
        orjson.loads(data)
    with pytest.raises(RequestError) as error:
        parse_request(data)
    assert error.value.code is Code.INVALID_JSON
    assert error.value.message == (
        f"invalid JSON at character {reason.value.pos}: {reason.value.msg}: {excerpt}"
    )


def test_a_request_may_be_256_kib_long_and_not_a_byte_more() -> None:
    request = b'{"action":"ping"}'
    longest = request + b" " * (MAX_REQUEST_BYTES - len(request))
    assert len(longest) == 262_144
    assert parse_request(longest) == Ping(None)
    with pytest.raises(RequestError) as error:
        parse_request(longest + b" ")
    assert (error.value.code, error.value.message) == (
        Code.MESSAGE_TOO_BIG,
        "a request of 262145 bytes; at most 262144 are allowed",
    )


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=80),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(string.ascii_lowercase, max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
near_requests = st.fixed_dictionaries(
    {"action": st.sampled_from(["subscribe", "unsubscribe", "snapshot", "auth", "ping"])},
    optional=dict.fromkeys(
        ["id", "symbols", "channels", "interval", "snapshot", "token", "epoch", "since"],
        json_values
        | st.sampled_from(["*", ["AAPL"], ["trades"], "1m", True, {"AAPL": {"trades": 5}}]),
    ),
)


def outcome(data: bytes) -> Request | RequestError:
    try:
        return parse_request(data)
    except RequestError as error:
        return error


@given(json_values | near_requests)
def test_any_json_is_a_request_or_a_short_error(value: Any) -> None:
    """Nothing else comes out, and no message is longer than a screen's line or two."""
    found = outcome(orjson.dumps(value))
    if isinstance(found, RequestError):
        assert 0 < len(found.message) <= 220


@given(st.binary(max_size=60))
def test_any_bytes_are_a_request_or_an_error(data: bytes) -> None:
    assert isinstance(outcome(data), RequestError)


@pytest.mark.parametrize(
    ("request_", "little"),
    [
        ({"action": "ping"}, True),
        ({"action": "auth", "token": "t"}, True),
        ({"action": "symbols"}, False),
        ({"action": "snapshot", "symbols": ["A"]}, True),
        ({"action": "unsubscribe", "symbols": [f"A{n}" for n in range(LITTLE)]}, True),
        ({"action": "subscribe", "symbols": [f"A{n}" for n in range(LITTLE + 1)]}, False),
        ({"action": "subscribe", "symbols": ["A", "B*"]}, False),
        ({"action": "subscribe", "symbols": ["A?"]}, False),
        ({"action": "subscribe", "symbols": "*"}, False),
        ({"action": "subscribe", "symbols": ["A"], "epoch": "e", "since": {"A": {}}}, False),
        ({"action": "subscribe", "symbols": ["A"], "epoch": "e", "since": {}}, True),
    ],
)
def test_a_request_for_little_is_known_by_what_it_says(
    request_: dict[str, Any], little: bool
) -> None:
    assert is_little(parse_request(orjson.dumps(request_))) is little
