"""Which event streams carry some subscriptions, and their addresses. No I/O.

A stream has one set of symbols, channels, an interval and a pace, so there is one for each set of
symbols, and one for each further bar interval or pace.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

__all__ = ["IDLE", "Plan", "address", "covers", "matcher", "plans_for", "split"]

MAX_URL = 7_500
"""Characters. Servers and proxies commonly refuse more than 8,190."""
MAX_SYMBOLS_TEXT = 4_000
"""Of them, so that there is room for what to resume after."""

Seqs = Mapping[str, int]


class Plan(NamedTuple):
    """One stream."""

    symbols: tuple[str, ...]
    """Symbols and patterns."""
    channels: tuple[str, ...]
    """As in the `seq` of a snapshot: `trades`, `bars:1m`."""
    path: str


NOTHING: Mapping[str, str] = {}
IDLE = Plan(("*",), (), "sse?symbols=*&channels=status&snapshot=false")
"""What still says that the server is there when nothing is subscribed."""


def is_pattern(entry: str) -> bool:
    """Tell whether this may stand for several symbols."""
    return "*" in entry or "?" in entry


def matcher(entries: Iterable[str]) -> Callable[[str], bool]:
    """Give a test for the symbols that these symbols and patterns stand for."""
    literal = set(entries)
    if "*" in literal:
        return lambda _: True
    texts = [
        re.escape(entry).replace(r"\*", ".*").replace(r"\?", ".")
        for entry in filter(is_pattern, literal)
    ]
    pattern = re.compile("|".join(texts)) if texts else None
    return lambda symbol: symbol in literal or bool(pattern and pattern.fullmatch(symbol))


def split(request: Mapping[str, Any]) -> list[str]:
    """Name the channels of a request as in a snapshot's `seq`."""
    interval = request.get("interval") or "1m"
    channels = request.get("channels") or ["trades"]
    return [f"bars:{interval}" if name == "bars" else name for name in channels]


def covers(request: Mapping[str, Any], channel: str) -> bool:
    """Tell whether an `unsubscribe` means a channel: without channels it means all, and so without an interval."""
    name, _, interval = channel.partition(":")
    channels, wanted = request.get("channels"), request.get("interval")
    return (not channels or name in channels) and (not interval or not wanted or interval == wanted)


def plans_for(
    wanted: Mapping[str, Iterable[str]], paces: Mapping[str, float | None] | None = None
) -> dict[str, Plan]:
    """Give the streams, by path, that carry what is wanted.

    *wanted* are symbols and patterns, *paces* the most updates a second, both by channel.
    """
    groups: dict[tuple[str, float | None], list[str]] = {}
    for channel, entries in wanted.items():
        pace = (paces or {}).get(channel)
        for part in _parts(list(entries)):
            groups.setdefault((part, pace), []).append(channel)
    plans = {}
    for (symbols, pace), channels in groups.items():
        bars = [channel for channel in channels if ":" in channel]
        plain = [channel for channel in channels if ":" not in channel]
        for own in [plain + bars[:1], *([channel] for channel in bars[1:])]:
            plan = Plan(tuple(symbols.split(",")), tuple(own), _path(symbols, own, pace))
            plans[plan.path] = plan
    return plans


def _parts(entries: list[str]) -> list[str]:
    """Give the entries as one text, or as several where that would be too long."""
    whole = ",".join(entries)
    if len(whole) <= MAX_SYMBOLS_TEXT:
        return [whole] if whole else []
    covered = matcher(filter(is_pattern, entries))  # or they would come over two streams
    parts: list[str] = []
    for entry in entries:
        if not is_pattern(entry) and covered(entry):
            continue
        if parts and len(parts[-1]) + len(entry) < MAX_SYMBOLS_TEXT:
            parts[-1] += f",{entry}"
        else:
            parts.append(entry)
    return parts


def _path(symbols: str, channels: list[str], pace: float | None) -> str:
    names = ",".join(channel.partition(":")[0] for channel in channels)
    interval = next((c.partition(":")[2] for c in channels if ":" in c), "")
    path = f"sse?symbols={quote(symbols, safe='*,')}&channels={names}"
    path += f"&interval={interval}" if interval else ""
    return path if pace is None else f"{path}&mode=latest&max_hz={pace}"


def address(
    base: str,
    plan: Plan,
    cursor: str,
    epoch: str,
    since: Mapping[str, Seqs],
    more: Mapping[str, str] = NOTHING,
) -> str:
    """Give the address of a stream that goes on after what the client has.

    A cursor says it for everything; otherwise as many sequences are told as there is room for. What
    is left out comes as a snapshot. *more* are parameters besides those of the plan.
    """
    url = base + "&".join([plan.path, *(f"{k}={quote(v, safe='')}" for k, v in more.items())])
    if cursor:
        return f"{url}&last_event_id={quote(cursor, safe='')}"
    head = f"{url}&epoch={quote(epoch, safe='')}&since="
    room = MAX_URL - len(head)
    told: dict[str, Seqs] = {}
    for symbol, seqs in since.items():
        room -= len(_encode({symbol: seqs}))
        if room < 0:
            break
        told[symbol] = seqs
    return head + _encode(told) if told else url


def _encode(since: Mapping[str, Seqs]) -> str:
    return quote(orjson.dumps(since), safe=":,")
