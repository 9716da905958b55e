"""What comes back from the control API, as JSON Schema. No I/O."""

from typing import Any

from feeds.control.kinds import of
from feeds.control.schema import Schema

__all__ = [
    "ARMED",
    "CLIENT",
    "CLIENTS",
    "ENTRY",
    "EVENTS_AND_TIME",
    "STATE",
    "STRINGS",
    "TIME",
    "TOLD",
]

ARMED: Schema = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "fired": {"type": "integer"},
        "fault": {"type": "object", "required": ["name"]},
    },
    "required": ["id", "fired", "fault"],
}

_ANY: Schema = {}
TOLD: dict[str, Schema] = {
    "time": {"type": "number", "description": "the market's time, Unix time in milliseconds"},
    "now": {"type": "string", "format": "date-time", "description": "the same, in UTC"},
}
_NULLABLE: Schema = {"type": ["string", "null"]}
_CLIENT: dict[str, Any] = {
    "id": {"type": "integer"},
    "transport": {"enum": ["websocket", "sse", "stream"]},
    "path": {"type": "string"},
    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
    "is_open": {"type": "boolean"},
    "close_code": {"type": ["integer", "null"]},
    "close_reason": {"type": "string"},
    "closed_by": _NULLABLE,
    "sent": {"type": "array", "items": _ANY},
    "subscriptions": {
        "type": "object",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
    },
    "resume": {"type": ["object", "null"]},
}
CLIENT: Schema = {"type": "object", "properties": _CLIENT, "required": list(_CLIENT)}
CLIENTS: Schema = {"type": "array", "items": CLIENT}
ENTRY: Schema = {
    "type": "object",
    "properties": {
        "number": {"type": "integer"},
        "at": {"type": "number"},
        "time": {"type": "number"},
        "kind": {"type": "string"},
        "client": {"type": "integer"},
    },
    "required": ["number", "at", "time", "kind"],
}

TIME = of(**TOLD)
EVENTS_AND_TIME = of(events={"type": "integer"}, **TOLD)
STRINGS: Schema = {"type": "array", "items": {"type": "string"}}
STATE = of(
    session={"type": "string"},
    sessions=STRINGS,
    **TOLD,
    clock={"type": "string"},
    seed={"type": "integer"},
    epoch={"type": "string"},
    symbols=STRINGS,
    events={"type": "integer"},
    clients={"type": "integer"},
)
