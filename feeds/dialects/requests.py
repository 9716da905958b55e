"""Requests of the native protocol: bytes to values, checked (``PROTOCOL.md``, section 3)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from feeds.dialects.fields import (
    CHANNEL_NAMES,
    MAX_ID,
    MAX_REQUEST_SYMBOLS,
    Fields,
    Id,
    read_json,
    show,
)
from feeds.errors import Code, RequestError
from ticker.batch import BARS, DEPTH, INTERVALS, QUOTES, STATUS, TRADES

__all__ = [
    "ACTIONS",
    "CHANNEL_NAMES",
    "LITTLE",
    "MAX_REQUEST_BYTES",
    "MAX_REQUEST_SYMBOLS",
    "Auth",
    "Ping",
    "Request",
    "SnapshotRequest",
    "Subscribe",
    "Symbols",
    "Unsubscribe",
    "channel_numbers",
    "is_little",
    "parse_request",
    "request_id",
]

MAX_REQUEST_BYTES = 256 * 1024

LITTLE = 20
"""Symbols that a request may name and still be one for little: some tenths of a millisecond."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    id: Id
    symbols: tuple[str, ...]
    channels: tuple[str, ...]
    interval: str
    snapshot: bool
    epoch: str | None = None
    """The run of the market that ``since`` is of."""
    since: Mapping[str, Mapping[str, int]] | None = None
    """By symbol and channel, with the interval for bars, the last sequence that the client has."""
    mode: str | None = None
    """``all`` or ``latest``, where the client said so."""
    max_hz: float | None = None
    """The most updates a second, with ``latest``."""


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    id: Id
    symbols: tuple[str, ...]
    channels: tuple[str, ...]
    interval: str | None
    """None: all of them."""


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    id: Id
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Symbols:
    id: Id


@dataclass(frozen=True, slots=True)
class Ping:
    id: Id


@dataclass(frozen=True, slots=True)
class Auth:
    id: Id
    token: str = field(repr=False)


Request = Subscribe | Unsubscribe | SnapshotRequest | Symbols | Ping | Auth

ACTIONS: dict[type[Request], str] = {
    Subscribe: "subscribe",
    Unsubscribe: "unsubscribe",
    SnapshotRequest: "snapshot",
    Symbols: "symbols",
    Ping: "ping",
    Auth: "auth",
}
"""What each kind of request is called on the wire."""


def parse_request(data: bytes) -> Request:
    """
    Read one request.

    Raises:
        RequestError: it is not one; the message names the value.
    """
    if len(data) > MAX_REQUEST_BYTES:
        raise RequestError(
            Code.MESSAGE_TOO_BIG,
            f"a request of {len(data)} bytes; at most {MAX_REQUEST_BYTES} are allowed",
        )
    try:
        value = read_json(data)
    except orjson.JSONDecodeError as error:
        raise RequestError(
            Code.INVALID_JSON,
            f"invalid JSON at character {error.pos}: {error.msg}: {_excerpt(data)}",
        ) from None
    if not isinstance(value, dict):
        raise RequestError(
            Code.INVALID_REQUEST, f"a request must be a JSON object, not {show(value)}"
        )
    return _read(value)


def _read(value: dict[str, Any]) -> Request:
    fields = Fields(value, _read_id(value))
    action = fields.take("action", str, "a string")
    request: Request
    match action:
        case "subscribe":
            snapshot = fields.take("snapshot", bool, "true or false", default=True)
            symbols, channels = fields.symbols(), fields.channels(("trades",))
            interval = fields.interval("1m", channels)
            epoch, since = fields.resume(interval)
            request = Subscribe(
                fields.id, symbols, channels, interval, snapshot, epoch, since, *fields.pace()
            )
            fields.end(
                action, "symbols, channels, interval, snapshot, mode, max_hz, epoch, since, id"
            )
        case "unsubscribe":
            symbols, channels = fields.symbols(), fields.channels(CHANNEL_NAMES)
            request = Unsubscribe(fields.id, symbols, channels, fields.interval(None, channels))
            fields.end(action, "symbols, channels, interval, id")
        case "snapshot":
            request = SnapshotRequest(fields.id, fields.symbols())
            fields.end(action, "symbols, id")
        case "symbols" | "ping":
            request = Symbols(fields.id) if action == "symbols" else Ping(fields.id)
            fields.end(action, "id")
        case "auth":
            request = Auth(fields.id, fields.secret("token"))
            fields.end(action, "token, id")
        case _:
            raise fields.fail(
                Code.UNKNOWN_ACTION,
                f"unknown action {show(action)}; the actions are subscribe, unsubscribe, snapshot, symbols, ping, auth",
            )
    return request


def _read_id(value: dict[str, Any]) -> Id:
    request_id = value.pop("id", None)
    if request_id is None or (type(request_id) is int and -MAX_ID <= request_id <= MAX_ID):
        return request_id
    if isinstance(request_id, str) and len(request_id) <= 64:
        return request_id
    raise RequestError(
        Code.INVALID_VALUE,
        f"'id' must be a string of at most 64 characters or an integer of at most 53 bits, not {show(request_id)}",
    )


def is_little(request: Request) -> bool:
    """Tell whether the answer to a request is a short one, whatever the market: of some symbols by name, and nothing missed."""
    if isinstance(request, Ping | Auth):
        return True
    if isinstance(request, Symbols) or (isinstance(request, Subscribe) and request.since):
        return False
    names = request.symbols
    return len(names) <= LITTLE and not any("*" in name or "?" in name for name in names)


def request_id(data: bytes) -> Id:
    """Give the ``id`` of what may be a request, and is not looked at further; None if it has none that can be used."""
    try:
        value = orjson.loads(data) if len(data) <= MAX_REQUEST_BYTES else None
        return _read_id(value) if isinstance(value, dict) else None
    except (orjson.JSONDecodeError, RequestError):
        return None


def _excerpt(data: bytes) -> str:
    if b"token" in data:
        return "not shown, as it has a token"
    text = data[:40].decode(errors="replace")
    return repr(text if len(data) <= 40 else text + "...")


def channel_numbers(channels: Iterable[str], interval: str | None) -> list[int]:
    """Turn channel names into channel numbers; ``bars`` into those of one interval, or of all."""
    plain = {"trades": TRADES, "quotes": QUOTES, "status": STATUS, "depth": DEPTH}
    bars = [BARS + i for i, name in enumerate(INTERVALS) if interval in (None, name)]
    return [number for name in channels for number in (bars if name == "bars" else [plain[name]])]
