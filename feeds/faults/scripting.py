"""Faults of the market itself: bursts and halts, laid over its walk like any scripted event."""

from feeds.faults.fault import Fault, FaultError
from ticker.market import Market
from ticker.reference.status import REASONS
from ticker.script import ScriptedQuote, ScriptedStatus
from ticker.venue import Venue

__all__ = ["check", "lay", "lift"]


def check(market: Venue, fault: Fault) -> None:
    """
    Look whether a fault can be laid over a market.

    Raises:
        FaultError: it is a tape, a burst has no symbol, or a reason is unknown.
    """
    if fault.name not in ("halt", "microburst"):
        return
    if not isinstance(market, Market):
        raise FaultError(f"{fault.name}: what plays is a tape, and nothing can be laid over a tape")
    if fault.name == "microburst" and fault.symbol is None:
        raise FaultError("microburst: symbol is needed")
    reason = fault.params.get("reason")
    if reason not in REASONS:
        known = ", ".join(str(code) for code in REASONS)
        raise FaultError(f"halt: reason {reason!r} is unknown; known are {known}")


def lay(market: Venue, fault: Fault) -> None:
    """Lay a burst or a halt over a market, from its time on, or from now."""
    assert isinstance(market, Market)
    begin = max(market.now_us, fault.at or 0)
    if fault.name == "microburst":
        _burst(market, fault, begin)
        return
    for symbol in _symbols(market, fault):
        market.schedule(begin, ScriptedStatus(symbol, "halted", fault.params["reason"]))


def lift(market: Venue, fault: Fault) -> None:
    """Let what was halted trade again, now, or as soon as it is halted."""
    assert isinstance(market, Market)
    begin = max(market.now_us, fault.at or 0)
    for symbol in _symbols(market, fault):
        market.schedule(begin, ScriptedStatus(symbol, "trading"))


def _symbols(market: Market, fault: Fault) -> list[int]:
    if fault.symbol is None:
        return list(range(len(market.universe)))
    number = market.universe.find(fault.symbol)
    assert number is not None, "looked up when the fault was added"
    return [number]


def _burst(market: Market, fault: Fault, begin: int) -> None:
    """Repeat the standing quote, with other sizes, at even intervals."""
    (symbol,) = _symbols(market, fault)
    state, events = market.snapshot(symbol), fault.params["events"]
    bid = state.bid or max(1, state.last - 1)
    ask = max(state.ask or 0, bid + 1)
    every_us = fault.params["seconds"] * 1e6 / events
    for n in range(events):
        size = 100 * (1 + n % 9)
        market.schedule(begin + int(n * every_us), ScriptedQuote(symbol, bid, size, ask, size))
