"""The table of faults: what there is, which parameters each has, and where it strikes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

__all__ = ["KINDS", "Kind", "Layer", "Parameter"]


class Layer(Enum):
    """Where a fault strikes, which decides when it can."""

    HANDSHAKE = "handshake"
    """An attempt to connect over WebSocket."""
    REQUEST = "request"
    """A client's request."""
    COMMAND = "command"
    """A connection, once: something is done to it, and then it is over."""
    LASTING = "lasting"
    """A connection, until cleared."""
    EVENT = "event"
    """An event, on its way to clients. The market and its history stay as they are."""
    MARKET = "market"
    """The market itself, for everybody."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a fault: its default, and which values are allowed."""

    default: Any
    check: Callable[[Any], bool]
    allowed: str
    """In words."""
    limits: Mapping[str, Any]
    """As JSON Schema has them."""

    @property
    def schema(self) -> dict[str, Any]:
        """Give the parameter in JSON Schema."""
        return {**self.limits, "default": self.default, "description": self.allowed}


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault that there is."""

    name: str
    layer: Layer
    does: str
    """What the server does, in one sentence."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


def _whole(default: int | None, low: int, high: int, *, none: str = "") -> Parameter:
    def check(value: Any) -> bool:
        if value is None:
            return bool(none)
        return type(value) is int and low <= value <= high

    allowed = f"a whole number from {low:,} to {high:,}" + (f", or None: {none}" if none else "")
    schema = {"type": _type("integer", none), "minimum": low, "maximum": high}
    return Parameter(default, check, allowed, schema)


def _number(default: float, low: float, high: float) -> Parameter:
    def check(value: Any) -> bool:
        return type(value) in (int, float) and low < value <= high

    schema = {"type": "number", "exclusiveMinimum": low, "maximum": high}
    return Parameter(default, check, f"a number above {low:g}, up to {high:g}", schema)


def _text(default: str | None, most: int, *, none: str = "") -> Parameter:
    def check(value: Any) -> bool:
        if value is None:
            return bool(none)
        return isinstance(value, str) and len(value.encode()) <= most

    allowed = f"text of at most {most} bytes" + (f", or None: {none}" if none else "")
    return Parameter(default, check, allowed, {"type": _type("string", none), "maxLength": most})


def _type(name: str, none: str) -> str | list[str]:
    return [name, "null"] if none else name


_REASON = _text("", 123)  # what fits into a control frame beside the code (RFC 6455, section 5.5)


def _kinds() -> tuple[Kind, ...]:
    return (*_handshake(), *_commands(), *_lasting(), *_events(), *_market())


def _handshake() -> tuple[Kind, ...]:
    layer = Layer.HANDSHAKE
    return (
        Kind("refuse", layer, "Resets the connection instead of answering the upgrade."),
        Kind("silence", layer, "Reads the upgrade and doesn't answer; when cleared, it goes on."),
        Kind(
            "delay",
            layer,
            "Answers the upgrade that much later, by the feed's clock.",
            {"seconds": _number(1.0, 0, 86_400)},
        ),
        Kind(
            "status",
            layer,
            "Answers the upgrade with a status.",
            {
                "code": _whole(503, 200, 599),
                "retry_after": _whole(None, 0, 86_400, none="no such header"),
            },
        ),
        Kind("bad_accept", layer, "Accepts the upgrade with the wrong `Sec-WebSocket-Accept`."),
        Kind(
            "auth_reject",
            Layer.REQUEST,
            "Answers `auth` with `invalid_token`, whatever the token, and closes with 1008.",
        ),
    )


