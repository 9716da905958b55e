"""Query strings of ``/sse`` and ``/stream``: a ``subscribe`` request as a URL, checked by the same rules."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from feeds.dialects.fields import read_json, show
from feeds.dialects.requests import Subscribe, parse_request
from feeds.errors import Code, RequestError
from feeds.fanout.cursor import Cursor, Place

__all__ = ["OF_EVERY_PATH", "StreamQuery", "parse_query"]

OF_EVERY_PATH = ("session", "token")
"""Parameters that say where a request goes and who sends it, not what it asks for."""


@dataclass(frozen=True, slots=True)
class StreamQuery:
    """What a stream is asked for."""

    subscribe: Subscribe
    cursor: Cursor | None = None
    """Up to where the client has everything."""
    cursors: bool = False
    """Whether cursors are wanted in a stream of lines."""


def _list(text: str) -> Any:
    return [entry for entry in text.split(",") if entry]


def _flag(text: str) -> Any:
    return {"true": True, "false": False}.get(text, text)


def _json(text: str) -> Any:
    try:
        return read_json(text.encode())
    except orjson.JSONDecodeError:
        return text  # which then is refused for what it is


_FIELDS: dict[str, Callable[[str], Any]] = {
    "symbols": _list,
    "channels": _list,
    "interval": str,
    "snapshot": _flag,
    "mode": str,
    "max_hz": _json,
    "epoch": str,
    "since": _json,
}
"""The fields of ``subscribe`` that there are as parameters, and how each is read."""

_UNKNOWN = Cursor("", Place(0))


def parse_query(
    path: str, pairs: Iterable[tuple[str, str]], last_event_id: str | None = None
) -> StreamQuery:
    """
    Read the parameters of a stream.

    Args:
        path: the stream's, for messages.
        pairs: the parameters, as they came.
        last_event_id: the header ``Last-Event-ID``. It counts for more than what the URL says: a browser that
            connects again sends the old URL. What is no cursor of ours is taken as one of another epoch.

    Raises:
        RequestError: a parameter is unknown, comes twice, or isn't allowed; the message names it.
    """
    lines = path == "/stream"
    known = [*_FIELDS, "last_event_id", *(["cursors"] if lines else [])]
    given: dict[str, str] = {}
    for name, text in pairs:
        if name not in known:
            raise RequestError(
                Code.UNKNOWN_FIELD,
                f"{path} has no parameter {show(name)}; its parameters are {', '.join([*known, *OF_EVERY_PATH])}",
            )
        if name in given:
            raise RequestError(Code.INVALID_VALUE, f"the parameter {name!r} is given twice")
        # A URL may hold bytes that are no text.
        given[name] = text.encode(errors="replace").decode()
    cursor = _cursor(given.pop("last_event_id", ""), last_event_id or "")
    cursors = _flag(given.pop("cursors", "false"))
    if not isinstance(cursors, bool):
        raise RequestError(
            Code.INVALID_VALUE, f"'cursors' must be true or false, not {show(cursors)}"
        )
    request = {name: _FIELDS[name](text) for name, text in given.items()}
    subscribe = parse_request(orjson.dumps({"action": "subscribe"} | request))
    assert isinstance(subscribe, Subscribe)
    if cursors and subscribe.mode == "latest":
        text = "'cursors' must be false with the mode latest: what waits for its window is behind any cursor"
        raise RequestError(Code.INVALID_VALUE, text)
    return StreamQuery(subscribe, cursor, cursors)


def _cursor(parameter: str, header: str) -> Cursor | None:
    if header:
        return Cursor.parse(header) or _UNKNOWN
    if not parameter:
        return None
    cursor = Cursor.parse(parameter)
    if cursor is None:
        raise RequestError(
            Code.INVALID_VALUE,
            f"'last_event_id' must be the id of an event, not {show(parameter)}",
        )
    return cursor
