"""A transport that can be held up: shut, throttled, cut into pieces, or turned into a black hole."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from feeds.wire.transport import Data, Transport

__all__ = ["OPEN", "Setting", "Valve"]


@dataclass(frozen=True, slots=True)
class Setting:
    """How far a valve is open."""

    shut: bool = False
    """Nothing passes."""
    hole: bool = False
    """What is written is gone."""
    bytes_per_s: int | None = None
    piece: int | None = None
    """The most bytes of one write."""


OPEN = Setting()
_LOOK_S = 0.005


class Valve:
    """
    Stands before a connection's transport, and does its part (:class:`feeds.wire.transport.Transport`).

    Args:
        inner: where it leads to.
        seconds: gives the feed's time.
        soon: calls something back in the event loop's next pass.
        later: calls something back at a time of the feed.
        tell: is told of what passes, whole, when it begins to.
    """

    def __init__(
        self,
        inner: Transport,
        seconds: Callable[[], float],
        soon: Callable[[Callable[[], object]], object],
        later: Callable[[float, Callable[[], object]], object],
        tell: Callable[[Data], object] = lambda data: None,
    ) -> None:
        self._inner, self._seconds, self._soon, self._later = inner, seconds, soon, later
        self._tell = tell
        self._setting = OPEN
        self._pending: deque[Data] = deque()
        self._size = 0
        self._credit = 0.0
        self._counted = seconds()
        self._waiting = False
        self._cut = False  # whether the first of what is pending is a rest

    def set(self, setting: Setting) -> None:
        """Turn it; what is held up passes as far as it may now."""
        if setting.bytes_per_s != self._setting.bytes_per_s:
            self._credit, self._counted = 0.0, self._seconds()
        self._setting = setting
        self._pass()

    # The transport's part.

    def send(self, data: Data) -> int:
        if self._setting == OPEN and not self._pending:
            self._tell(data)
            return self._inner.send(data)
        self.write(data)
        return -1 if self.unread() else len(data)

    def rest(self, data: Data, sent: int) -> None:
        if sent >= 0:  # the inner one's own; else it is here already
            self._inner.rest(data, sent)

    def write(self, data: Data) -> None:
        if self._setting.hole:
            return
        if not self._pending:  # a rate saves nothing up while there is nothing to send
            self._credit, self._counted = 0.0, self._seconds()
        self._pending.append(data)
        self._size += len(data)
        if not self._waiting:
            self._pass()

    def unread(self) -> int:
        # A hole has always something unread: nobody can tell from its silence that the client is dead.
        return 1 if self._setting.hole else self._size + self._inner.unread()

    def abort(self) -> None:
        self._drop()
        self._inner.abort()

    def flush(self) -> None:
        """Let everything pass that is held up."""
        self.set(OPEN)

    def _drop(self) -> None:
        self._pending.clear()
        self._size, self._cut = 0, False

    def _again(self) -> None:
        self._waiting = False
        self._pass()

    def _pass(self) -> None:
        setting = self._setting
        if setting.hole:
            self._drop()
        while self._pending and not setting.shut:
            most = self._allowed()
            if not most:
                self._wait()
                return
            data = self._pending.popleft()
            if not self._cut:
                self._tell(data)
            piece, left = data[:most], data[most:]
            self._cut = bool(left)
            if left:
                self._pending.appendleft(left)
            self._size -= len(piece)
            self._credit -= len(piece)
            self._inner.write(piece)
            if self._pending and setting.piece:
                self._waiting = True
                self._soon(self._again)
                return

    def _allowed(self) -> int:
        """Give how many bytes may pass now, at once."""
        setting = self._setting
        most = setting.piece or len(self._pending[0])
        if setting.bytes_per_s is None:
            return most
        now = self._seconds()
        self._credit += (now - self._counted) * setting.bytes_per_s
        self._counted = now
        return min(most, int(self._credit))

    def _wait(self) -> None:
        assert self._setting.bytes_per_s is not None
        self._waiting = True
        missing = (1 - self._credit) / self._setting.bytes_per_s
        self._later(self._counted + max(missing, _LOOK_S), self._again)
