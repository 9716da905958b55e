"""
One connection's protocol state: requests in, replies out. No I/O.

What is asked of the market is done by its :class:`feeds.protocol.subscriber.Subscriber`.
"""

from collections.abc import Iterator

from feeds.admission.limits import MOST_OVER
from feeds.dialects.native import message
from feeds.dialects.requests import (
    ACTIONS,
    Auth,
    Ping,
    Request,
    SnapshotRequest,
    Subscribe,
    Symbols,
    Unsubscribe,
    is_little,
    parse_request,
    request_id,
)
from feeds.engine.feed import Feed
from feeds.errors import CloseCode, Code, RequestError
from feeds.fanout.group import Member
from feeds.observation.visit import NOBODY, Visit
from feeds.protocol.gate import Gate
from feeds.protocol.reply import Reply
from feeds.protocol.subscriber import Steps, Subscriber, object_message

__all__ = ["MAX_ERRORS", "Session"]

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

    __slots__ = ("_errors", "_feed", "gate", "subscriber")

    def __init__(
        self, feed: Feed, member: Member, gate: Gate | None = None, visit: Visit = NOBODY
    ) -> None:
        self.gate = gate or Gate()
        self._feed = feed
        visit.joined(member)
        self.subscriber = Subscriber(feed, member, self.gate, visit)
        self._errors = 0

    def handle(self, data: bytes, now: float) -> Iterator[Reply]:
        """
        Answer one text message.

        A generator, because the answer to a request for many symbols is made and sent in pieces: each ``next`` is one
        synchronous step, and between two of them the feed goes on and the client may read. One that may be long begins with
        a pause, so that whoever makes answers knows before anything is done for it.

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
            if not is_little(request):
                yield Reply(b"")
            for said, more in self._answer(request, now):
                self._errors = 0 if said else self._errors
                more, replies = more and bool(said), [Reply(said)]
                del said  # a client may take its time with it
                yield replies.pop()
                if more:
                    yield Reply(b"")
        except RequestError as error:
            if error.code is Code.RATE_LIMITED:
                yield self._too_much(error)
                return
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
        return self._too_much(RequestError(Code.RATE_LIMITED, text, request_id(data)))

    def refuse(self, error: RequestError) -> Reply:
        """Answer what is no request with an error; with the last of too many, close."""
        self._errors += 1
        self._feed.stats.errors[error.code] += 1
        return self._refuse(
            error, self._errors >= MAX_ERRORS, f"{MAX_ERRORS} malformed requests in a row"
        )

    def _too_much(self, error: RequestError) -> Reply:
        self._feed.stats.errors[error.code] += 1
        return self._refuse(
            error, self.gate.over >= MOST_OVER, f"{MOST_OVER} requests over the rate"
        )

    def _refuse(self, error: RequestError, last: bool, text: str) -> Reply:
        if not last:
            return Reply(_error(error))
        self._feed.stats.errors[Code.TOO_MANY_ERRORS] += 1
        objects = [_error(e)[1:-1] for e in (error, RequestError(Code.TOO_MANY_ERRORS, text))]
        return Reply(message(objects), CloseCode.POLICY_VIOLATION, text)

    def _answer(self, request: Request, now: float) -> Steps:
        if not isinstance(request, Auth):
            self.gate.check(request.id)
        if not isinstance(request, Auth | Ping):
            self.gate.check_budget(request.id)
        match request:
            case Subscribe():
                yield from self.subscriber.subscribe(request, now)
            case Unsubscribe():
                yield from self.subscriber.unsubscribe(request, now)
            case SnapshotRequest():
                yield from self.subscriber.snapshot(request, now)
            case Symbols():
                yield from self.subscriber.symbols(request)
            case Ping():
                time = self._feed.market.now_us / 1000
                yield object_message("pong", request.id, time=time), False
            case Auth():
                self.gate.unlock(request.token, request.id)
                yield object_message("authenticated", request.id), False


def _error(error: RequestError) -> bytes:
    return object_message("error", error.request_id, code=error.code, message=error.message)
