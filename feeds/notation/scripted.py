"""Turns events as people write them, in the form that they have on the wire, into what a market takes: ticks, ids, times."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import orjson

from feeds.errors import CommandError
from feeds.notation.naming import symbol_id
from feeds.notation.times import as_datetime, duration_us
from ticker.instruments import tick_fraction
from ticker.script import ScriptedEvent, ScriptedQuote, ScriptedStatus, ScriptedTrade
from ticker.universe import Universe

__all__ = ["Item", "Scripts", "timed"]

_FIELDS = {
    "trade": {"symbol", "price", "size", "exchange", "conditions"},
    "quote": {"symbol", "bid", "bid_size", "ask", "ask_size"},
    "status": {"symbol", "status", "reason"},
}
_MADE = ("hello", "snapshot", "bar", "gap")  # lines of a record that the market makes itself
_COMMON = {"type", "time", "at", "raw", "seq"}  # the sequence is the market's own
_DEFAULTS: dict[str, Any] = {"size": 100, "bid_size": 100, "ask_size": 100, "reason": None}
_DEFAULTS |= {"exchange": None, "conditions": ()}
_REQUIRED = {
    "trade": ("symbol", "price"),
    "quote": ("symbol", "bid", "ask"),
    "status": ("symbol", "status"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One event to come."""

    event: ScriptedEvent
    raw: dict[str, Any] | None = None
    """What the wire says instead of what the books have."""
    at_us: int | None = None
    """When, in microseconds after the beginning; None: with the one before."""
    time_us: int | None = None
    """When, Unix time in microseconds, where that is what was said."""


