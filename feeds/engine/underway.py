"""What is under way, over several passes of the event loop, and the wait until nothing is."""

import asyncio

__all__ = ["Underway"]


class Underway:
    """How many there are: ``with underway:`` is one more."""

    def __init__(self) -> None:
        self._count = 0
        self._over = asyncio.Event()

    def __enter__(self) -> None:
        self._count += 1

    def __exit__(self, *error: object) -> None:
        self._count -= 1
        if not self._count:
            self._over.set()

    async def over(self) -> None:
        """Return when nothing is under way: at once, if that is so now."""
        while self._count:
            self._over.clear()
            await self._over.wait()
