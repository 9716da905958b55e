"""One client as the server sees it, for tests: what it sent, what it gets, who closed it and how."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import orjson

from feeds.dialects.fields import read_json
from feeds.dialects.requests import parse_request
from feeds.errors import RequestError
from feeds.fanout.group import Member
from feeds.fanout.subscription import Subscription
from feeds.observation.journal import Journal
from feeds.observation.visit import Message, Visit, Watched
from feeds.wire.frame import describe_frame
from feeds.wire.transport import Data, Line
from ticker.batch import channel_name

__all__ = ["Client", "House", "hide"]

M = TypeVar("M", bound=Message)

_TEXT, _BINARY, _CLOSE, _PONG, _ERROR = 1, 2, 8, 10, 0x102
_MOST_SENT = 10_000
_HIDDEN = "***"


class House(Protocol):
    """What a client needs from its surroundings."""

    journal: Journal
    symbols: tuple[str, ...]
    outgoing: bool

    def changed(self) -> None:
        """Take note that a client did something."""
        ...


class Client(Visit):
    """One connection, as the server sees it; kept after it has ended."""

    def __init__(self, house: House, number: int, transport: str, about: Mapping[str, str]) -> None:
        self._house = house
        self.id = number
        """Counts the connections since the last reset, from 1."""
        self.transport = transport
        """``websocket``, ``sse`` or ``stream``."""
        self.path = about.get("path", "")
        """What it asked for, with the query; tokens are hidden."""
        self.address = about.get("address", "")
        """From where it came."""
        self.headers = {k: text for k, text in about.items() if k not in ("path", "address")}
        """The headers that matter to a feed: ``Origin``, ``User-Agent``, ``Last-Event-ID`` and the subprotocols."""
        self.is_open = True
        self.close_code: int | None = None
        """Once it is over, the WebSocket close code; 1005 is a close frame without one, 1006 none at all."""
        self.close_reason = ""
        self.closed_by: str | None = None
        """Once it is over: ``client``, ``server``, or ``network`` if nobody said anything."""
        self.pongs: set[bytes] = set()
        """What it answered pings with."""
        self.member: Member | None = None
        """Its place in the hub."""
        self._sent: list[Any] = []
        self._unknown: list[tuple[Any, str]] = []
        self._subscription = Subscription()

    def __repr__(self) -> str:
        state = "open" if self.is_open else f"closed by {self.closed_by} with {self.close_code}"
        return f"<Client {self.id}, {self.transport}, {state}, {len(self._sent)} sent>"

    @property
    def sent(self) -> list[Any]:
        """What it sent, in order: requests as objects, anything that isn't JSON as text; tokens are hidden."""
        return list(self._sent)

    @property
    def unknown(self) -> list[tuple[Any, str]]:
        """What it sent that was no request, and why."""
        return list(self._unknown)

    @property
    def subscriptions(self) -> dict[str, tuple[str, ...]]:
        """What it gets, by symbol: the channels, as on the wire (``trades``, ``bars:1m``). Linear in the symbols."""
        found: dict[str, dict[int, None]] = {}
        names = self._house.symbols
        for interest in self._subscription.interests():
            for channel, symbols in interest.channels:
                for symbol in symbols:
                    found.setdefault(names[symbol], {})[channel] = None
        return {name: tuple(channel_name(c) for c in sorted(found[name])) for name in sorted(found)}

    @property
    def resume(self) -> dict[str, Any] | None:
        """From where it last went on: ``epoch`` and ``since`` of its ``subscribe``, or ``cursor``; None: it never did."""
        for message in reversed(self._sent):
            if isinstance(message, dict) and message.get("since") is not None:
                return {"epoch": message.get("epoch"), "since": message["since"]}
        cursor = self.headers.get("Last-Event-ID")
        return None if cursor is None else {"cursor": cursor}

    def is_subscribed(self, symbol: str, channel: str | None = None) -> bool:
        """Tell whether it gets a symbol, on a channel or on any; ``bars`` is any interval."""
        channels = self.subscriptions.get(symbol, ())
        if channel is None:
            return bool(channels)
        return any(c == channel or c.partition(":")[0] == channel for c in channels)

    def as_json(self) -> dict[str, Any]:
        """Give all of it as an object for JSON."""
        names = ("id", "transport", "path", "headers", "is_open", "close_code", "close_reason")
        more = ("closed_by", "sent", "subscriptions", "resume")
        return {name: getattr(self, name) for name in (*names, *more)}

    # What the connection tells.

    def watch(self, line: Line, /) -> Line:
        return Watched(line, self._went_out) if self._house.outgoing else line

    def joined(self, member: Member, /) -> None:
        self.member = member

    def received(self, message: M, /) -> M:
        data = message.data
        if message.type in (_TEXT, _BINARY):
            self._request(data, binary=message.type == _BINARY)
        elif message.type == _PONG:
            self.pongs.add(bytes(data))
            self._house.changed()
        elif message.type == _CLOSE:
            self.closing("client", data or 1005, message.extra or "")
        elif message.type == _ERROR and (code := getattr(data, "code", None)):
            self.closing("server", code, str(data))
        return message

    def wishes(self, subscription: Subscription, /) -> None:
        if subscription != self._subscription:
            self._subscription = subscription
            self._house.changed()

    def closing(self, by: str, code: int, reason: str, /) -> None:
        if self.closed_by is None:
            self.closed_by, self.close_code, self.close_reason = by, code, reason

    def closed(self, code: int | None, /) -> None:
        self.closing("network", 1006 if code is None else code, "")
        self.is_open = False
        self.member = None
        self._house.journal.note(
            "close", self.id, code=self.close_code, reason=self.close_reason, by=self.closed_by
        )
        self._house.changed()

    def _request(self, data: bytes, *, binary: bool) -> None:
        message, error = _read(data)
        if binary:
            error = "a binary message"
        if error is not None:
            self._unknown.append((message, error))
            del self._unknown[:-_MOST_SENT]
        self._keep(message, **({} if error is None else {"error": error}))

    def _keep(self, message: Any, **more: Any) -> None:
        self._sent.append(message)
        del self._sent[:-_MOST_SENT]
        self._house.journal.note("in", self.id, message=message, **more)
        self._house.changed()

    def _went_out(self, data: Data) -> None:
        self._house.journal.note("out", self.id, text=describe_frame(data))


def _read(data: bytes) -> tuple[Any, str | None]:
    """Give a message as it is kept, and why it is no request."""
    error = None
    try:
        parse_request(data)
    except RequestError as refused:
        error = refused.message
    try:
        message = read_json(data)
    except orjson.JSONDecodeError:
        text = bytes(data[:1_000]).decode(errors="replace")
        return (_HIDDEN if "token" in text else text), error
    return hide(message), error


def hide(message: Any) -> Any:
    """Give a message without its token."""
    if isinstance(message, dict) and "token" in message:
        return message | {"token": _HIDDEN}
    return message
