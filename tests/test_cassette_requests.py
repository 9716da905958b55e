"""When two requests are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.cassette.redact import Redactor
from feeds.cassette.requests import Requests, rewrite


def requests() -> Requests:
    return Requests(Redactor())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1,"b":2}', '{ "b": 2, "a": 1 }'),
        ('{"symbols":["B","A"]}', '{"symbols":["A","B","A"]}'),
        ('{"a":[{"y":1,"x":["q","p"]},2]}', '{"a":[2,{"x":["p","q"],"y":1}]}'),
        ('{"id":1,"op":"x"}', '{"id":"other","op":"x"}'),
        ('{"op":"x"}', '{"op":"x","nonce":5}'),
        ('{"token":"mine"}', '{"token":"yours"}'),
        ('{"op":"auth","args":["mine",1]}', '{"op":"auth","args":["yours",2,3]}'),
        ("SUB AAPL", " SUB AAPL\n"),
    ],
)
def test_requests_that_are_the_same(one: str, other: str) -> None:
    assert requests().key(one) == requests().key(other) is not None
    assert requests().key(one.encode()) == requests().key(other)


def test_what_is_nested_too_deep_to_be_written_again_is_compared_to_the_letter() -> None:
    deep = "[" * 300 + "]" * 300
    told = requests()
    assert told.key(deep) == deep.encode()
    assert told.key(f'{{"op":"auth","args":{deep}}}') != told.key(
        f'{{"op":"auth","args":[{deep}]}}'
    )
    assert rewrite(f'{{"id":1,"x":{deep}}}', {("id", 1): 2}) == f'{{"id":1,"x":{deep}}}'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"symbols":["A"]}', '{"symbols":["A","B"]}'),
        ('{"a":1}', '{"a":"1"}'),
        ('{"a":true}', '{"a":1}'),
        ("SUB AAPL", "sub AAPL"),
        ("{}", "[]"),
    ],
)
def test_requests_that_are_not(one: str, other: str) -> None:
    assert requests().key(one) != requests().key(other)


@pytest.mark.parametrize(
    "text", ['{"action":"ping","id":5}', "ping", "PONG\n", '{"method":"PING"}', '"heartbeat"']
)
def test_what_keeps_a_connection_alive_is_no_request(text: str) -> None:
    assert requests().key(text) is None


def test_only_the_names_given_are_ignored() -> None:
    some = Requests(Redactor(), ["req"])
    assert some.key('{"req":1,"a":1}') == some.key('{"a":1}')
    assert some.key('{"id":1,"a":1}') != some.key('{"a":1}')


@given(st.permutations(["A", "B", "C"]), st.permutations([("x", 1), ("y", [2]), ("z", {"w": 3})]))
def test_no_order_counts(symbols: list[str], fields: list[tuple[str, object]]) -> None:
    import orjson

    key = requests().key(orjson.dumps({"symbols": symbols, **dict(fields)}))
    assert key == requests().key('{"symbols":["A","B","C"],"x":1,"y":[2],"z":{"w":3}}')


def test_paths_are_the_same_whatever_the_order_of_their_parameters() -> None:
    path = requests().path
    assert path("/ws?b=2&a=1&token=x") == path("/ws?token=y&a=1&b=2")
    assert path("/ws?timestamp=1") == path("/ws") == "/ws"
    assert path("/ws?a=1") != path("/ws?a=2")


def test_marks_are_what_an_answer_repeats() -> None:
    assert requests().marks('{"id":7,"op":"x","nonce":"n","timestamp":[1]}') == {
        "id": 7,
        "nonce": "n",
    }
    assert requests().marks("[1]") == requests().marks("x") == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"id":1,"x":2},{"id":9}]', '[{"id":7,"x":2},{"id":9}]'),
        ('{"id":1}', '{"id":7}'),
        ('{"id":true}', '{"id":true}'),
        ('{ "id" : 2 }', '{ "id" : 2 }'),
        ('{"data":{"id":1}}', '{"data":{"id":1}}'),
        ('["id",{"id":1}]', '["id",{"id":7}]'),
        ('"id"', '"id"'),
        ('"id" is no JSON', '"id" is no JSON'),
        ('{ "x" : 1.50 }', '{ "x" : 1.50 }'),
    ],
)
def test_answers_get_the_clients_own_ids(text: str, expected: str) -> None:
    """At the top only, and a message without any stays as it is, to the letter."""
    assert rewrite(text, {("id", 1): 7}) == expected
