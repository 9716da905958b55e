"""What a connection reports about itself while it lasts: in tests everything, otherwise nothing."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from feeds.fanout.group import Member
from feeds.fanout.subscription import Subscription
from feeds.wire.backlog import Eviction
from feeds.wire.transport import Data, Line

__all__ = ["NOBODY", "Message", "Visit", "Watched", "eviction"]

log = logging.getLogger("feeds")


class Message(Protocol):
    """What aiohttp gives for a WebSocket message."""

    @property
    def type(self) -> int: ...
    @property
    def data(self) -> Any: ...
    @property
    def extra(self) -> Any: ...


M = TypeVar("M", bound=Message)


class Visit:
    """What a connection reports about itself while it lasts: here to nobody."""

    id = 0
    """By which it is known; 0: by none."""

    def watch(self, line: Line, /) -> Line:
        """Give what is to be written to instead, so that it is seen."""
        return line

    def joined(self, member: Member, /) -> None:
        """Note its place in the hub."""

    def received(self, message: M, /) -> M:
        """Note a message, or what it says when it closes; gives it back."""
        return message

    def wishes(self, subscription: Subscription, /) -> None:
        """Note what it is subscribed to now."""

    def closing(self, by: str, code: int, reason: str, /) -> None:
        """Note why it ends; the first to tell is the one who ended it."""

    def closed(self, code: int | None, /) -> None:
        """Note that it is over."""


NOBODY = Visit()


def eviction(visit: Visit) -> Callable[[Eviction], object]:
    """Give what is told of a connection's eviction; one function for all that nobody asks about."""
    return _evicted if visit is NOBODY else partial(_evicted, visit=visit)


def _evicted(reason: Eviction, visit: Visit = NOBODY) -> None:
    log.info("evicted a slow consumer: %s", reason.value)
    visit.closing("server", 1006, f"evicted: {reason.value}")


class Watched:
    """A line whose writes are told."""

    def __init__(self, line: Line, tell: Callable[[Data], None]) -> None:
        self.line, self.tell = line, tell
        self.rest, self.unread, self.abort = line.rest, line.unread, line.abort
        self.closed, self.release = line.closed, line.release

    def send(self, data: Data, /) -> int:
        self.tell(data)
        return self.line.send(data)

    def write(self, data: Data, /) -> None:
        self.tell(data)
        self.line.write(data)
