"""What the control API takes, as JSON Schema. No I/O."""

from feeds.control.schema import Schema
from feeds.faults.fault import TRIGGERS
from feeds.faults.kinds import KINDS, Kind
from ticker.reference.conditions import CONDITIONS
from ticker.reference.exchanges import EXCHANGES
from ticker.reference.status import REASONS, STATUSES
from ticker.regulation.us import RULES
from ticker.scenarios import SCENARIOS

__all__ = [
    "CHANGES",
    "CHANNEL",
    "CLIENT_ID",
    "DURATION",
    "EVENTS",
    "FAULT",
    "FLAG",
    "MOMENT",
    "QUOTE",
    "SCENARIO",
    "STATUS",
    "SYMBOL",
    "TIMEOUT",
    "TRADE",
    "of",
]

_DURATION = r"^[0-9]{1,9}(\.[0-9]{1,6})?(us|ms|s|m|h)$"
_MOST = 1e12


def of(*required: str, **properties: Schema) -> Schema:
    """Make the schema of an object that has these fields and no others; those named first must be there."""
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": list(required)} if required else {})


def _integer(low: int, high: int, description: str) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high, "description": description}


def _number(low: float, high: float, description: str) -> Schema:
    return {"type": "number", "minimum": low, "maximum": high, "description": description}


def _text(description: str, most: int = 200) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": most, "description": description}


SYMBOL = _text("a symbol of the market", 32)
CLIENT_ID = _integer(1, 10**9, "a client's id: connections are counted from 1 since the last reset")
CHANNEL: Schema = {
    "type": "string",
    "pattern": r"^(trades|quotes|status|depth|bars(:[0-9]{1,2}[smhd])?)$",
    "description": "a channel: trades, quotes, status, depth, bars, or bars of an interval such as bars:1m",
}
FLAG: Schema = {"type": "boolean", "description": "true or false"}
DURATION: Schema = {
    "anyOf": [
        {"type": "string", "pattern": _DURATION},
        {"type": "number", "minimum": 0, "maximum": 3_000_000_000},
    ],
    "description": "a length of time: 250ms, 1.5s, 2m, 1h, 3d, or a number of seconds",
    "examples": ["250ms"],
}
TIMEOUT: Schema = {
    "anyOf": [
        {"type": "string", "pattern": r"^[0-9]{1,5}(\.[0-9]{1,6})?(ms|s)$"},
        {"type": "number", "minimum": 0, "maximum": 600},
    ],
    "default": "5s",
    "description": "how long to wait in real time, 10 minutes at most: 250ms, 5s, or a number of seconds",
    "examples": ["5s"],
}
MOMENT = _text(
    "a moment: 09:45 or 09:45:30 of the market's day in New York, or an ISO 8601 time", 64
) | {"examples": ["09:45"]}

_PRICE = _number(-_MOST, _MOST, "a price, on the symbol's grid unless raw")
_SIZE = _number(-_MOST, _MOST, "a number of shares")
_RAW = FLAG | {"default": False, "description": "true to send the values as they are, whatever"}
_SIZE_100 = _SIZE | {"default": 100}

_EXCHANGE: Schema = {"enum": [None, *EXCHANGES], "default": None}
_EXCHANGE |= {"description": "the letter of an exchange, or null"}
_CONDITIONS: Schema = {"type": "array", "items": {"enum": [c.code for c in CONDITIONS]}}
_CONDITIONS |= {"maxItems": len(CONDITIONS), "description": "a list of codes of conditions"}
_TRADE = {"symbol": SYMBOL, "price": _PRICE, "size": _SIZE_100}
_TRADE |= {"exchange": _EXCHANGE, "conditions": _CONDITIONS | {"default": []}, "raw": _RAW}
_QUOTE = {"symbol": SYMBOL, "bid": _PRICE, "ask": _PRICE}
_QUOTE |= {"bid_size": _SIZE_100, "ask_size": _SIZE_100, "raw": _RAW}
_REASON: Schema = {"enum": list(REASONS), "default": None, "description": "a reason, or null"}
_STATUS = {"symbol": SYMBOL, "status": {"enum": list(STATUSES)}, "reason": _REASON}

