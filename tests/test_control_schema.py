"""The schemas of the control API: what they allow is what JSON Schema says that they allow."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds import plants
from feeds.control.kinds import CHANGES, CHANNEL, DURATION, EVENTS, FAULT, MOMENT, TIMEOUT, of
from feeds.control.operations import OPERATIONS
from feeds.control.schema import Schema, check
from feeds.errors import Code, RequestError
from feeds.faults.fault import Fault, FaultError

SOME: Schema = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": 3, "pattern": "^[a-z]*$"},
        "whole": {"type": "integer", "minimum": 0, "maximum": 9},
        "number": {"type": "number", "maximum": 1.5},
        "flag": {"type": "boolean"},
        "list": {"type": "array", "items": {"type": ["integer", "null"]}, "maxItems": 2},
        "choice": {"enum": ["a", None]},
        "inner": of("x", x={"type": "integer"}),
        "any": {},
        "several": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
    },
    "required": ["text"],
    "additionalProperties": False,
}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 12)
    | st.sampled_from([0.0, 1.5, 1.75, 3.0, "", "a", "abc", "abcd", "A", "a\n"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*SOME["properties"], "other"]), VALUES, max_size=4))
def test_it_allows_what_json_schema_allows(value: dict[str, Any]) -> None:
    """The judge is a library."""
    jsonschema = pytest.importorskip("jsonschema")
    valid = jsonschema.Draft202012Validator(SOME).is_valid(value)
    if (
        "a\n" in value.values()
    ):  # Python's $ also matches before a last line feed; JSON Schema's doesn't
        return
    try:
        check(value, SOME)
    except RequestError:
        assert not valid
    else:
        assert valid


def test_whole_numbers_are_whole_however_they_are_written() -> None:
    found = check({"text": "a", "whole": 3.0, "list": [1.0, None]}, SOME)
    assert repr(found) == "{'text': 'a', 'whole': 3, 'list': [1, None]}"


@pytest.mark.parametrize("value", [2.0**53, -(2.0**63), 1e300])
def test_a_float_that_stands_for_several_whole_numbers_is_none(value: float) -> None:
    with pytest.raises(RequestError, match="'whole' must be a seed"):
        check(value, CHANGES["seed"] | {"description": "a seed"}, "'whole'")


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        ({}, Code.MISSING_FIELD, "the field 'text' is missing in the body"),
        ({"texts": "a"}, Code.UNKNOWN_FIELD, "the body has no field 'texts'; its fields are text,"),
        (
            {"text": "a", "x": 1},
            Code.UNKNOWN_FIELD,
            "the body has no field 'x'; its fields are text,",
        ),
        ({"text": 1}, Code.INVALID_VALUE, "'text' must be string, not 1"),
        ({"text": "a", "choice": "b"}, Code.INVALID_VALUE, "'choice' must be 'a' or None, not 'b'"),
        ({"text": "a", "inner": {}}, Code.MISSING_FIELD, "the field 'x' is missing in 'inner'"),
        (
            {"text": "a", "list": [1, "b"]},
            Code.INVALID_VALUE,
            "entry 2 of 'list' must be integer or",
        ),
        ([], Code.INVALID_VALUE, "the body must be object, not []"),
    ],
)
def test_an_error_names_the_field_the_value_and_what_is_allowed(
    value: Any, code: Code, message: str
) -> None:
    with pytest.raises(RequestError) as error:
        check(value, SOME)
    assert error.value.code is code
    assert message in error.value.message


@pytest.mark.parametrize("schema", [DURATION, TIMEOUT])
def test_lengths_of_time(schema: Schema) -> None:
    for good in ("250ms", "1.5s", 0, 2.5):
        assert check(good, schema) == good
    for bad in ("", "5", "-1s", "1.5", "5 parsecs", "٣s", -1, float("inf"), True, None, []):
        with pytest.raises(RequestError, match=r"must be (a length of time|how long to wait)"):
            check(bad, schema)


def test_channels_and_clocks_are_named() -> None:
    for good in ("trades", "bars", "bars:1m"):
        assert check(good, CHANNEL) == good
    for bad in ("trade", "bars:", "bars:x", "trades "):
        with pytest.raises(RequestError, match="must be a channel"):
            check(bad, CHANNEL)
    for clock in ("wall", "manual", "max", "x10", "x0.5"):
        check(clock, CHANGES["clock"])
    with pytest.raises(RequestError, match="must be a clock"):
        check("slow", CHANGES["clock"])


def test_a_session_may_differ_over_http_in_what_it_may_in_python() -> None:
    """But for the policy of backlogs, which is an object of Python's."""
    assert set(CHANGES) - {"market"} == set(plants.CHANGES) - {"backlog"}


def test_a_kind_that_was_meant_is_named() -> None:
    with pytest.raises(RequestError, match=r"not 'stal'; did you mean 'stall'\?$"):
        check({"name": "stal"}, FAULT)
    with pytest.raises(RequestError, match=r"'name' must be refuse or .*, not 7$"):
        check({"name": 7}, FAULT)


def test_numbers_of_faults_are_counted_from_1_as_the_faults_themselves_do() -> None:
    """What the document allows isn't refused by what does it."""
    for name in ("after", "times", "nth", "client"):
        with pytest.raises(RequestError, match=f"'{name}' must be .* from 1.*, not 0$"):
            check({"name": "abort", name: 0}, FAULT)
        with pytest.raises(FaultError, match=f"{name} 0 must be a whole number from 1"):
            Fault.make("abort", **{name: 0})


@pytest.mark.parametrize("event", [None, {}, {"type": []}, {"type": "bar"}, {"type": "trade"}])
def test_events_are_told_apart_by_their_type(event: Any) -> None:
    with pytest.raises(RequestError):
        check([event], EVENTS)


def test_all_schemas_are_schemas_and_say_what_they_want() -> None:
    """As the judge sees it; and no field is without words for people."""
    jsonschema = pytest.importorskip("jsonschema")
    for operation in OPERATIONS:
        for schema in (operation.body, operation.result, *operation.query.values()):
            jsonschema.Draft202012Validator.check_schema(schema or {})
        bodies = (operation.body or {}).get("oneOf", [operation.body or {}])
        for body in bodies:
            for name, schema in body.get("properties", {}).items():
                assert {"description", "enum", "const"} & set(schema), (operation.name, name)
    assert MOMENT["description"].startswith("a moment: ")
