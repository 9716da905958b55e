"""When two requests count as the same, though programs may write them in many ways. No I/O."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson

from feeds.cassette.redact import Redactor
from feeds.dialects.fields import read_json

__all__ = ["IGNORED", "Requests", "rewrite"]

IGNORED = ("id", "req_id", "request_id", "nonce", "timestamp")
"""Names of fields that differ from run to run."""

_KEEP_ALIVES = frozenset(("heartbeat", "keep_alive", "keepalive", "ping", "pong"))
_SORTED = orjson.OPT_SORT_KEYS


class Requests:
    """
    Compares requests.

    In JSON, the order of fields and of the entries of a list doesn't count, entries that come twice count once, and the
    fields in *ignored* don't count at all; what is secret is equal to any other secret. What isn't JSON is compared to
    the letter.

    Args:
        redactor: knows what is secret.
        ignored: names of fields, and of parameters of a path, wherever they stand.
    """

    def __init__(self, redactor: Redactor, ignored: Iterable[str] = IGNORED) -> None:
        self._redactor, self._ignored = redactor, frozenset(ignored)

    def key(self, data: str | bytes) -> bytes | None:
        """Give what a request has in common with those that are the same; None: it only keeps the connection alive."""
        data = self._redactor.data(data, inward=True)
        raw = data.encode() if isinstance(data, str) else data
        try:
            item = read_json(raw)
        except orjson.JSONDecodeError:
            text = raw.strip()
            return None if text.lower().decode(errors="replace") in _KEEP_ALIVES else text
        if _keeps_alive(item):
            return None
        return orjson.dumps(self._normal(item), option=_SORTED)

    def path(self, path: str) -> str:
        """Likewise for a path: the order of its parameters doesn't count."""
        bare, _, query = self._redactor.path(path).partition("?")
        pairs = sorted(
            (name, value)
            for name, value in parse_qsl(query, keep_blank_values=True)
            if name not in self._ignored
        )
        return f"{bare}?{urlencode(pairs)}" if pairs else bare

    def marks(self, data: str | bytes) -> dict[str, Any]:
        """Give the fields of a request that don't count, but that answers may repeat: those at its top."""
        try:
            item = orjson.loads(data)
        except orjson.JSONDecodeError:
            return {}
        if not isinstance(item, dict):
            return {}
        return {k: v for k, v in item.items() if k in self._ignored and isinstance(v, str | int)}

    def _normal(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: self._normal(v) for k, v in value.items() if k not in self._ignored}
        if isinstance(value, list):
            unique = {orjson.dumps(self._normal(entry), option=_SORTED) for entry in value}
            return [orjson.loads(entry) for entry in sorted(unique)]
        return value


def rewrite(text: str, marks: dict[tuple[str, Any], Any]) -> str:
    """
    Put a client's own ids into an answer that was recorded with others.

    Args:
        text: the answer: an object, or a list of them.
        marks: by the name of a field and its value on the tape, the value that the client gave.
    """
    if not any(f'"{name}"' in text for name, _ in marks):
        return text
    try:
        item = read_json(text.encode())
    except orjson.JSONDecodeError:
        return text
    changed = False
    for entry in item if isinstance(item, list) else [item]:
        for (name, old), new in marks.items() if isinstance(entry, dict) else ():
            value = entry.get(name)
            if value == old and type(value) is type(old):
                entry[name] = new
                changed = True
                break
    return orjson.dumps(item).decode() if changed else text


def _keeps_alive(item: Any) -> bool:
    values = item.values() if isinstance(item, dict) else (item,)
    return any(isinstance(v, str) and v.lower() in _KEEP_ALIVES for v in values)
