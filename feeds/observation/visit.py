"""What a connection reports about itself while it lasts: in tests everything, otherwise nothing."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from feeds.fanout.group import Member
from feeds.fanout.subscription import Subscription
from feeds.wire.transport import Data, Line

__all__ = ["NOBODY", "Message", "Visit", "Watched"]


class Message(Protocol):
    """What aiohttp gives for a WebSocket message."""

    @property
    def type(self) -> int: ...
    @property
    def data(self) -> Any: ...
    @property
    def extra(self) -> Any: ...


M = TypeVar("M", bound=Message)


class Visit(Protocol):
    """What a connection reports about itself while it lasts."""

    id: int
    """By which it is known; 0: by none."""

    def watch(self, line: Line, /) -> Line:
        """Give what is to be written to instead, so that it is seen."""
        ...

    def joined(self, member: Member, /) -> object:
        """Note its place in the hub."""
        ...

    def received(self, message: M, /) -> M:
        """Note a message, or what it says when it closes; gives it back."""
        ...

    def wishes(self, subscription: Subscription, /) -> object:
        """Note what it is subscribed to now."""
        ...

    def closing(self, by: str, code: int, reason: str, /) -> object:
        """Note why it ends; the first to tell is the one who ended it."""
        ...

    def closed(self, code: int | None, /) -> object:
        """Note that it is over."""
        ...


class _Nobody:
    """A connection that nobody asks about."""

    id = 0

    def watch(self, line: Line, /) -> Line:
        return line

    def joined(self, member: Member, /) -> None:
        pass

    def received(self, message: M, /) -> M:
        return message

    def wishes(self, subscription: Subscription, /) -> None:
        pass

    def closing(self, by: str, code: int, reason: str, /) -> None:
        pass

    def closed(self, code: int | None, /) -> None:
        pass


NOBODY: Visit = _Nobody()


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
