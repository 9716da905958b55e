"""What is given for a fault in force, so that it can be cleared."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from feeds.faults.fault import Fault

__all__ = ["FaultHandle"]


class FaultHandle:
    """
    A fault in force. As a context manager, ``with`` or ``async with``, it is cleared at the end.

    Args:
        fault_id: its id.
        fault: what it is.
        clear: takes it out of force; does nothing if it is already.
        fired: gives how often it has struck.
    """

    def __init__(
        self,
        fault_id: int,
        fault: Fault,
        clear: Callable[[int], object],
        fired: Callable[[int], int],
    ) -> None:
        self.id, self.fault = fault_id, fault
        self._clear, self._fired = clear, fired

    def __repr__(self) -> str:
        return f"<fault {self.id}: {self.fault}>"

    @property
    def fired(self) -> int:
        """How often it has struck; an event that goes to many clients counts once."""
        return self._fired(self.id)

    def clear(self) -> None:
        """Take it out of force: what it held up goes on. May be called twice."""
        self._clear(self.id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()