TRADE = of("symbol", "price", **_TRADE)
QUOTE = of("symbol", "bid", "ask", **_QUOTE)
STATUS = of("symbol", "status", **_STATUS)

_WHEN: dict[str, Schema] = {
    "at": DURATION,
    "time": _number(0, 1e14, "a Unix time in milliseconds"),
    "seq": _integer(0, 2**53, "a sequence, which the market replaces with its own"),
}


def _event(kind: str, required: tuple[str, ...], properties: dict[str, Schema]) -> Schema:
    return of("type", *required, type={"type": "string", "const": kind}, **properties, **_WHEN)


EVENTS: Schema = {
    "type": "array",
    "maxItems": 10_000,
    "description": "a list of at most 10000 events",
    "items": {
        "oneOf": [
            _event("trade", ("symbol", "price"), _TRADE),
            _event("quote", ("symbol", "bid", "ask"), _QUOTE),
            _event("status", ("symbol", "status"), _STATUS),
        ],
        "discriminator": {"propertyName": "type"},
    },
}

CHANGES: dict[str, Schema] = {
    "symbols": {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": 100_000},
            {"type": "string", "minLength": 1, "maxLength": 10_000},
            {"type": "array", "items": SYMBOL, "minItems": 1, "maxItems": 10_000},
        ],
        "description": "a number of symbols, a list of them, or symbols with commas between",
    },
    "market": {
        "enum": ["walk", "quiet"],
        "description": "walk, or quiet, in which nothing happens but what a test commands",
    },
    "rate": _number(0, 1e6, "events a second and symbol"),
    "seed": _integer(-(2**63), 2**63 - 1, "a seed of 64 bits"),
    "model": {"enum": ["full", "gbm"]},
    "rules": {"enum": list(RULES)},
    "clock": {
        "type": "string",
        "pattern": r"^(wall|manual|max|x[0-9]{1,6}(\.[0-9]{1,6})?)$",
        "description": "a clock: wall, manual, max, or x10",
    },
    "start_us": _integer(0, 10**17, "a Unix time in microseconds"),
    "turn_ms": _number(1, 1_000, "milliseconds from 1 to 1000"),
    "turn_events": _integer(1, 10**9, "a number of events"),
    "heartbeat_s": _number(0.1, 3_600, "seconds from 0.1 to 3600"),
    "history_mb": _number(0, 1_000, "megabytes from 0 to 1000"),
    "compress": FLAG,
    "slow": {"enum": ["conflate", "drop", "disconnect"]},
}
"""Options in which a session may differ; see :data:`feeds.plants.CHANGES`."""

SCENARIO = of(
    "name",
    name={"enum": list(SCENARIOS)},
    symbol=SYMBOL,
    size=_number(-1e6, 1e6, "how far the price goes, as a return; of microburst, how many quotes"),
    duration=DURATION,
    volatility=_number(0, 1_000, "a multiplier on the volatility"),
    seed=_integer(-(2**63), 2**63 - 1, "a seed of 64 bits"),
)

_FROM_1 = _integer(1, 10**9, "a whole number from 1")
_AIM: dict[str, Schema] = {
    "client": CLIENT_ID,
    "nth": _FROM_1 | {"description": "the number of a connection after now, from 1"},
    "symbol": SYMBOL,
    "after": _FROM_1
    | {"description": "how many events, or tries to connect, are let pass before, from 1"},
    "at": MOMENT,
    "on": {"enum": list(TRIGGERS), "description": "connect, or the action of a request"},
    "times": _FROM_1 | {"description": "how often it strikes, from 1"},
    "probability": _number(0, 1, "a probability from 0 to 1"),
    "seed": _integer(-(2**63), 2**63 - 1, "a seed of 64 bits"),
}


def _fault(kind: Kind) -> Schema:
    own = {
        name: {**parameter.schema, "default": parameter.default}
        | {"description": parameter.allowed.replace("None", "null")}
        for name, parameter in kind.parameters.items()
    }
    name: Schema = {"type": "string", "const": kind.name}
    return of("name", name=name, **own, **_AIM) | {"description": kind.does}


FAULT: Schema = {
    "oneOf": [_fault(kind) for kind in KINDS.values()],
    "discriminator": {"propertyName": "name"},
}
