"""
What one connection is subscribed to; changes it, and gives the answers in pieces. No I/O.

Each piece is one synchronous step: it changes the subscription and takes the snapshots with nothing in between, so that
the next event of a symbol is the one after its snapshot.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from feeds.admission.budget import LISTED
from feeds.admission.quota import MOST_RATES
from feeds.dialects.fields import Id
from feeds.dialects.native import message
from feeds.dialects.requests import (
    SnapshotRequest,
    Subscribe,
    Symbols,
    Unsubscribe,
    channel_numbers,
)
from feeds.engine.feed import Feed, instrument_object
from feeds.errors import Code, RequestError
from feeds.fanout.cursor import Cursor
from feeds.fanout.group import Member
from feeds.fanout.paced import MOST_SLOTS
from feeds.fanout.resume import Resume
from feeds.fanout.snapshots import ALWAYS
from feeds.fanout.subscription import Subscription
from feeds.observation.visit import Visit
from feeds.protocol.gate import Gate
from feeds.protocol.reply import pieces

__all__ = ["Subscriber", "object_message"]

NO_WISHES = Subscription()

Steps = Iterator[tuple[bytes, bool]]
"""Messages, and whether there are more. An empty message is a pause, and no more."""


class Subscriber:
    """
    The subscription of one connection.

    Args:
        feed: what all connections share.
        member: the connection's place in the hub.
        gate: what the connection may do; answers are paid for there.
        visit: is told what it is subscribed to.
    """

    __slots__ = ("_feed", "_gate", "_member", "_visit", "_wishes")

    def __init__(self, feed: Feed, member: Member, gate: Gate, visit: Visit) -> None:
        self._feed, self._member, self._gate, self._visit = feed, member, gate, visit
        self._wishes = NO_WISHES

    def subscribe(self, request: Subscribe, now: float, cursor: Cursor | None = None) -> Steps:
        """
        Subscribe, in pieces.

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
        every = yield from feed.wanted(request, (b"", True), self._gate.budget.spend)
        self._gate.check_symbols(self._wishes.interests(), every, request.id)
        if window_us is not None:
            self._check_paced(window_us, every, channels, request.id)
        price = 1.0 if request.snapshot or resume is not None else LISTED
        for symbols, more in pieces(every, feed.weigher(resume, channels)):
            self._gate.budget.spend(len(symbols) * price)
            self._wish(self._wishes.add(symbols, channels, window_us), now)
            named = [feed.market.universe.symbols[i] for i in symbols]
            told = {"symbols": named, "channels": request.channels, **terms, **more}
            objects = [object_message("subscribed", request.id, **told)[1:-1]]
            objects += self._what_was_missed(request, resume, symbols, channels, now)
            said = [message(objects)]
            # A client may take its time with a piece, and what it is made of is longer than itself.
            del symbols, named, told, objects
            yield said.pop(), bool(more)

    def _check_paced(
        self, window_us: int, every: Sequence[int], channels: Sequence[int], request_id: Id
    ) -> None:
        """Refuse what would be more at a pace, of its address or of all, than can be looked at again and again."""
        if len(self._wishes.paced) >= MOST_RATES:
            after = self._wishes.add(every, channels, window_us)
            self._gate.check_rates(len(after.paced), request_id)
        slots = self._slots(every, channels)
        lanes, quota, more = self._feed.hub.roster.lanes, self._gate.budget.paced, len(slots)
        if lanes.slots + more <= MOST_SLOTS and quota.room(more):
            return  # cheap, and nearly always so
        more = lanes.added(self._member, slots)
        if not more or (lanes.slots + more <= MOST_SLOTS and quota.room(more)):
            return
        whose, most = (
            ("all connections", MOST_SLOTS) if quota.room(more) else ("one address", quota.most)
        )
        text = (
            f"{len(slots)} symbols and channels with mode 'latest': of {whose}, at most {most} are"
            " allowed, and there are too many already; mode 'all' has no such limit"
        )
        raise RequestError(Code.TOO_MANY_SYMBOLS, text, request_id)

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
        missed = (
            {c: feed.resumed(resume, symbols, c) for c in channels} if resume is not None else {}
        )
        if wanting:
            alone = self._slots(wanting, {*ALWAYS, *channels})
            for channel, some in missed.items():
                alone = np.setdiff1d(alone, self._slots(some, [channel]))
            feed.hub.settle(self._member, alone, now)
            objects += feed.snapshots(wanting, channels)
        self._renewed(wanting, {*ALWAYS, *channels}, now)
        for channel, some in missed.items():
            self._renewed(some, [channel], now)
        return objects

    def unsubscribe(self, request: Unsubscribe, now: float) -> Steps:
        """Unsubscribe, and tell in pieces from what."""
        feed = self._feed
        spend = self._gate.budget.spend
        every = yield from feed.resolving(request.symbols, (b"", True), request.id, spend)
        channels = channel_numbers(request.channels, request.interval)
        self._wish(self._wishes.remove(every, channels), now)
        for symbols, more in pieces(every):
            spend(len(symbols) * LISTED)
            names = [feed.market.universe.symbols[i] for i in symbols]
            told = {"symbols": names, "channels": request.channels}
            yield object_message("unsubscribed", request.id, **told, **more), bool(more)

    def snapshot(self, request: SnapshotRequest, now: float) -> Steps:
        """Give snapshots, and subscribe to nothing."""
        spend = self._gate.budget.spend
        every = yield from self._feed.resolving(request.symbols, (b"", True), request.id, spend)
        for symbols, more in pieces(every):
            spend(len(symbols))
            self._feed.hub.settle(self._member, self._slots(symbols, ALWAYS), now)
            snapshots = self._feed.snapshots(symbols, (), request.id)
            self._renewed(symbols, ALWAYS, now)
            last = len(snapshots) - (not more)
            snapshots[:last] = [s[:-1] + b',"more":true}' for s in snapshots[:last]]
            told = message(snapshots)
            del snapshots  # as above
            yield told, bool(more)

    def symbols(self, request: Symbols) -> Steps:
        """List the universe."""
        universe = self._feed.market.universe
        for piece, more in pieces(range(len(universe))):
            self._gate.budget.spend(len(piece) * LISTED)
            listed = (instrument_object(universe[i]) for i in piece)
            yield object_message("symbols", request.id, symbols=list(listed), **more), bool(more)

    def _wish(self, wishes: Subscription, now: float) -> None:
        self._feed.hub.subscribe(self._member, wishes.full, now, wishes.paced)
        group = self._member.group
        if group is not None:  # its interest is equal, and kept once for all of its members
            wishes = Subscription(group.interest, wishes.paced)
        self._wishes = wishes
        self._gate.hold(self._feed.hub.roster.lanes.count(self._member))
        self._visit.wishes(wishes)

    def _renewed(self, symbols: Sequence[int], channels: Iterable[int], now: float) -> None:
        self._feed.hub.snapshotted(self._member, self._slots(symbols, channels), now)

    def _slots(self, symbols: Sequence[int], channels: Iterable[int]) -> NDArray[np.int64]:
        size = self._feed.hub.roster.symbols
        ids = np.array(symbols, dtype=np.int64)
        return np.concatenate([c * size + ids for c in channels])


def object_message(kind: str, request_id: Id, **fields: Any) -> bytes:
    """Give a message of one object."""
    head: dict[str, Any] = (
        {"type": kind} if request_id is None else {"type": kind, "id": request_id}
    )
    return message([orjson.dumps(head | fields)])
