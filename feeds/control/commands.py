"""What the operations of the control API do: each a method of the director, with arguments as JSON has them. No HTTP."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from feeds.control.errors import UnknownFault
from feeds.directing.director import Director
from feeds.notation.naming import symbol_id
from feeds.plants import Plants

__all__ = [
    "JOURNAL_ENTRIES",
    "Console",
    "Run",
    "add_fault",
    "advance",
    "assert_no_unknown_messages",
    "assert_subscribed",
    "clear_faults",
    "clients",
    "end",
    "faults",
    "journal",
    "load",
    "play",
    "quote",
    "reset",
    "run_until",
    "scenario",
    "state",
    "status",
    "step",
    "sync",
    "trade",
    "wait",
]

JOURNAL_ENTRIES = 1_000


@dataclass(frozen=True, slots=True)
class Console:
    """From where one session is directed."""

    director: Director
    plants: Plants


Run = Callable[[Console, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Does an operation: takes the console of its session, and its fields."""


def _told(console: Console) -> dict[str, Any]:
    """Say what time it is, which is the answer to most commands."""
    director = console.director
    us = director.plant.market.now_us
    return {"time": us / 1000, "now": director.now.isoformat()}


def _done(method: Callable[..., Awaitable[object]]) -> Run:
    """Make an operation of a director's method that is answered with the time when it is done."""

    async def run(console: Console, args: dict[str, Any]) -> dict[str, Any]:
        await method(console.director, **args)
        return _told(console)

    return run


def _counted(method: Callable[..., Awaitable[int]]) -> Run:
    """Likewise, with how many events there were."""

    async def run(console: Console, args: dict[str, Any]) -> dict[str, Any]:
        return {"events": await method(console.director, **args), **_told(console)}

    return run


def _asserted(method: Callable[..., None]) -> Run:
    """Likewise, of what is answered at once."""

    async def run(console: Console, args: dict[str, Any]) -> dict[str, Any]:
        method(console.director, **args)
        return _told(console)

    return run


trade = _done(Director.trade)
quote = _done(Director.quote)
status = _done(Director.status)
play = _counted(Director.play)
load = _counted(Director.load)
scenario = _done(Director.scenario)
advance = _done(Director.advance)
run_until = _done(Director.run_until)
step = _counted(Director.step)
reset = _done(Director.reset)
sync = _done(Director.sync)
assert_subscribed = _asserted(Director.assert_subscribed)
assert_no_unknown_messages = _asserted(Director.assert_no_unknown_messages)


async def wait(console: Console, args: dict[str, Any]) -> dict[str, Any]:
    what = args.pop("for")
    if what == "client":
        client = await console.director.wait_for_client(**args)
    elif what == "close":
        client = await console.director.wait_for_close(**args)
    else:
        client = await console.director.wait_for_subscription(**args)
    return {"client": client.as_json(), **_told(console)}


async def add_fault(console: Console, args: dict[str, Any]) -> dict[str, Any]:
    director = console.director
    # What isn't there at all is told as everywhere; what can't be hit now is a fault's own error.
    plant = director.plant
    if "client" in args and plant.clientele is not None:
        plant.clientele.find(args["client"])
    if "symbol" in args:
        symbol_id(plant.market.universe, args["symbol"])
    handle = director.fault.add(args.pop("name"), **args)
    told = {"id": handle.id, "fired": handle.fired, "fault": handle.fault.as_dict()}
    return told | _told(console)


async def faults(console: Console, _: dict[str, Any]) -> dict[str, Any]:
    armed = console.director.plant.faults.plan
    return {"faults": [{"id": a.id, "fired": a.fired, "fault": a.fault.as_dict()} for a in armed]}


async def clear_faults(console: Console, args: dict[str, Any]) -> dict[str, Any]:
    injector = console.director.plant.faults
    if "id" in args and args["id"] not in injector.plan:
        known = ", ".join(str(armed.id) for armed in injector.plan) or "none"
        raise UnknownFault(f"unknown fault {args['id']}; those in force are {known}")
    injector.clear(args.get("id"))
    return await faults(console, {})


async def clients(console: Console, _: dict[str, Any]) -> dict[str, Any]:
    return {"clients": [client.as_json() for client in console.director.clients]}


async def journal(console: Console, args: dict[str, Any]) -> dict[str, Any]:
    journal = console.director.journal
    entries = journal.entries(args.get("kind"), args.get("client"))
    newest = entries[-args.get("last", JOURNAL_ENTRIES) :]
    return {"count": journal.count, "entries": [entry.as_json() for entry in newest]}


async def state(console: Console, _: dict[str, Any]) -> dict[str, Any]:
    plant = console.director.plant
    return {
        "session": console.director.session,
        "sessions": list(console.plants.sessions),
        **_told(console),
        "clock": plant.clock.name,
        "seed": plant.market.seed,
        "epoch": plant.feed.epoch,
        "symbols": list(plant.market.universe.symbols),
        "events": plant.pump.events,
        "clients": sum(plant.clients().values()),
    }


async def end(console: Console, _: dict[str, Any]) -> dict[str, Any]:
    console.plants.close(console.director.session)
    return {"sessions": list(console.plants.sessions)}
