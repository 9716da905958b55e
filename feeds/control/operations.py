"""
What can be asked for under ``/control/``: one table, which routes, checks, documents and does it. No HTTP.

Each operation is a method of :class:`feeds.directing.director.Director`, its fields that method's arguments.
"""

from dataclasses import dataclass, field

from feeds.control import commands
from feeds.control.commands import JOURNAL_ENTRIES, Run
from feeds.control.kinds import (
    CHANGES,
    CHANNEL,
    CLIENT_ID,
    DURATION,
    EVENTS,
    FAULT,
    FLAG,
    MOMENT,
    QUOTE,
    SCENARIO,
    STATUS,
    SYMBOL,
    TIMEOUT,
    TRADE,
    of,
)
from feeds.control.results import (
    ARMED,
    CLIENT,
    CLIENTS,
    ENTRY,
    EVENTS_AND_TIME,
    STATE,
    STRINGS,
    TIME,
    TOLD,
)
from feeds.control.schema import Schema

__all__ = ["OPERATIONS", "Operation"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation."""

    method: str
    name: str
    """Its path under ``/control/``."""
    summary: str
    run: Run
    result: Schema
    body: Schema | None = None
    """Its fields, in a body of JSON."""
    query: dict[str, Schema] = field(default_factory=dict)
    """Its fields, as parameters."""
    errors: tuple[int, ...] = ()
    """Statuses that it may have, beside those that all have."""

    @property
    def path(self) -> str:
        return f"/control/{self.name}"

    @property
    def opens(self) -> bool:
        """Whether it begins a session that isn't there; what only looks, or ends one, doesn't."""
        return self.method in ("POST", "PUT")


_PATH: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 4_096,
    "pattern": r"^[^\u0000]+$",
    "description": "a path of a file of the server's machine",
}
_LOAD = of("path", path=_PATH, rebase=FLAG | {"default": False}, wait=FLAG | {"default": True})
_N: Schema = {"type": "integer", "minimum": 1, "maximum": 1_000_000}
_N |= {"description": "a number of events from 1 to 1000000", "default": 1}
_NTH = CLIENT_ID | {"description": "the number of a connection, counted from 1", "default": 1}
_OF_CLIENT = {"client": CLIENT_ID}


def _awaited(what: str, *required: str, **properties: Schema) -> Schema:
    told = {"for": {"type": "string", "const": what}}
    return of("for", *required, **told, **properties, timeout=TIMEOUT)


_WAIT: Schema = {
    "oneOf": [
        _awaited("client", n=_NTH),
        _awaited("subscription", "symbol", symbol=SYMBOL, channel=CHANNEL, client=CLIENT_ID),
        _awaited("close", "client", client=CLIENT_ID),
    ],
    "discriminator": {"propertyName": "for"},
}
_LAST: Schema = {"type": "integer", "minimum": 1, "maximum": 1_000_000, "default": JOURNAL_ENTRIES}
_LAST |= {"description": "how many of the newest entries, from 1"}
_KIND: Schema = {"enum": ["open", "in", "out", "close", "command", "fault"]}
_FAULTS = of(faults={"type": "array", "items": ARMED})
_FAULT_ID: Schema = {"type": "integer", "minimum": 1, "maximum": 10**9}
_FAULT_ID |= {"description": "the id that a fault got when it was put in force"}

OPERATIONS: tuple[Operation, ...] = (
    Operation("POST", "trade", "Let a trade happen.", commands.trade, TIME, TRADE, errors=(404,)),
    Operation("POST", "quote", "Let a quote happen.", commands.quote, TIME, QUOTE, errors=(404,)),
    Operation(
        "POST",
        "status",
        "Halt a symbol, or resume it.",
        commands.status,
        TIME,
        STATUS,
        errors=(404,),
    ),
    Operation(
        "POST",
        "play",
        "Let events happen, each at its time.",
        commands.play,
        EVENTS_AND_TIME,
        of("events", events=EVENTS, wait=FLAG | {"default": True}),
    ),
    Operation("POST", "load", "Play a tape.", commands.load, EVENTS_AND_TIME, _LOAD),
    Operation(
        "POST",
        "scenario",
        "Begin a scenario.",
        commands.scenario,
        TIME,
        SCENARIO,
        errors=(404,),
    ),
    Operation(
        "POST", "advance", "Move the time on.", commands.advance, TIME, of("by", by=DURATION)
    ),
    Operation(
        "POST",
        "run_until",
        "Move the time to a moment.",
        commands.run_until,
        TIME,
        of("when", when=MOMENT),
    ),
    Operation(
        "POST",
        "step",
        "Let the market's next events happen.",
        commands.step,
        EVENTS_AND_TIME,
        of(n=_N),
    ),
    Operation(
        "POST", "reset", "Begin anew, perhaps otherwise.", commands.reset, TIME, of(**CHANGES)
    ),
    Operation(
        "POST",
        "sync",
        "Wait until a client has read everything.",
        commands.sync,
        TIME,
        of("client", client=CLIENT_ID, timeout=TIMEOUT),
        errors=(404, 408),
    ),
    Operation(
        "POST",
        "wait",
        "Wait for a client, a subscription, or an end.",
        commands.wait,
        of(client=CLIENT, **TOLD),
        _WAIT,
        errors=(404, 408),
    ),
    Operation(
        "POST",
        "assert_subscribed",
        "Assert that somebody is subscribed.",
        commands.assert_subscribed,
        TIME,
        of("symbol", symbol=SYMBOL, channel=CHANNEL, client=CLIENT_ID),
        errors=(404,),
    ),
    Operation(
        "POST",
        "assert_no_unknown_messages",
        "Assert that all that clients sent were requests.",
        commands.assert_no_unknown_messages,
        TIME,
        of(**_OF_CLIENT),
        errors=(404,),
    ),
    Operation(
        "PUT",
        "faults",
        "Put a fault in force.",
        commands.add_fault,
        of(**ARMED["properties"], **TOLD),
        FAULT,
        errors=(404,),
    ),
    Operation("GET", "faults", "List the faults in force.", commands.faults, _FAULTS),
    Operation(
        "DELETE",
        "faults",
        "Take a fault out of force, or all.",
        commands.clear_faults,
        _FAULTS,
        query={"id": _FAULT_ID},
    ),
    Operation(
        "GET",
        "clients",
        "List the clients, and what they sent.",
        commands.clients,
        of(clients=CLIENTS),
    ),
    Operation(
        "GET",
        "journal",
        "Tell what happened.",
        commands.journal,
        of(count={"type": "integer"}, entries={"type": "array", "items": ENTRY}),
        query={"kind": _KIND, "client": CLIENT_ID, "last": _LAST},
    ),
    Operation("GET", "state", "Tell the state of the session.", commands.state, STATE),
    Operation("DELETE", "session", "End the session.", commands.end, of(sessions=STRINGS)),
)
"""All operations, in the order in which they are documented."""
