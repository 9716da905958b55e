"""
One connection's protocol state: requests in, replies out. No I/O.

A session answers a request in one synchronous step: it changes the subscription and takes the snapshots with nothing
in between, so that the next event of a symbol is the one after its snapshot.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import orjson

from feeds.cursor import Cursor
from feeds.dialects.native import message
from feeds.errors import CloseCode, Code, RequestError
from feeds.feed import Feed, instrument_object
from feeds.fields import Id
from feeds.gate import Gate
from feeds.group import Member
from feeds.reply import Reply, pieces
from feeds.requests import (
    ACTIONS,
    Auth,
    Ping,
    Request,
    SnapshotRequest,
    Subscribe,
    Symbols,
    Unsubscribe,
    channel_numbers,
    parse_request,
    request_id,
)
from feeds.resume import Resume
from feeds.states import ALWAYS
from feeds.subscription import Subscription
from feeds.visit import NOBODY, Visit

__all__ = ["MAX_ERRORS", "Session"]

NO_WISHES = Subscription()

MAX_ERRORS = 100
"""Malformed requests in a row after which a connection is closed."""


class Session:
    """
    The protocol of one connection.

    Args:
        feed: what all sessions share.
        member: the connection's place in the hub.
        gate: what the connection may do; None: everything, within the default limits.
        visit: is told what it is subscribed to.
    """

    __slots__ = ("_errors", "_feed", "_member", "_visit", "_wishes", "gate")

    def __init__(
        self, feed: Feed, member: Member, gate: Gate | None = None, visit: Visit = NOBODY
    ) -> None:
        self.gate, self._visit = gate or Gate(), visit
        self._feed = feed
        self._member = member
        visit.joined(member)
        self._wishes = NO_WISHES
        self._errors = 0

    def handle(self, data: bytes, now: float) -> Iterator[Reply]:
        """
        Answer one text message.

        A generator, because the answer to a request for many symbols is made and sent in pieces: each ``next`` is one
        synchronous step, and between two of them the feed goes on and the client may read.

        Args:
            data: the message, not checked in any way.
            now: the time in the clock's seconds.
        """
        try:
            data.decode()
        except UnicodeDecodeError as error:
            text = f"invalid UTF-8: byte 0x{data[error.start]:02x} at position {error.start}"
            self._feed.stats.errors[Code.INVALID_UTF8] += 1
            yield Reply(_error(RequestError(Code.INVALID_UTF8, text)), CloseCode.INVALID_UTF8, text)
            return
        try:
            request = parse_request(data)
            self._feed.stats.requests[ACTIONS[type(request)]] += 1
            for message, more in self._answer(request, now):
                self._errors = 0 if message else self._errors
                yield Reply(message)
                if message and more:
                    yield Reply(b"")
        except RequestError as error:
            if error.code is Code.INVALID_TOKEN:
                self._feed.stats.errors[error.code] += 1
                yield Reply(_error(error), CloseCode.POLICY_VIOLATION, error.message)
                return
            yield self.refuse(error)

    def too_fast(self, data: bytes) -> Reply | None:
        """Count a message, before anything is done with it; if it is one too many, answer that, and nothing else."""
        text = self.gate.too_fast()
        if text is None:
            return None
        error = RequestError(Code.RATE_LIMITED, text, request_id(data))
        self._feed.stats.errors[error.code] += 1
        return self._refuse(error, self.gate.over, f"{MAX_ERRORS} requests over the rate")

    def refuse(self, error: RequestError) -> Reply:
        """Answer what is no request with an error; with the last of too many, close."""
        self._errors += 1
        self._feed.stats.errors[error.code] += 1
        return self._refuse(error, self._errors, f"{MAX_ERRORS} malformed requests in a row")

    def _refuse(self, error: RequestError, count: int, text: str) -> Reply:
        if count < MAX_ERRORS:
            return Reply(_error(error))
        self._feed.stats.errors[Code.TOO_MANY_ERRORS] += 1
        objects = [_error(e)[1:-1] for e in (error, RequestError(Code.TOO_MANY_ERRORS, text))]
        return Reply(message(objects), CloseCode.POLICY_VIOLATION, text)

    def _answer(self, request: Request, now: float) -> Iterator[tuple[bytes, bool]]:
        if not isinstance(request, Auth):
            self.gate.check(request.id)
        match request:
            case Subscribe():
                yield from self.subscribe(request, now)
            case Unsubscribe():
                yield from self._unsubscribe(request, now)
            case SnapshotRequest():
                yield from self._snapshot(request, now)
            case Symbols():
                universe = self._feed.market.universe
                for piece, more in pieces(range(len(universe))):
                    listed = (instrument_object(universe[i]) for i in piece)
                    yield _object("symbols", request.id, symbols=list(listed), **more), bool(more)
            case Ping():
                yield _object("pong", request.id, time=self._feed.market.now_us / 1000), False
            case Auth():
                self.gate.unlock(request.token, request.id)
                yield _object("authenticated", request.id), False

    def subscribe(
        self, request: Subscribe, now: float, cursor: Cursor | None = None
    ) -> Iterator[tuple[bytes, bool]]:
        """
        Subscribe, in pieces; gives each message, and whether there are more. An empty message is a pause, and no more.

        Args:
            request: what to subscribe to.
            now: the time in the clock's seconds.
            cursor: up to where the client has everything; counts for more than the request's ``since``.

        Raises:
            RequestError: it can't be done, and nothing has changed.
        """
        feed = self._feed
        channels = channel_numbers(request.channels, request.interval)
        terms: dict[str, Any] = {}
        if "bars" in request.channels:
            terms["interval"] = request.interval
        if request.mode is not None:
            terms["mode"] = request.mode
        window_us = None
        if request.max_hz is not None:
            terms["max_hz"] = request.max_hz
            window_us = round(1e6 / request.max_hz)
        resume = None
        if cursor is not None:
            resume = feed.resuming(cursor, channels)
        elif request.since is not None:
            same = request.epoch == feed.epoch
            resume = Resume(feed.hub.history, same, request.since, outcomes=feed.stats.resumed)
        every = yield from feed.wanted(request, (b"", True))
        self.gate.check_symbols(self._wishes.interests(), every, request.id)
        for symbols, more in pieces(every, feed.weigher(resume, channels)):
            self._wish(self._wishes.add(symbols, channels, window_us), now)
            names = [feed.market.universe.symbols[i] for i in symbols]
            told = {"symbols": names, "channels": request.channels, **terms}
            head = _object("subscribed", request.id, **told, **more)
            # No name holds the objects: a client may take its time with a piece, and they are some hundred kilobytes.
            yield (
                message(
                    [head[1:-1], *self._what_was_missed(request, resume, symbols, channels, now)]
                ),
                bool(more),
            )

    def _what_was_missed(
        self,
        request: Subscribe,
        resume: Resume | None,
        symbols: Sequence[int],
        channels: Sequence[int],
        now: float,
    ) -> list[bytes]:
        """Give missed events and gaps, then snapshots, of what is subscribed from now on."""
        feed = self._feed
        objects: list[bytes] = []
        wanting: Sequence[int] = symbols if request.snapshot else ()
        if resume is not None:
            objects, wanting = feed.resume(resume, symbols, channels, fresh=request.snapshot)
        if wanting:
            objects += feed.snapshots(wanting, channels)
        self._renewed(wanting, {*ALWAYS, *channels}, now)
        if resume is not None:
            for channel in channels:
                self._renewed(feed.resumed(resume, symbols, channel), [channel], now)
        return objects

    def _unsubscribe(self, request: Unsubscribe, now: float) -> Iterator[tuple[bytes, bool]]:
        feed = self._feed
        every = yield from feed.resolving(request.symbols, (b"", True), request.id)
        channels = channel_numbers(request.channels, request.interval)
        self._wish(self._wishes.remove(every, channels), now)
        for symbols, more in pieces(every):
            names = [feed.market.universe.symbols[i] for i in symbols]
            told = {"symbols": names, "channels": request.channels}
            yield _object("unsubscribed", request.id, **told, **more), bool(more)

    def _snapshot(self, request: SnapshotRequest, now: float) -> Iterator[tuple[bytes, bool]]:
        every = yield from self._feed.resolving(request.symbols, (b"", True), request.id)
        for symbols, more in pieces(every):
            snapshots = self._feed.snapshots(symbols, (), request.id)
            self._renewed(symbols, ALWAYS, now)
            last = len(snapshots) - (not more)
            snapshots[:last] = [s[:-1] + b',"more":true}' for s in snapshots[:last]]
            told = message(snapshots)
            del snapshots  # as above
            yield told, bool(more)

    def _wish(self, wishes: Subscription, now: float) -> None:
        self._wishes = wishes
        self._feed.hub.subscribe(self._member, wishes.full, now, wishes.paced)
        self._visit.wishes(wishes)

    def _renewed(self, symbols: Sequence[int], channels: Iterable[int], now: float) -> None:
        size = self._feed.hub.roster.symbols
        ids = np.array(symbols, dtype=np.int64)
        slots = np.concatenate([c * size + ids for c in channels])
        self._feed.hub.snapshotted(self._member, slots, now)


def _error(error: RequestError) -> bytes:
    return _object("error", error.request_id, code=error.code, message=error.message)


def _object(kind: str, request_id: Id, **fields: Any) -> bytes:
    """Give a message of one object."""
    head: dict[str, Any] = (
        {"type": kind} if request_id is None else {"type": kind, "id": request_id}
    )
    return message([orjson.dumps(head | fields)])
