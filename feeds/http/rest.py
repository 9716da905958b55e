"""Plain HTTP beside the stream: health, symbols, snapshots, bars, events; and errors as JSON."""

import asyncio
import hashlib
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
from aiohttp import web

from feeds.admission.budget import LISTED
from feeds.config import FeedConfig
from feeds.dialects.fields import MAX_ID, show
from feeds.engine.desk import Desk
from feeds.engine.feed import Feed, instrument_object
from feeds.engine.pump import Pump
from feeds.errors import Code, RequestError
from feeds.fanout.cursor import Cursor
from feeds.fanout.recall import Recall
from feeds.http.access import spend
from feeds.http.answers import json_answer
from feeds.http.health import Health
from feeds.http.snapshots import SnapshotMaker
from feeds.protocol.query import OF_EVERY_PATH
from ticker import __version__
from ticker.batch import CHANNELS, DEPTH, INTERVALS, channel_name
from ticker.replay import Replay

__all__ = ["MAX_BARS", "Api"]

MAX_BARS = 5_000
"""The most bars of one answer."""

_CHANNELS = [channel_name(number) for number in range(CHANNELS)]
_NEWEST_EVENTS = 100
_BARS_COST, _BAR_COST = 100, 0.2
_HISTORY_COST, _PAST_COST = 10, 400
"""What bars and events cost, in symbols, the latter with those from before the start."""


class Api:
    """
    What one market answers over plain HTTP, at the paths of ``PROTOCOL.md``, section 10.

    Args:
        feed: what is told.
        pump: tells when no turn is under way.
        desk: where answers are made, if they may be long.
        config: the options.
        clients: counts the open connections by transport.
        health: tells how the pump does.
    """

    def __init__(
        self,
        feed: Feed,
        pump: Pump,
        desk: Desk,
        config: FeedConfig,
        clients: Callable[[], dict[str, int]],
        health: Health,
    ) -> None:
        self._feed, self._pump, self._config, self._clients = feed, pump, config, clients
        self._desk = desk
        self._health = health
        self._recall = Recall(feed.market, feed.encoder, feed.hub.history)
        self._snapshots = SnapshotMaker(feed, pump)
        self._symbols: bytes | None = None  # they never change
        self._started = time.monotonic()

    async def health(self, request: web.Request) -> web.Response:
        url = f"{request.scheme}://{request.host}"  # as it was addressed
        state = self._health.state()
        if isinstance(market := self._feed.market, Replay):
            tape = {"played": round(market.played, 4), "rounds": market.rounds, "over": market.over}
            state |= {"replay": tape}
        return json_answer(
            state
            | {
                "server": f"tickerplant/{__version__}",
                "url": url,
                "ws": f"ws{url.removeprefix('http')}/ws",
                "epoch": self._feed.epoch,
                "uptime_s": round(time.monotonic() - self._started, 3),
                "clock": self._config.clock,
                "control": self._config.control,
                "time": self._feed.market.now_us / 1000,
                "symbols": len(self._feed.market.universe),
                "connections": sum(self._clients().values()),
                "events": self._pump.events,
                "deliveries": self._feed.hub.deliveries(),
                "conflating": len(self._feed.hub.slow.laggards),
                "evicted": sum(self._feed.hub.stats.evicted.values()),
            },
            200 if state["status"] == "ok" else 503,
        )

    async def symbols(self, request: web.Request) -> web.Response:
        _only(request)
        if self._symbols is None:
            every = [instrument_object(i) for i in self._feed.market.universe]
            self._symbols = orjson.dumps({"symbols": every})
        spend(request, len(self._feed.market.universe) * LISTED)
        return _polled(request, self._symbols)

    async def snapshot(self, request: web.Request) -> web.Response:
        _only(request, "symbols")
        names = _some_symbols(request)
        pay = partial(spend, request)
        for _ in self._feed.resolving(names, None, None, pay):  # in slices, so found at once below
            await asyncio.sleep(0)
        ids = self._feed.resolve(names)
        pay(len(ids))
        fragments, place = await self._snapshots.take(ids)
        epoch = self._feed.epoch
        cursor = str(Cursor(epoch, place))
        head = orjson.dumps({"epoch": epoch, "cursor": cursor, "time": place.us / 1000})
        snapshots = b",".join(fragments)
        return _polled(request, head[:-1] + b',"snapshots":[' + snapshots + b"]}", snapshots)

    async def depth(self, request: web.Request) -> web.Response:
        """Give the book of a symbol, as it would be sent to who subscribes now."""
        _only(request, "symbol")
        symbol = self._one_symbol(request)
        spend(request, 1)
        async with self._desk:
            (_, book) = self._feed.snapshots([symbol], (DEPTH,))
        return _polled(request, book)

    async def bars(self, request: web.Request) -> web.Response:
        _only(request, "symbol", "interval", "limit")
        symbol = self._one_symbol(request)
        interval = request.query.get("interval", "1m")
        if interval not in INTERVALS:
            raise RequestError(
                Code.INVALID_VALUE,
                f"unknown interval {interval!r}; the intervals are {', '.join(INTERVALS)}",
            )
        limit = _number(request, "limit", 500, 1, MAX_BARS)
        spend(request, _BARS_COST + limit * _BAR_COST)
        async with self._desk:  # 5,000 bars take 10 ms and more
            body = self._bars(symbol, interval, limit)
        return _polled(request, body)

    def _bars(self, symbol: int, interval: str, limit: int) -> bytes:
        table, partial = self._feed.market.bars(symbol, interval, limit)
        rows = self._feed.encoder.bar_objects(table)
        for row in rows:
            del row["symbol"]
        if partial:
            rows[-1]["partial"] = True
        name = self._feed.market.universe.symbols[symbol]
        return orjson.dumps({"symbol": name, "interval": interval, "bars": rows})

    async def history(self, request: web.Request) -> web.Response:
        """Give the events after ``since``, or the newest ones: exactly these, or a gap and none."""
        _only(request, "symbol", "channel", "since")
        symbol = self._one_symbol(request)
        channel = request.query.get("channel", "trades")
        if channel not in _CHANNELS:
            raise RequestError(
                Code.UNKNOWN_CHANNEL,
                f"unknown channel {channel!r}; the channels are {', '.join(_CHANNELS)}",
            )
        since = _number(request, "since", 0, -MAX_ID, MAX_ID)
        async with self._desk:  # the past is long, and made when it is first asked for
            pasts = self._recall.pasts
            body = self._history(symbol, channel, since if "since" in request.query else None)
            spend(request, _HISTORY_COST + _PAST_COST * (self._recall.pasts - pasts))
        return web.Response(
            body=body, content_type="application/json", headers={"Cache-Control": "no-store"}
        )

    def _history(self, symbol: int, channel: str, since: int | None) -> bytes:
        number, recall = _CHANNELS.index(channel), self._recall
        newest = recall.seq(symbol, number)
        answer: dict[str, Any] = {
            "epoch": self._feed.epoch,
            "symbol": self._feed.market.universe.symbols[symbol],
            "channel": channel,
            "seq": newest,
        }
        if since is None:
            found: list[bytes] | None = recall.newest(symbol, number, _NEWEST_EVENTS)
        elif (found := recall.after(symbol, number, since)) is None:
            reason = "ahead" if since > newest else "too_old"
            answer["gap"] = {"from": since + 1, "to": newest, "reason": reason}
        events = b",".join(fragment[:-1] for fragment in found or ())
        return orjson.dumps(answer)[:-1] + b',"events":[' + events + b"]}"

    def _one_symbol(self, request: web.Request) -> int:
        name = request.query.get("symbol", "")
        if not name:
            raise RequestError(Code.MISSING_FIELD, "the parameter 'symbol' is missing")
        (symbol, *others) = self._feed.resolve([name], spend=partial(spend, request))
        if others:
            raise RequestError(
                Code.INVALID_VALUE, f"'symbol' must be one symbol, and {name!r} matches several"
            )
        return symbol


