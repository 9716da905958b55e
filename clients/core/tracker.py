"""What a client is subscribed to, and whether anything got lost. No I/O.

The rule is the protocol's: for each symbol and channel, `seq == last_seq + 1 + merged`. Whatever
breaks it is a gap. A new connection in the same epoch asks for exactly what was missed, and is
checked likewise: what the server no longer has is a gap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from clients.core.decode import Item
from clients.core.plans import matcher
from clients.events import Gap

__all__ = ["MAX_ENTRIES", "Tracker", "chunks"]

MAX_ENTRIES = 1000
"""The most symbols that one request may name."""

MAX_RESUMED = 2000
"""The most symbols whose sequences one request tells; more would make it too long for the server."""

_CHANNELS = {"trade": "trades", "quote": "quotes", "status": "status", "depth": "depth"}


def chunks(symbols: Iterable[str]) -> Iterator[list[str]]:
    """Cut *symbols* into lists that one request may name."""
    entries = list(symbols)
    for start in range(0, len(entries), MAX_ENTRIES):
        yield entries[start : start + MAX_ENTRIES]


class Tracker:
    """The subscriptions of one client and the last sequence of each symbol and channel.

    A channel is named as in the `seq` of a snapshot: `trades`, or `bars:1m`.
    """

    def __init__(self) -> None:
        self._epoch: str | None = None
        # By channel and symbol, the most updates a second of what is wanted; None: everything.
        self._wanted: defaultdict[str, dict[str, float | None]] = defaultdict(dict)
        self._everything: dict[str, float | None] = {}
        self._last: defaultdict[str, dict[str, int]] = defaultdict(dict)
        # The same dictionaries by the type of the event, which saves the hot path a step.
        self._by_type = {kind: self._last[channel] for kind, channel in _CHANNELS.items()}
        # The sequences from before the reconnect, each until its symbol and channel is heard of again.
        self._before: defaultdict[str, dict[str, int]] = defaultdict(dict)

    def hello(self, epoch: str) -> None:
        """Begin a connection: sequences go on within an epoch, and start afresh in another."""
        if epoch == self._epoch:
            for channel, seqs in self._last.items():
                self._before[channel] |= seqs
        else:
            self._before.clear()
        for seqs in self._last.values():
            seqs.clear()
        self._epoch = epoch

    def subscribed(self, reply: Item, request: Item) -> None:
        """Note what a `subscribed` *reply* to *request* granted."""
        symbols = reply["symbols"]
        for channel in _names(reply["channels"], reply.get("interval")):
            wanted, last = self._wanted[channel], self._last[channel]
            pace = reply.get("max_hz")
            for symbol in symbols:
                if symbol not in wanted:
                    last.pop(symbol, None)
                wanted[symbol] = pace
            if "*" in request.get("symbols", ()):
                self._everything[channel] = pace

    def unsubscribed(self, reply: Item, request: Item) -> None:
        """Note what an `unsubscribed` *reply* to *request* took away."""
        interval = request.get("interval")
        gone = set(_names(reply["channels"], interval))
        if "bars" in reply["channels"] and interval is None:
            gone |= {channel for channel in self._wanted if channel.startswith("bars:")}
        for channel in gone:
            self._everything.pop(channel, None)
            for symbol in reply["symbols"]:
                self._wanted[channel].pop(symbol, None)
                self._last[channel].pop(symbol, None)
                self._before[channel].pop(symbol, None)

    def requests(self) -> Iterator[Item]:
        """Yield the `subscribe` requests that bring a new connection to where the last one was."""
        groups: defaultdict[tuple[tuple[str, ...], float | None], list[str]] = defaultdict(list)
        others: defaultdict[tuple[tuple[str, ...], float | None], list[str]] = defaultdict(list)
        for channel, wanted in self._wanted.items():
            paces = dict.fromkeys(wanted.values())
            into = groups
            if channel in self._everything:
                groups[("*",), self._everything[channel]].append(channel)
                paces.pop(self._everything[channel], None)
                into = others  # what was missed has come with everything: only the pace is another
            for pace in paces:
                into[tuple(s for s, own in wanted.items() if own == pace), pace].append(channel)
        for (symbols, pace), channels in groups.items():
            for request, names in _requests(symbols, pace, channels):
                yield from self._resuming(request, names)
        for (symbols, pace), channels in others.items():
            for request, _ in _requests(symbols, pace, channels):
                yield request | {"snapshot": False}

    def _resuming(self, request: Item, channels: list[str]) -> Iterator[Item]:
        """Ask for exactly what was missed, in pieces if one request would be too long."""
        symbols = request["symbols"]
        since: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for channel in channels:
            before = self._before[channel]
            for symbol in before if symbols == ["*"] else symbols:
                if symbol in before:
                    since[symbol][channel] = before[symbol]
        if not since:
            yield request
        elif len(since) <= MAX_RESUMED:
            yield request | {"epoch": self._epoch, "since": dict(since)}
        else:
            for some in chunks(since):
                part = {symbol: since[symbol] for symbol in some}
                yield request | {"symbols": some, "epoch": self._epoch, "since": part}
            yield request | {"snapshot": False}  # all of it is there already

    def since(self, channels: Iterable[str], entries: Iterable[str]) -> dict[str, dict[str, int]]:
        """Give the last sequences, by symbol and channel, of what symbols and patterns stand for."""
        wanted = matcher(entries)
        since: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for channel in channels:
            for symbol, seq in (self._before[channel] | self._last[channel]).items():
                if wanted(symbol):
                    since[symbol][channel] = seq
        return dict(since)

    def snapshot(self, item: Item) -> list[Gap]:
        """Take the sequences of a `snapshot`, asked for or not; return what the reconnect lost."""
        symbol = item["symbol"]
        gaps = []
        for channel, seq in item["seq"].items():
            if symbol in self._wanted[channel]:
                before = self._before[channel].pop(symbol, seq)
                if seq > before:
                    gaps.append(Gap(symbol, channel, before + 1, seq, "reconnect"))
                self._last[channel][symbol] = seq
        return gaps

    def event(self, item: Item) -> Gap | None:
        """Check the sequence of an event; return the gap before it, if there is one."""
        seqs = self._by_type.get(item["type"])
        if seqs is None:
            seqs = self._last[f"bars:{item['interval']}"]
        symbol = item["symbol"]
        seq = item["seq"]
        last = seqs.get(symbol)
        follows = last == seq - 1  # TypeError if seq is no number: before it is stored
        seqs[symbol] = seq
        if follows and "merged" not in item:
            return None
        return self._check(item, last)

    def _check(self, item: Item, last: int | None) -> Gap | None:
        """The same for an event that is not simply the next one."""
        channel = _CHANNELS.get(item["type"]) or f"bars:{item['interval']}"
        symbol = item["symbol"]
        reason = "sequence"
        if last is None:
            last = self._before[channel].pop(symbol, None)
            reason = "reconnect"
        until = item["seq"] - item.get("merged", 0) - 1
        if item.get("snapshot") and "merged" not in item:
            until += 1  # a book as it stands: no event, but where events go on
        if last is None or last == until:
            return None
        return Gap(symbol, channel, last + 1, until, reason if last < until else "out_of_order")

    def gap(self, item: Item) -> Gap:
        """Take a gap that the server itself announces."""
        symbol, until = item["symbol"], item["to"]
        (channel,) = _names([item["channel"]], item.get("interval"))
        before = self._before[channel].pop(symbol, until)
        before = self._last[channel].get(symbol, before)
        self._last[channel][symbol] = until
        first = item.get("from", before + 1)  # a gap after a cursor doesn't say where it begins
        return Gap(symbol, channel, first, until, item["reason"])


def _requests(
    symbols: tuple[str, ...], pace: float | None, channels: list[str]
) -> Iterator[tuple[Item, list[str]]]:
    """Give requests for symbols on channels at one pace, each with the names of its channels."""
    plain = [channel for channel in channels if ":" not in channel]
    wishes: list[Item] = [{"channels": plain}] if plain else []
    for channel in channels:
        if channel not in plain:
            name, _, interval = channel.partition(":")
            wishes.append({"channels": [name], "interval": interval})
    terms: Item = {} if pace is None else {"mode": "latest", "max_hz": pace}
    for wish in wishes:
        for some in chunks(symbols):
            request = {"action": "subscribe", "symbols": some, **wish, **terms}
            yield request, _names(wish["channels"], wish.get("interval"))


def _names(channels: Iterable[str], interval: str | None) -> list[str]:
    """Name channels as in a snapshot's `seq`; without an interval, `bars` stands for itself."""
    return [f"bars:{interval}" if name == "bars" and interval else name for name in channels]
