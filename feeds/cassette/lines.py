"""
The lines of a cassette: NDJSON, one object a line. No I/O.

The first line is the head, then each line is about one connection: its opening, a message, its end. ``t`` is seconds since
the recording began; a message has ``dir``, as the server sees it: ``in`` came from the client, ``out`` went to it, and
``text``, or ``b64`` for a binary one. Messages are whole, however many frames they came in.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from feeds.errors import FeedError
from ticker import __version__

__all__ = [
    "VERSION",
    "Closed",
    "Head",
    "Line",
    "Message",
    "Opened",
    "Refused",
    "TapeError",
    "parse_head",
    "parse_line",
]

VERSION = 1
_SIDES = ("client", "server", "recorder")


class TapeError(FeedError):
    """A file is no cassette, or a line of it is damaged; the message names the file, the line and what is wrong."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the whole tape has in common."""

    upstream: str
    """Where it was recorded: scheme, host and port."""
    recorded: str
    """When, as ISO 8601 in UTC."""
    redact: Sequence[str] = ()
    """Names whose values were redacted, besides the usual ones."""
    keep: Sequence[str] = ()
    """Names that weren't, though they sound like it."""

    def encode(self) -> bytes:
        head = {
            "cassette": VERSION,
            "recorder": f"tickerplant/{__version__}",
            "upstream": self.upstream,
            "recorded": self.recorded,
            "redact": list(self.redact),
            "keep": list(self.keep),
        }
        return orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE)


@dataclass(frozen=True, slots=True)
class Opened:
    """A client came, and the server let it in."""

    t: float
    conn: int
    path: str
    """The path and query that the client asked for."""
    protocol: str | None = None
    """The subprotocol agreed on."""
    headers: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        about: dict[str, Any] = {"event": "open", "path": self.path}
        if self.protocol is not None:
            about["protocol"] = self.protocol
        return _line(self, about | {"headers": self.headers})


@dataclass(frozen=True, slots=True)
class Refused:
    """A client came, and the server answered with an HTTP status that isn't 101."""

    t: float
    conn: int
    path: str
    status: int

    def encode(self) -> bytes:
        return _line(self, {"event": "refused", "path": self.path, "status": self.status})


@dataclass(frozen=True, slots=True)
class Message:
    """What one side said."""

    t: float
    conn: int
    inward: bool
    """Whether the client said it."""
    data: str | bytes

    def encode(self) -> bytes:
        about = {"dir": "in" if self.inward else "out"}
        if isinstance(self.data, str):
            about["text"] = self.data
        else:
            about["b64"] = base64.b64encode(self.data).decode()
        return _line(self, about)


@dataclass(frozen=True, slots=True)
class Closed:
    """The end of a connection."""

    t: float
    conn: int
    by: str
    """Who ended it: ``client``, ``server``, or ``recorder``, as the recording ended."""
    code: int
    """Its close code; 1005: none, 1006: there was no close frame."""
    reason: str = ""

    def encode(self) -> bytes:
        about = {"event": "close", "by": self.by, "code": self.code, "reason": self.reason}
        return _line(self, about)


Line = Opened | Refused | Message | Closed


def _line(line: Line, about: dict[str, Any]) -> bytes:
    head = {"t": round(line.t, 6), "conn": line.conn}
    return orjson.dumps(head | about, option=orjson.OPT_APPEND_NEWLINE)


def parse_head(text: bytes) -> Head:
    """
    Read the first line.

    Raises:
        TapeError: this is no cassette, or one of a version that isn't known here.
    """
    item = _object(text)
    version = item.get("cassette")
    if version is None:
        raise TapeError("it is no cassette: its first line has no field 'cassette'")
    if version != VERSION:
        raise TapeError(f"it is of version {version!r}, and only {VERSION} can be read here")
    return Head(
        upstream=_field(item, "upstream", str),
        recorded=_field(item, "recorded", str),
        redact=_names(item, "redact"),
        keep=_names(item, "keep"),
    )


def parse_line(text: bytes) -> Line:
    """
    Read any line after the first.

    Raises:
        TapeError: it isn't as it should be; the message names the field and its value.
    """
    item = _object(text)
    t, conn = _number(item, "t"), _field(item, "conn", int)
    if "dir" in item:
        return Message(t, conn, _choice(item, "dir", ("in", "out")) == "in", _data(item))
    event = _choice(item, "event", ("open", "refused", "close"))
    if event == "close":
        reason = _field(item, "reason", str)
        return Closed(t, conn, _choice(item, "by", _SIDES), _field(item, "code", int), reason)
    path = _field(item, "path", str)
    if event == "refused":
        return Refused(t, conn, path, _field(item, "status", int))
    protocol = _field(item, "protocol", str) if "protocol" in item else None
    return Opened(t, conn, path, protocol, dict(_field(item, "headers", dict)))


def _object(text: bytes) -> dict[str, Any]:
    try:
        item = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise TapeError(f"it is not JSON: {error}") from None
    if not isinstance(item, dict):
        raise TapeError(f"it is no JSON object: {text[:60]!r}")
    return item


def _field(item: dict[str, Any], name: str, kind: type[Any]) -> Any:
    value = item.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TapeError(f"its field {name!r} must be of type {kind.__name__}, and is {value!r:.80}")
    return value


def _number(item: dict[str, Any], name: str) -> float:
    value = item.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise TapeError(f"its field {name!r} must be a number from 0, and is {value!r:.80}")
    return float(value)


def _choice(item: dict[str, Any], name: str, allowed: Sequence[str]) -> str:
    value = item.get(name)
    if value not in allowed:
        raise TapeError(f"its field {name!r} must be {' or '.join(allowed)}, and is {value!r:.80}")
    return str(value)


def _names(item: dict[str, Any], name: str) -> tuple[str, ...]:
    return tuple(str(entry) for entry in _field(item, name, list))


def _data(item: dict[str, Any]) -> str | bytes:
    if "b64" not in item:
        text: str = _field(item, "text", str)
        return text
    try:
        return base64.b64decode(_field(item, "b64", str), validate=True)
    except (binascii.Error, ValueError) as error:
        raise TapeError(f"its field 'b64' is no base64: {error}") from None