class Scripts:
    """
    Turns what was written into events for one universe.

    Args:
        universe: the symbols and their grids.
    """

    def __init__(self, universe: Universe) -> None:
        self._universe = universe

    def item(self, written: Mapping[str, Any]) -> Item:
        """
        Give one event, written as on the wire: ``{"type": "trade", "symbol": "AAPL", "price": 187.43}``.

        ``at`` says when, counted from the beginning (``"250ms"``), ``time`` says it in Unix milliseconds, as the wire
        does; with neither, it comes with the event before it.

        Raises:
            CommandError: something in it isn't allowed; the message names it.
        """
        if not isinstance(written, Mapping):
            raise CommandError(f"{written!r} is no event; one is an object with a type")
        kind = written.get("type")
        if kind not in _FIELDS:
            raise CommandError(f"type {kind!r} can't be played; {', '.join(_FIELDS)} can")
        for name in written:
            if name not in _FIELDS[kind] | _COMMON:
                known = ", ".join(sorted(_FIELDS[kind] | _COMMON - {"type"}))
                raise CommandError(f"a {kind} has no field {name!r}; it has {known}")
        for name in _REQUIRED[kind]:
            if name not in written:
                raise CommandError(f"a {kind} needs the field {name!r}")
        if "at" in written and "time" in written:
            raise CommandError("'at' and 'time' exclude each other: give one of them")
        fields = {**_DEFAULTS, **written}
        symbol = symbol_id(self._universe, fields["symbol"])
        try:
            event, raw = self._event(kind, symbol, fields, raw=bool(written.get("raw", False)))
        except CommandError:
            raise
        except ValueError as error:
            raise CommandError(f"{written['symbol']}: {error}") from error
        at_us = duration_us(written["at"]) if "at" in written else None
        time_us = _time_us(written["time"]) if "time" in written else None
        return Item(event, raw, at_us, time_us)

    def items(self, events: Iterable[Mapping[str, Any]]) -> list[Item]:
        """
        Give several events; see :meth:`item`.

        Raises:
            CommandError: one of them isn't allowed; the message says which.
        """
        items = []
        for number, written in enumerate(events, 1):
            try:
                items.append(self.item(written))
            except CommandError as error:
                raise CommandError(f"event {number}: {error}") from error
        return items

    def tape(self, path: Path) -> list[Item]:
        """
        Read the events of a tape, one a line; see :meth:`feeds.directing.director.Director.load`.

        Raises:
            CommandError: it can't be read, or a line isn't allowed; the message says which.
        """
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise CommandError(f"can't read the tape {str(path)!r}: {error.strerror}") from error
        items = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                written = orjson.loads(line)
                if isinstance(written, dict) and written.get("type") in _MADE:
                    continue
                items.append(self.item(written))
            except ValueError as error:
                raise CommandError(f"{path}, line {number}: {error}") from error
        return items

    def _event(
        self, kind: str, symbol: int, fields: Mapping[str, Any], *, raw: bool
    ) -> tuple[ScriptedEvent, dict[str, Any] | None]:
        if kind == "status":
            return ScriptedStatus(symbol, fields["status"], fields["reason"]), None
        if kind == "trade":
            given = {name: fields[name] for name in ("price", "size")}
            price = self._ticks(symbol, "price", given["price"], raw=raw)
            size = _size("size", given["size"], raw=raw)
            trade = ScriptedTrade(symbol, price, size, fields["exchange"], fields["conditions"])
            return trade, given if raw else None
        given = {name: fields[name] for name in ("bid", "bid_size", "ask", "ask_size")}
        bid = self._ticks(symbol, "bid", given["bid"], raw=raw)
        ask = self._ticks(symbol, "ask", given["ask"], raw=raw)
        if ask <= bid:
            if not raw:
                who = self._universe.symbols[symbol]
                text = f"bid {given['bid']!r} of {who} is not below ask {given['ask']!r}"
                raise CommandError(f"{text}; raw=True sends it as it is")
            ask = bid + 1
        sizes = [_size(name, given[name], raw=raw) for name in ("bid_size", "ask_size")]
        quote = ScriptedQuote(symbol, bid, sizes[0], ask, sizes[1])
        return quote, given if raw else None

    def _ticks(self, symbol: int, name: str, value: Any, *, raw: bool) -> int:
        """Give a price in ticks; off the grid only if it is raw, and then the nearest."""
        who = self._universe.symbols[symbol]
        tick_size = self._universe[symbol].tick_size
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise CommandError(f"{name} {value!r} of {who} is no number")
        tick = tick_fraction(tick_size)
        ticks = Fraction(repr(value)) / tick
        if raw:
            return max(1, round(ticks))
        if ticks.denominator != 1:
            low, high = (float(math.floor(ticks) * tick), float(math.ceil(ticks) * tick))
            raise CommandError(
                f"{name} {value!r} of {who} is not on its grid of {tick_size:g}: {low!r} and {high!r} are;"
                " raw=True sends it as it is"
            )
        if ticks < 1:
            raise CommandError(
                f"{name} {value!r} of {who} is not at least {tick_size:g}; raw=True sends it as it is"
            )
        return int(ticks)


def _size(name: str, value: Any, *, raw: bool) -> int:
    if raw and isinstance(value, int | float) and math.isfinite(value):
        return max(1, round(value))
    if isinstance(value, bool) or not isinstance(value, int):
        raise CommandError(f"{name} {value!r} is no whole number of shares")
    return value


def _time_us(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CommandError(f"time {value!r} is no Unix time in milliseconds")
    return round(Fraction(repr(value)) * 1000)


def timed(items: Iterable[Item], base: int, now: int, *, rebase: bool) -> list[tuple[int, Item]]:
    """Give items with the times at which they come, none before now."""
    timed: list[tuple[int, Item]] = []
    at, shift = now, None
    for number, item in enumerate(items, 1):
        if item.at_us is not None:
            at = max(now, base + item.at_us)
        elif item.time_us is not None:
            if shift is None:
                shift = base - item.time_us if rebase else 0
            at = item.time_us + shift
            if rebase:
                at = max(at, now)
        if at < now:
            raise CommandError(
                f"event {number}: {as_datetime(at).isoformat()} has passed, the market is at"
                f" {as_datetime(now).isoformat()}; rebase=True plays a tape from now on"
            )
        timed.append((at, item))
    return timed
