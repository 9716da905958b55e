"""What is subscribed over event streams, by channel. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clients.core.decode import Item
from clients.core.plans import covers, matcher, split

__all__ = ["Wanted"]

DEFAULT_HZ = 10
CHANNELS = ["trades", "quotes", "bars", "status", "depth"]


class Wanted:
    """Symbols and patterns as they were asked for, and answers in the words of the protocol."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, None]] = {}
        """By channel, as in the `seq` of a snapshot: `trades`, `bars:1m`."""
        self.paces: dict[str, float | None] = {}
        """By channel, the most updates a second; None: every event.

        A channel has one, or what two streams carry would come twice: the fastest that was asked for.
        """

    def copy(self) -> Wanted:
        """Keep it as it is now."""
        other = Wanted()
        other.entries = {channel: dict(entries) for channel, entries in self.entries.items()}
        other.paces = dict(self.paces)
        return other

    def subscribe(self, request: Item) -> None:
        """Add what a `subscribe` asks for."""
        pace, symbols = _pace(request), request["symbols"]
        for channel in split(request):
            entries = self.entries.setdefault(channel, {})
            every = "*" in symbols or entries.keys() <= set(symbols)
            self.paces[channel] = pace if every else _faster(pace, self.paces[channel])
            entries.update(dict.fromkeys(symbols))

    def unsubscribe(self, request: Item, symbols: Mapping[str, Iterable[str]]) -> None:
        """Take away what an `unsubscribe` asks for; *symbols* are those of each channel now."""
        gone = matcher(request["symbols"])
        for channel, entries in list(self.entries.items()):
            if not covers(request, channel):
                continue
            stays = [entry for entry in entries if not gone(entry)]
            still = matcher(stays)
            names = symbols.get(channel, ())
            # Something that a pattern stands for goes: from now on the others are named.
            if any(gone(name) and still(name) for name in names):
                stays = [name for name in names if not gone(name)]
            self.entries[channel] = dict.fromkeys(stays)
            if not stays:
                del self.entries[channel], self.paces[channel]

    def names(self, request: Item, symbols: Mapping[str, Iterable[str]]) -> list[str]:
        """Give the symbols that a request stands for."""
        if request["action"] == "subscribe":
            channels = split(request)
        else:
            channels = [channel for channel in self.entries if covers(request, channel)]
        known = dict.fromkeys(name for channel in channels for name in symbols.get(channel, ()))
        return list(filter(matcher(request["symbols"]), known))

    def reply(self, request: Item, names: list[str]) -> Item:
        """Give the reply to a request that was granted."""
        action = request["action"]
        default = ["trades"] if action == "subscribe" else CHANNELS
        reply = {"type": f"{action}d", "id": request["id"], "symbols": names}
        reply["channels"] = request.get("channels") or default
        if action == "subscribe" and "bars" in reply["channels"]:
            reply["interval"] = request.get("interval") or "1m"
        if action == "subscribe" and request.get("mode"):
            reply["mode"] = request["mode"]
            if (pace := _pace(request)) is not None:
                reply["max_hz"] = pace
        return reply


def _pace(request: Item) -> float | None:
    pace: float = request.get("max_hz") or DEFAULT_HZ
    return pace if request.get("mode") == "latest" else None


def _faster(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else max(one, other)
