"""Tells whether something is under way that takes several passes of the event loop."""

__all__ = ["Underway"]


class Underway:
    """How many there are: ``with underway:`` is one more. True while there is one."""

    def __init__(self) -> None:
        self._count = 0

    def __bool__(self) -> bool:
        return self._count > 0

    def __enter__(self) -> None:
        self._count += 1

    def __exit__(self, *error: object) -> None:
        self._count -= 1
