"""Which request a reply belongs to. No I/O."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

from clients.core.decode import Item
from clients.failures import RequestError

__all__ = ["Pending", "Replies"]


@dataclass(slots=True)
class Pending:
    """A request on its way."""

    request: Item
    """As it is sent, with its `id`."""
    reply: asyncio.Future[list[Item]]
    """All the objects of the reply, or RequestError, or why there will be none."""
    vital: bool
    """Whether the client can't go on when this is refused; then nobody looks at `reply`."""
    parts: list[Item] = field(default_factory=list)


class Replies:
    """The requests of one client that wait for their replies."""

    def __init__(self) -> None:
        self.in_order = True
        """Whether a snapshot that was asked for stands where it belongs among the events."""
        self._ids = itertools.count(1)
        self._pending: dict[int | str | None, Pending] = {}

    def expect(self, request: Item, *, vital: bool = False) -> Pending:
        """Give *request* an id, and wait for its reply; inside a running event loop only."""
        id_ = next(self._ids)
        reply: asyncio.Future[list[Item]] = asyncio.get_running_loop().create_future()
        reply.add_done_callback(lambda _: self._pending.pop(id_, None))
        pending = self._pending[id_] = Pending({**request, "id": id_}, reply, vital)
        return pending

    def take(self, item: Item) -> Item | None:
        """Take a reply, or a part of one; return its request, or None if nobody waits for it.

        Raises RequestError when a vital request was refused.
        """
        pending = self._pending.get(item.get("id"))
        if pending is None or pending.reply.done():
            return None
        if item["type"] == "error":
            error = RequestError(item["code"], item["message"], item["id"])
            if pending.vital:
                raise error
            pending.reply.set_exception(error)
        else:
            pending.parts.append(item)
            if not item.get("more", False):
                pending.reply.set_result(pending.parts)
        return pending.request

    async def settled(self) -> None:
        """Wait until nobody waits for a reply."""
        while self._pending:
            await asyncio.wait([pending.reply for pending in self._pending.values()])

    def fail(self, error: Exception) -> None:
        """Tell everyone who waits that no reply will come."""
        for pending in list(self._pending.values()):
            if pending.vital:
                pending.reply.cancel()
            elif not pending.reply.done():
                pending.reply.set_exception(error)