def _commands() -> tuple[Kind, ...]:
    layer = Layer.COMMAND
    return (
        Kind(
            "auth_expiry",
            layer,
            "Tells `unauthorized`, then closes with the code; with None, it stays open and wants a token again.",
            {
                "code": _whole(1008, 1000, 4999, none="not closed"),
                "reason": _text("the token has expired", 123),
            },
        ),
        Kind(
            "close",
            layer,
            "Closes with a code and a reason, allowed on the wire or not.",
            {"code": _whole(1001, 0, 65_535), "reason": _REASON},
        ),
        Kind("close_without_code", layer, "Closes with an empty close frame."),
        Kind("abort", layer, "Resets the connection, without a close frame."),
        Kind("truncated", layer, "Sends the first half of a frame, then ends the connection."),
        Kind("invalid_utf8", layer, "Sends a text frame that isn't UTF-8."),
        Kind("reserved_bits", layer, "Sends a text frame with reserved bits set."),
        Kind("ping_flood", layer, "Sends pings.", {"pings": _whole(1_000, 1, 100_000)}),
        Kind("binary_frame", layer, "Sends a binary frame.", {"size": _whole(16, 0, 1 << 20)}),
        Kind(
            "oversize",
            layer,
            "Sends a heartbeat in a frame of that many bytes.",
            {"size": _whole(2 << 20, 1_000, 64 << 20)},
        ),
    )


def _lasting() -> tuple[Kind, ...]:
    layer = Layer.LASTING
    return (
        Kind(
            "half_open",
            layer,
            "Neither reads nor sends, and closes nothing; when cleared, the connection is reset.",
        ),
        Kind("no_pong", layer, "Doesn't answer pings."),
        Kind(
            "stall",
            layer,
            "Sends nothing; when cleared, what was held up goes out. A backlog is treated as any slow consumer's.",
        ),
        Kind(
            "slow",
            layer,
            "Sends so many bytes a second, by the feed's clock.",
            {"bytes_per_s": _whole(1_000, 1, 1_000_000_000)},
        ),
        Kind("sliced", layer, "Writes pieces of so many bytes.", {"size": _whole(1, 1, 1_000_000)}),
    )


def _events() -> tuple[Kind, ...]:
    layer = Layer.EVENT
    return (
        Kind("gap", layer, "Leaves events out.", {"events": _whole(1, 1, 1_000_000)}),
        Kind("duplicate", layer, "Sends an event again, at once.", {"copies": _whole(1, 1, 1_000)}),
        Kind("reorder", layer, "Sends an event after the next one of its symbol and channel."),
        Kind("stale", layer, "Sends time and values of the event before, under the new `seq`."),
        Kind(
            "clock_backwards",
            layer,
            "Sets an event's time back.",
            {"seconds": _number(1.0, 0, 1e9)},
        ),
        Kind("crossed_quote", layer, "Swaps bid and ask of a quote."),
        Kind(
            "wild_price",
            layer,
            "Multiplies the prices of a trade or quote.",
            {"factor": _number(10.0, 0, 1e9)},
        ),
        Kind(
            "missing_field",
            layer,
            "Leaves a field out.",
            {"field": _text(None, 100, none="the first price, or else the last field")},
        ),
        Kind("invalid_json", layer, "Cuts off the end of the message that an event is in."),
        Kind(
            "unknown_type",
            layer,
            "Puts an object of a type that nobody knows before an event.",
            {"type": _text("mystery", 100)},
        ),
    )


def _market() -> tuple[Kind, ...]:
    layer = Layer.MARKET
    return (
        Kind(
            "epoch_change",
            layer,
            "Does what a restart looks like: everybody is closed, and who comes back finds another epoch.",
            {"code": _whole(1012, 1000, 4999)},
        ),
        Kind(
            "microburst",
            layer,
            "Lays quotes over those that there are, at even intervals.",
            {"events": _whole(20_000, 1, 100_000), "seconds": _number(1.0, 0, 3_600)},
        ),
        Kind(
            "halt",
            layer,
            "Halts a symbol, or all; when cleared, it trades again.",
            {"reason": _text("T1", 10, none="none is given")},
        ),
    )


KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _kinds()}
"""All faults, by name."""
