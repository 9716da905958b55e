"""What feed faults do to the events of one connection: objects in, objects out."""

from collections.abc import Sequence
from typing import Any

from feeds.faults.fault import Fault
from feeds.faults.plan import Event

__all__ = ["Mangler", "cut", "identify"]

Object = dict[str, Any]

_EVENTS = ("trade", "quote", "bar", "status", "depth")
_PRICES = {"trade": ("price",), "quote": ("bid", "ask")}
_FIRST = {"trade": "price", "quote": "bid", "bar": "close", "depth": "bids"}
_SEAM = b'},{"type"'


def cut(array: bytes) -> list[bytes]:
    """
    Cut a message's array into its objects.

    By the bytes between two of them, which can't be inside one: a quote in a string has a backslash before it, and no
    object of the protocol holds a list of objects with a ``type``.
    """
    first, *rest = array[1:-1].split(_SEAM)
    if not rest:
        return [first]
    *middle, last = rest
    return [first + b"}", *(b'{"type"' + o + b"}" for o in middle), b'{"type"' + last]


def identify(item: Object) -> Event | None:
    """Tell which event an object is; None: it is none."""
    kind = item.get("type")
    if kind not in _EVENTS or ("snapshot" in item and "merged" not in item):
        return None  # a book as it stands is a state
    channel = f"bar {item['interval']}" if kind == "bar" else kind
    return Event(item["symbol"], channel, item["seq"], round(item["time"] * 1000))


class Mangler:
    """The events of one connection, and those of them that faults need again."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], Object] = {}
        self._held: dict[tuple[str, str], list[Object]] = {}

    def fits(self, fault: Fault, item: Object) -> bool:
        """Tell whether a fault can be done to an event."""
        key, kind = _key(item), item["type"]
        match fault.name:
            case "crossed_quote":
                return bool(kind == "quote")
            case "wild_price":
                return kind in _PRICES
            case "missing_field":
                return _missing(fault, item) in item
            case "stale":
                return key in self._last
            case "reorder":
                return key not in self._held
        return True

    def passes(self, item: Object, faults: Sequence[Fault]) -> list[Object] | None:
        """
        Do faults to an event, one after the other.

        Returns:
            What goes out in its place; None: the event as it is.
        """
        key = _key(item)
        waiting = self._held.pop(key, None)
        items = [item]
        for fault in faults:
            if fault.name == "reorder":
                self._held[key], items = items, []
            elif fault.name == "stale":
                items = [self._last[key] | {"seq": o["seq"]} for o in items]
            else:
                items = [out for o in items for out in _changed(o, fault)]
        self._last[key] = item
        if waiting is None and not faults:
            return None
        return items + (waiting or [])

    def release(self) -> list[Object]:
        """Give what was held back; nothing is any more."""
        items = [item for held in self._held.values() for item in held]
        self._held.clear()
        return items


def _key(item: Object) -> tuple[str, str]:
    return item["symbol"], item["type"] + item.get("interval", "")


def _missing(fault: Fault, item: Object) -> str:
    return fault.params["field"] or _FIRST.get(item["type"], "status")


def _changed(item: Object, fault: Fault) -> list[Object]:
    """Give what goes out in place of an event, where it needs nothing but the event."""
    params, kind = fault.params, item["type"]
    match fault.name:
        case "gap":
            return []
        case "duplicate":
            return [item] * (1 + params["copies"])
        case "clock_backwards":
            return [item | {"time": round(item["time"] * 1000 - params["seconds"] * 1e6) / 1000}]
        case "crossed_quote":
            return [item | {"bid": item["ask"], "ask": item["bid"]}]
        case "wild_price":
            return [item | {k: round(item[k] * params["factor"], 9) for k in _PRICES[kind]}]
        case "missing_field":
            return [{k: v for k, v in item.items() if k != _missing(fault, item)}]
        case "unknown_type":
            return [{"type": params["type"], "symbol": item["symbol"], "time": item["time"]}, item]
    return [item]  # what is done to the message
