"""What the operations of the control API do: each a method of the director, with arguments as JSON has them. No HTTP."""

from dataclasses import dataclass
from typing import Any

from feeds.control.errors import ControlCode, ControlError
from feeds.director import Director
from feeds.observed import Client
from feeds.plants import Plants

__all__ = [
    "Desk",
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
class Desk:
    """From where one session is directed."""

    director: Director
    plants: Plants


def _told(desk: Desk) -> dict[str, Any]:
    """Say what time it is, which is the answer to most commands."""
    director = desk.director
    us = director.plant.market.now_us
    return {"time": us / 1000, "now": director.now.isoformat()}


def _one(director: Director, number: int) -> Client:
    found = next((client for client in director.clients if client.id == number), None)
    if found is None:
        ids = ", ".join(str(client.id) for client in director.clients[-10:]) or "none"
        text = f"unknown client {number}; those that came since the last reset are {ids}"
        raise ControlError(404, ControlCode.UNKNOWN_CLIENT, text)
    return found


def _with_client(director: Director, args: dict[str, Any]) -> dict[str, Any]:
    if "client" in args:
        args["client"] = _one(director, args["client"])
    return args


def _known(director: Director, args: dict[str, Any]) -> dict[str, Any]:
    """Refuse a symbol that isn't there."""
    name, universe = args.get("symbol"), director.plant.market.universe
    if name is not None and universe.find(name) is None:
        near = universe.suggest(name)
        hint = f"; did you mean {near!r}?" if near else ""
        text = f"unknown symbol {name!r}{hint}"
        raise ControlError(404, ControlCode.UNKNOWN_SYMBOL, text)
    return args


async def trade(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    await desk.director.trade(**_known(desk.director, args))
    return _told(desk)


async def quote(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    await desk.director.quote(**_known(desk.director, args))
    return _told(desk)


async def status(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    await desk.director.status(**_known(desk.director, args))
    return _told(desk)


async def play(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    return {"events": await desk.director.play(**args), **_told(desk)}


async def load(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    return {"events": await desk.director.load(**args), **_told(desk)}


async def scenario(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    await desk.director.scenario(**_known(desk.director, args))
    return _told(desk)


async def advance(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    await desk.director.advance(**args)
    return _told(desk)


async def run_until(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    await desk.director.run_until(**args)
    return _told(desk)


async def step(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    return {"events": await desk.director.step(**args), **_told(desk)}


async def reset(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    await desk.director.reset(**args)
    return _told(desk)


async def sync(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    await desk.director.sync(**_with_client(desk.director, args))
    return _told(desk)


async def wait(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    what = args.pop("for")
    if what == "client":
        client = await desk.director.wait_for_client(**args)
    elif what == "close":
        client = await desk.director.wait_for_close(**_with_client(desk.director, args))
    else:
        _known(desk.director, args)
        client = await desk.director.wait_for_subscription(**_with_client(desk.director, args))
    return {"client": client.as_json(), **_told(desk)}


async def assert_subscribed(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    desk.director.assert_subscribed(**_with_client(desk.director, _known(desk.director, args)))
    return _told(desk)


async def assert_no_unknown_messages(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    desk.director.assert_no_unknown_messages(**_with_client(desk.director, args))
    return _told(desk)


async def add_fault(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    director = desk.director
    if "client" in args:
        _one(director, args["client"])
    handle = director.fault.add(args.pop("name"), **_known(director, args))
    told = {"id": handle.id, "fired": handle.fired, "fault": handle.fault.as_dict()}
    return told | _told(desk)


async def faults(desk: Desk, _: dict[str, Any]) -> dict[str, Any]:
    armed = desk.director.plant.faults.plan
    return {"faults": [{"id": a.id, "fired": a.fired, "fault": a.fault.as_dict()} for a in armed]}


async def clear_faults(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    injector = desk.director.plant.faults
    if "id" in args and args["id"] not in injector.plan:
        known = ", ".join(str(armed.id) for armed in injector.plan) or "none"
        text = f"unknown fault {args['id']}; those in force are {known}"
        raise ControlError(404, ControlCode.UNKNOWN_FAULT, text)
    injector.clear(args.get("id"))
    return await faults(desk, {})


async def clients(desk: Desk, _: dict[str, Any]) -> dict[str, Any]:
    return {"clients": [client.as_json() for client in desk.director.clients]}


async def journal(desk: Desk, args: dict[str, Any]) -> dict[str, Any]:
    journal = desk.director.journal
    entries = journal.entries(args.get("kind"), args.get("client"))
    newest = entries[-args.get("last", JOURNAL_ENTRIES) :]
    return {"count": journal.count, "entries": [entry.as_json() for entry in newest]}


async def state(desk: Desk, _: dict[str, Any]) -> dict[str, Any]:
    plant = desk.director.plant
    return {
        "session": desk.director.session,
        "sessions": list(desk.plants.sessions),
        **_told(desk),
        "clock": plant.clock.name,
        "seed": plant.market.seed,
        "epoch": plant.feed.epoch,
        "symbols": list(plant.market.universe.symbols),
        "events": plant.pump.events,
        "clients": sum(plant.clients().values()),
    }


async def end(desk: Desk, _: dict[str, Any]) -> dict[str, Any]:
    desk.plants.close(desk.director.session)
    return {"sessions": list(desk.plants.sessions)}