def _only(request: web.Request, *parameters: str) -> None:
    """Refuse parameters that there aren't, and those that come twice."""
    known = (*parameters, *OF_EVERY_PATH)
    for name in request.query:
        if name not in known:
            raise RequestError(
                Code.UNKNOWN_FIELD,
                f"{request.path} has no parameter {show(name)}; its parameters are {', '.join(known)}",
            )
        if len(request.query.getall(name)) > 1:
            raise RequestError(Code.INVALID_VALUE, f"the parameter {name!r} is given twice")


def _some_symbols(request: web.Request) -> list[str]:
    """Give the symbols and patterns that are asked for; all, where none are. None at all would look like an empty market."""
    names = [name for name in request.query.get("symbols", "*").split(",") if name]
    if not names:
        text = "'symbols' must be symbols and patterns, with commas between, or left out: all"
        raise RequestError(Code.INVALID_VALUE, text)
    return names


def _number(request: web.Request, name: str, default: int, low: int, high: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (re.fullmatch(r"-?[0-9]{1,16}", text) and low <= int(text) <= high):
        raise RequestError(
            Code.INVALID_VALUE, f"{name} {text!r} is not a whole number from {low} to {high}"
        )
    return int(text)


def _polled(request: web.Request, body: bytes, content: bytes | None = None) -> web.Response:
    """
    Answer who perhaps asks again and again: 304 and nothing more, if it has this already (RFC 9110, section 13.1.2).

    Args:
        request: tells with ``If-None-Match`` what it has.
        body: the answer.
        content: what of it counts as new; None: all.
    """
    tag = hashlib.blake2b(body if content is None else content, digest_size=8).hexdigest()
    headers = {"Cache-Control": "no-cache", "ETag": f'W/"{tag}"'}
    if any(known.value in (tag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type="application/json", headers=headers)
