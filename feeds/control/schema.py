"""
JSON Schema, as far as the control API needs it: the same schemas check what comes in and stand in the document. No I/O.

A schema's ``description`` is a noun phrase: what is allowed, in the document and in messages.
"""

import math
import re
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from feeds.dialects.fields import show
from feeds.errors import Code, RequestError

__all__ = ["Schema", "check"]

Schema = dict[str, Any]

_EXACT = 2.0**53  # from there on a float stands for several whole numbers

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "integer": (int,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


def check(value: Any, schema: Schema, name: str = "the body") -> Any:
    """
    Give a value as it is allowed; a whole number is an ``int``, however it was written.

    Raises:
        RequestError: it isn't; the message names the field, the value and what is allowed.
    """
    if "oneOf" in schema:
        return check(value, _branch(value, schema, name), name)
    if "anyOf" in schema:
        for branch in schema["anyOf"]:
            with suppress(RequestError):
                return check(value, branch, name)
        raise _unwanted(value, schema, name)
    kinds = schema.get("type")
    whole = isinstance(value, float) and value.is_integer() and abs(value) < _EXACT
    if whole and "integer" in _listed(kinds):
        value = int(value)
    if not _allowed(value, schema):
        raise _unwanted(value, schema, name)
    if isinstance(value, dict) and "properties" in schema:
        return _object(value, schema, name)
    if isinstance(value, list) and "items" in schema:
        items = schema["items"]
        return [check(item, items, f"entry {n} of {name}") for n, item in enumerate(value, 1)]
    return value


def _unwanted(value: Any, schema: Schema, name: str) -> RequestError:
    text = f"{name} must be {_wanted(schema)}, not {show(value)}"
    return RequestError(Code.INVALID_VALUE, text)


def _branch(value: Any, schema: Schema, name: str) -> Schema:
    """Choose among objects by the field that tells them apart."""
    told = schema["discriminator"]["propertyName"]
    if not isinstance(value, dict):
        raise RequestError(Code.INVALID_VALUE, f"{name} must be an object, not {show(value)}")
    if told not in value:
        raise RequestError(Code.MISSING_FIELD, f"the field {told!r} is missing in {name}")
    kinds = {branch["properties"][told]["const"]: branch for branch in schema["oneOf"]}
    kind = value[told]
    if not isinstance(kind, str) or kind not in kinds:
        near = get_close_matches(kind, kinds, 1) if isinstance(kind, str) else []
        hint = f"; did you mean {near[0]!r}?" if near else ""
        text = f"{told!r} must be {' or '.join(kinds)}, not {show(kind)}{hint}"
        raise RequestError(Code.INVALID_VALUE, text)
    branch: Schema = kinds[kind]
    return branch


def _object(value: dict[str, Any], schema: Schema, name: str) -> dict[str, Any]:
    properties: dict[str, Schema] = schema["properties"]
    for key in value:  # first: one that is misspelt is missing, too
        if key not in properties:
            known = f"its fields are {', '.join(properties)}" if properties else "it has no fields"
            text = f"{name} has no field {show(key)}; {known}"
            raise RequestError(Code.UNKNOWN_FIELD, text)
    for key in schema.get("required", ()):
        if key not in value:
            raise RequestError(Code.MISSING_FIELD, f"the field {key!r} is missing in {name}")
    return {key: check(item, properties[key], repr(key)) for key, item in value.items()}


def _allowed(value: Any, schema: Schema) -> bool:
    if "const" in schema:
        return bool(value == schema["const"])
    if "enum" in schema:
        return value in schema["enum"]
    kinds = _listed(schema.get("type"))
    if kinds and not any(_is(value, kind) for kind in kinds):
        return False
    if isinstance(value, str):
        return _length(value, schema, "Length") and _matches(value, schema.get("pattern"))
    if isinstance(value, list):
        return _length(value, schema, "Items")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _within(value, schema)
    return True


def _is(value: Any, kind: str) -> bool:
    if kind == "boolean" or not isinstance(value, bool):
        return isinstance(value, _TYPES[kind])
    return False


def _matches(value: str, pattern: str | None) -> bool:
    # JSON Schema's patterns are ECMAScript's, where $ is the end, and not also before a last line feed.
    bare = pattern and pattern.removeprefix("^").removesuffix("$")
    return bare is None or re.fullmatch(bare, value) is not None


def _within(value: float, schema: Schema) -> bool:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    above = schema.get("exclusiveMinimum", -math.inf)
    return bool(math.isfinite(value) and low <= value <= high and value > above)


def _length(value: str | list[Any], schema: Schema, what: str) -> bool:
    low, high = schema.get(f"min{what}", 0), schema.get(f"max{what}", math.inf)
    return bool(low <= len(value) <= high)


def _listed(kinds: str | list[str] | None) -> list[str]:
    return [kinds] if isinstance(kinds, str) else kinds or []


def _wanted(schema: Schema) -> str:
    if "description" in schema:
        return str(schema["description"])
    if "enum" in schema:
        return " or ".join(map(repr, schema["enum"]))
    return " or ".join(_listed(schema.get("type")))
