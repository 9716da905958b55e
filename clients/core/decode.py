"""Turns the text of a server message into typed events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from clients.events import Bar, Depth, Event, Quote, Snapshot, Status, Trade, TradeTotal
from clients.failures import MalformedMessageError

__all__ = ["BUILDERS", "Item", "build_snapshot", "parse_message"]

Item = dict[str, Any]
"""One object of a server message."""


def parse_message(text: str | bytes) -> list[Item]:
    """Parse a server message; MalformedMessageError when it isn't a JSON array.

    Does not look at what is in the array: who takes an object apart sees whether it is one.
    """
    try:
        items = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedMessageError(f"malformed message: {error}: {text[:80]!r}") from None
    if not isinstance(items, list):
        raise MalformedMessageError(f"malformed message: not an array: {text[:80]!r}")
    return items


def build_snapshot(item: Item) -> Snapshot:
    """Read a `snapshot` object; KeyError when a field is missing."""
    return Snapshot(
        item["symbol"],
        item["time"],
        item["seq"],
        item["last"],
        item.get("size"),
        item["bid"],
        item["bid_size"],
        item["ask"],
        item["ask_size"],
        item.get("open"),
        item.get("high"),
        item.get("low"),
        item["prev_close"],
        item["volume"],
        item["status"],
        item.get("opens"),
    )


# Trades and quotes are nearly all that comes. The __init__ of a frozen class looks up each slot by
# name; the setters of the slots, looked up once, take half to two thirds of the time.
_TRADE = tuple(getattr(Trade, name).__set__ for name in Trade.__slots__)
_QUOTE = tuple(getattr(Quote, name).__set__ for name in Quote.__slots__)


def _trade(item: Item) -> Trade:
    symbol, seq, time, price, size, merged, total, exchange, conditions = _TRADE
    trade = Trade.__new__(Trade)
    symbol(trade, item["symbol"])
    seq(trade, item["seq"])
    time(trade, item["time"])
    price(trade, item["price"])
    size(trade, item["size"])
    merged(trade, item.get("merged", 0))
    sums = None
    if "volume" in item:
        last = item.get("close", item["price"])
        sums = TradeTotal(item["volume"], item["open"], item["high"], item["low"], last)
    total(trade, sums)
    exchange(trade, item.get("exchange"))
    conditions(trade, tuple(item["conditions"]) if "conditions" in item else ())
    return trade


def _quote(item: Item) -> Quote:
    symbol, seq, time, bid, bid_size, ask, ask_size, merged = _QUOTE
    quote = Quote.__new__(Quote)
    symbol(quote, item["symbol"])
    seq(quote, item["seq"])
    time(quote, item["time"])
    bid(quote, item["bid"])
    bid_size(quote, item["bid_size"])
    ask(quote, item["ask"])
    ask_size(quote, item["ask_size"])
    merged(quote, item.get("merged", 0))
    return quote


def _bar(item: Item) -> Bar:
    return Bar(
        item["symbol"],
        item["seq"],
        item["time"],
        item["interval"],
        item["open"],
        item["high"],
        item["low"],
        item["close"],
        item["volume"],
        item["vwap"],
        item["trades"],
        item.get("merged", 0),
    )


def _status(item: Item) -> Status:
    return Status(
        item["symbol"],
        item["seq"],
        item["time"],
        item["status"],
        item["reason"],
        item.get("merged", 0),
        item.get("opens"),
    )


def _depth(item: Item) -> Depth:
    return Depth(
        item["symbol"],
        item["seq"],
        item["time"],
        tuple([(price, size) for price, size in item["bids"]]),
        tuple([(price, size) for price, size in item["asks"]]),
        item["checksum"],
        item.get("snapshot", False),
        item.get("tick_size"),
        item.get("merged", 0),
    )


BUILDERS: dict[str, Callable[[Item], Event]] = {
    "trade": _trade,
    "quote": _quote,
    "bar": _bar,
    "status": _status,
    "depth": _depth,
}
"""The constructors of the sequenced events, by `type`; each raises KeyError for a missing field."""
