"""How a fault is asked for, and the handle that clears it."""

from collections.abc import Callable
from typing import Protocol, Self, TypedDict

from feeds.faults.plan import Armed
from feeds.notation.times import Moment

__all__ = ["FaultHandle", "HasId", "When"]


class HasId(Protocol):
    """A client of the feed, or whatever else has the id of one."""

    @property
    def id(self) -> int:
        """What the server counts its clients by, from 1."""
        ...


class When(TypedDict, total=False):
    """Whom a fault hits, when and how often; see :class:`feeds.faults.fault.Fault`."""

    client: HasId | int | None
    """The id of an open client, or what has such an ``id``."""
    nth: int | None
    symbol: str | None
    after: int | None
    at: Moment | int | None
    """The market's time: microseconds, or whatever else the feed's ``run_until`` takes."""
    on: str | None
    times: int | None
    probability: float
    seed: int


class FaultHandle:
    """
    A fault in force. As a context manager, ``with`` or ``async with``, it is cleared at the end.

    Args:
        armed: the fault.
        clear: takes it out of force; does nothing if it is already.
    """

    def __init__(self, armed: Armed, clear: Callable[[], object]) -> None:
        self.id, self.fault = armed.id, armed.fault
        self._armed, self._clear = armed, clear

    def __repr__(self) -> str:
        return f"<fault {self.id}: {self.fault}>"

    @property
    def fired(self) -> int:
        """How often it has struck; an event that goes to many clients counts once."""
        return self._armed.fired

    def clear(self) -> None:
        """Take it out of force: what it held up goes on. May be called twice."""
        self._clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.clear()
