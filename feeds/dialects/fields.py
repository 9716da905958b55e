"""
The fields of a request, taken one by one and checked; every error names the value and what is allowed.

A field that may be left out may be ``null`` as well: many languages write one so that has no value.
"""

from typing import Any

import orjson

from feeds.errors import Code, RequestError
from ticker.batch import INTERVALS

__all__ = [
    "CHANNEL_NAMES",
    "DEPTH",
    "MAX_ID",
    "MAX_REQUEST_SYMBOLS",
    "Fields",
    "Id",
    "read_json",
    "show",
]

MAX_REQUEST_SYMBOLS = 1_000
MAX_ID = 2**53 - 1

DEPTH = 254
"""How deep objects and lists of a request may be nested."""

LEAST_HZ, MOST_HZ, DEFAULT_HZ = 0.01, 1000, 10
CHANNEL_NAMES = ("trades", "quotes", "bars", "status", "depth")

_RESUMABLE = frozenset({*CHANNEL_NAMES, *(f"bars:{interval}" for interval in INTERVALS)})

Id = str | int | None


class Fields:
    """The fields of one request, taken one by one; what is left at the end is unknown."""

    def __init__(self, fields: dict[str, Any], request_id: Id) -> None:
        self._fields = fields
        self.id = request_id

    def fail(self, code: Code, message: str) -> RequestError:
        return RequestError(code, message, self.id)

    def take(self, name: str, kind: type, wanted: str, default: Any = ...) -> Any:
        value = self._fields.pop(name, default)
        if value is ...:
            raise self.fail(Code.MISSING_FIELD, f"the field {name!r} is missing")
        if value is None and default is not ...:
            return default
        if value is not default and type(value) is not kind:
            raise self.fail(Code.INVALID_VALUE, f"{name!r} must be {wanted}, not {show(value)}")
        return value

    def secret(self, name: str) -> str:
        value = self._fields.pop(name, ...)
        if value is ...:
            raise self.fail(Code.MISSING_FIELD, f"the field {name!r} is missing")
        if not isinstance(value, str):
            raise self.fail(Code.INVALID_VALUE, f"{name!r} must be a string")  # and isn't shown
        return value

    def symbols(self) -> tuple[str, ...]:
        value = self._fields.pop("symbols", ...)
        if value is ...:
            raise self.fail(
                Code.MISSING_FIELD, "the field 'symbols' is missing: a list of symbols, or \"*\""
            )
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not names:
            raise self.fail(
                Code.INVALID_VALUE,
                f"'symbols' must be a list of symbols and patterns, or \"*\", not {show(value)}",
            )
        if len(names) > MAX_REQUEST_SYMBOLS:
            raise self.fail(
                Code.TOO_MANY_SYMBOLS,
                f"{len(names)} symbols in one request; at most {MAX_REQUEST_SYMBOLS} are allowed:"
                ' use several requests, a pattern such as "A*", or "*"',
            )
        for name in names:
            if not isinstance(name, str) or not name:
                raise self.fail(Code.INVALID_VALUE, f"a symbol must be a string, not {show(name)}")
        return tuple(dict.fromkeys(names))

    def channels(self, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self._fields.pop("channels", None)
        if value is None:
            return default
        if not isinstance(value, list) or not value:
            raise self.fail(
                Code.INVALID_VALUE, f"'channels' must be a list of channels, not {show(value)}"
            )
        for name in value:
            if name not in CHANNEL_NAMES:
                raise self.fail(
                    Code.UNKNOWN_CHANNEL,
                    f"unknown channel {show(name)}; the channels are {', '.join(CHANNEL_NAMES)}",
                )
        return tuple(dict.fromkeys(value))

    def interval(self, default: str | None, channels: tuple[str, ...]) -> Any:
        value = self._fields.pop("interval", None)
        if value is None:
            return default
        if not isinstance(value, str) or value not in INTERVALS:
            raise self.fail(
                Code.INVALID_VALUE,
                f"unknown interval {show(value)}; the intervals are {', '.join(INTERVALS)}",
            )
        if "bars" not in channels:
            text = f"'interval' {show(value)} belongs to the channel bars, which is not among 'channels'"
            raise self.fail(Code.INVALID_VALUE, text)
        return value

    def resume(self, interval: str) -> tuple[str | None, dict[str, dict[str, int]] | None]:
        epoch = self.take("epoch", str, "a string", default=None)
        since = self.take("since", dict, "an object of symbols", default=None)
        if (epoch is None) != (since is None):
            lacks, has = ("epoch", "since") if epoch is None else ("since", "epoch")
            raise self.fail(
                Code.MISSING_FIELD, f"the field {lacks!r} is missing: it belongs to {has!r}"
            )
        if since is None:
            return None, None
        return epoch, {name: self._had(name, had, interval) for name, had in since.items()}

    def pace(self) -> tuple[str | None, float | None]:
        """Take the mode, if there is one, and of ``latest`` the most updates a second."""
        mode = self.take("mode", str, '"all" or "latest"', default=None)
        if mode not in (None, "all", "latest"):
            raise self.fail(
                Code.INVALID_VALUE, f"unknown mode {show(mode)}; the modes are all, latest"
            )
        hz = self._fields.pop("max_hz", None)
        if mode != "latest":
            if hz is not None:
                text = f"'max_hz' {show(hz)} belongs to the mode latest, and this one is all"
                raise self.fail(Code.INVALID_VALUE, text)
            return mode, None
        hz = DEFAULT_HZ if hz is None else hz
        if type(hz) not in (int, float) or not LEAST_HZ <= hz <= MOST_HZ:
            raise self.fail(
                Code.INVALID_VALUE,
                f"'max_hz' must be a number from {LEAST_HZ} to {MOST_HZ}, not {show(hz)}",
            )
        return mode, hz

    def _had(self, name: str, had: Any, interval: str) -> dict[str, int]:
        if not isinstance(had, dict):
            raise self.fail(
                Code.INVALID_VALUE,
                f"'since' of {show(name)} must be an object of channels, not {show(had)}",
            )
        for channel, seq in had.items():
            if channel not in _RESUMABLE:
                raise self.fail(
                    Code.UNKNOWN_CHANNEL,
                    f"'since' of {show(name)}: unknown channel {show(channel)};"
                    f" the channels are {', '.join(CHANNEL_NAMES)}",
                )
            if type(seq) is not int or not 0 <= seq < MAX_ID:
                raise self.fail(
                    Code.INVALID_VALUE,
                    f"'since' of {show(name)}: a sequence must be a whole number from 0 to {MAX_ID - 1}, not {show(seq)}",
                )
        return {f"bars:{interval}" if c == "bars" else c: seq for c, seq in had.items()}

    def end(self, action: str, known: str) -> None:
        for name in self._fields:
            raise self.fail(
                Code.UNKNOWN_FIELD, f"{action!r} has no field {show(name)}; its fields are {known}"
            )


def read_json(data: bytes) -> Any:
    """
    Read JSON that can be written again: orjson reads what is nested four times as deep as what it writes.

    Raises:
        orjson.JSONDecodeError: it is not JSON, or nested too deep.
    """
    value = orjson.loads(data)
    if data.count(b"[") + data.count(b"{") > DEPTH:
        try:
            orjson.dumps(value)
        except TypeError:
            text = f"nested more than {DEPTH} deep"
            raise orjson.JSONDecodeError(text, data.decode(), 0) from None
    return value


def show(value: object) -> str:
    """Give a value as JSON, short enough for a message."""
    text = repr(value) if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= 60 else text[:57] + "..."
