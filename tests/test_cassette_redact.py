"""What is secret is not in a cassette, under whatever name it comes up."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.cassette.redact import REDACTED, Redactor

KEY = "PK3XW0AAAQ5Z9"


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "Authorization",
        "APCA-API-KEY-ID",
        "APCA-API-SECRET-KEY",
        "accessToken",
        "api_key",
        "APIKey",
        "x-api-key",
        "passphrase",
        "signature",
        "Cookie",
    ],
)
def test_names_that_sound_like_secrets_are_secrets(name: str) -> None:
    assert Redactor().secret(name)


@pytest.mark.parametrize("name", ["symbol", "tokens", "keyboard", "monkey", "action", "signed"])
def test_names_that_only_contain_such_a_word_are_not(name: str) -> None:
    assert not Redactor().secret(name)


def test_names_can_be_added_and_taken_away() -> None:
    redactor = Redactor(["Session"], keep=["key"])
    assert redactor.text('{"session":"abcdef","key":"AAPL"}', inward=True) == (
        f'{{"session":"{REDACTED}","key":"AAPL"}}'
    )


def test_a_message_without_secrets_stays_as_it_is_to_the_letter() -> None:
    text = '{ "price" : 1.50, "symbols":["A"] ,"auth":true, "token":null,"key":""}'
    assert Redactor().text(text, inward=False) == text


def test_a_field_is_replaced_wherever_it_stands_and_everything_else_stays() -> None:
    """A list or an object under such a name is a secret as a whole."""
    text = '[{"a":1.50,"token" : "abc"},{"b":{"secret":{"x":["y"]},"pin":1},"key":12.5}]'
    assert Redactor().text(text, inward=False) == (
        f'[{{"a":1.50,"token" : "{REDACTED}"}},{{"b":{{"secret":"{REDACTED}","pin":1}},"key":"{REDACTED}"}}]'
    )


def test_a_name_in_escapes_or_other_case_is_found() -> None:
    for name in ("t\\u006fken", "TOKEN", "Session"):
        shown = Redactor(["session"]).text(f'{{"{name}":"abc"}}', inward=False)
        assert shown == f'{{"{name}":"{REDACTED}"}}'


@pytest.mark.parametrize("text", ['{"token":"abc', '{"token":[1', '{"token":', '{"token":tru'])
def test_what_is_no_json_loses_its_secrets_too(text: str) -> None:
    assert Redactor().text(text, inward=False) == f'{{"token":"{REDACTED}"' or text == '{"token":'


@pytest.mark.parametrize(
    "request_",
    [
        {"action": "auth", "params": KEY},
        {"op": "auth", "args": [KEY, 1763800000, "GET/x"]},
        {"op": "login", "args": [{"account": KEY}]},
        {"type": "Authenticate", "user": KEY},
    ],
)
def test_a_request_to_log_in_has_secrets_only(request_: dict[str, object]) -> None:
    """Vendors put keys under all kinds of names, or under none."""
    text = Redactor().text(orjson.dumps(request_ | {"id": 7}).decode(), inward=True)
    assert KEY not in text
    item = orjson.loads(text)
    assert item["id"] == 7
    assert {k: v for k, v in item.items() if v in ("auth", "login", "Authenticate")}


def test_an_answer_that_says_auth_is_no_request_to_log_in() -> None:
    text = '{"type":"auth","user":"somebody in particular"}'
    assert Redactor().text(text, inward=False) == text


def test_a_secret_is_known_once_it_was_seen() -> None:
    """Under another name, in another message, in text, in a path, in what isn't text at all."""
    redactor = Redactor()
    redactor.text(f'{{"token":"{KEY}"}}', inward=True)
    assert redactor.text(f'{{"account":"{KEY}"}}', inward=False) == f'{{"account":"{REDACTED}"}}'
    assert redactor.text(f"hello {KEY}!", inward=False) == f"hello {REDACTED}!"
    assert redactor.path(f"/ws/{KEY}") == f"/ws/{REDACTED}"
    raw = b"\xff\x0d" + KEY.encode() + b"\0"
    assert redactor.data(raw, inward=False) == b"\xff\x0d" + b"*" * len(KEY) + b"\0"


def test_binary_messages_that_are_json_are_treated_as_json() -> None:
    assert Redactor().data(b'{"token":"x"}', inward=True) == f'{{"token":"{REDACTED}"}}'.encode()


def test_headers_and_addresses_are_learned_from() -> None:
    redactor = Redactor()
    redactor.learn_headers(
        {
            "Authorization": "Bearer the-bearer-token",
            "Cookie": "sid=chocolate-chip; theme=dark",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "User-Agent": "browser",
        }
    )
    redactor.learn_url("wss://user:open%20sesame@feed.example/ws?apikey=from-the-url&x=harmless")
    text = "the-bearer-token chocolate-chip open sesame from-the-url harmless browser"
    shown = redactor.text(text, inward=False)
    assert shown == f"{REDACTED} {REDACTED} {REDACTED} {REDACTED} harmless browser"
    nonce = "dGhlIHNhbXBsZSBub25jZQ=="
    assert redactor.text(nonce, inward=False) == nonce


def test_paths_keep_all_but_their_secrets() -> None:
    redactor = Redactor()
    assert redactor.path("/ws?token=abc&symbols=A,B&x=") == f"/ws?token={REDACTED}&symbols=A,B&x="
    assert redactor.path("/ws?streams=btcusdt@trade/x") == "/ws?streams=btcusdt@trade/x"
    assert redactor.path("/ws") == "/ws"


@pytest.mark.parametrize("value", ["short", "1234567890123456", REDACTED])
def test_words_and_numbers_are_not_looked_for_elsewhere(value: str) -> None:
    """They would be found in prices and symbols."""
    redactor = Redactor()
    redactor.learn(value)
    assert redactor.text(f"x {value}", inward=False) == f"x {value}"


def test_what_is_known_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest stay."""
    monkeypatch.setattr("feeds.cassette.redact._MOST_KNOWN", 2)
    redactor = Redactor()
    for value in ("first-secret", "second-secret", "first-secret", "third-secret"):
        redactor.learn(value)
    text = "first-secret second-secret third-secret"
    assert redactor.text(text, inward=False) == f"{REDACTED} second-secret {REDACTED}"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.sampled_from(["token", "key", "a"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_the_json_no_secret_is_left_and_it_stays_json(item: object) -> None:
    """Compared with a plain walk over the parsed value."""
    redactor = Redactor()

    def expected(value: object) -> object:
        if isinstance(value, list):
            return [expected(entry) for entry in value]
        if isinstance(value, dict):
            return {
                k: REDACTED
                if redactor.secret(k) and v not in ("", None) and not isinstance(v, bool)
                else expected(v)
                for k, v in value.items()
            }
        return value

    # What is learned isn't looked for here: it is what the other tests are about.
    text = Redactor()._fields(orjson.dumps(item).decode())
    assert orjson.loads(text) == expected(item)
