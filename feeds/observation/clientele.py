"""The clients of one plant, and waiting for what they do; the server answers, so nothing is polled."""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from feeds.errors import CommandError, UnknownClient, WaitTimeout
from feeds.observation.journal import Journal
from feeds.observation.observed import Client
from feeds.observation.visit import NOBODY, Visit

__all__ = ["Clientele", "visiting"]

T = TypeVar("T")

_MOST_CLIENTS = 10_000
_HEADERS = ("Origin", "User-Agent", "Last-Event-ID", "Sec-WebSocket-Protocol")
_TOKEN = re.compile(r"(?<=[?&]token=)[^&]*")


class Request(Protocol):
    """What a connection began with."""

    @property
    def path(self) -> str: ...
    @property
    def path_qs(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def remote(self) -> str | None: ...


class Clientele:
    """
    The clients of one plant, those that have gone too.

    Args:
        symbols: the symbols, by id.
        journal: where what they do is noted.
        outgoing: whether what is sent to them is noted as well.
    """

    def __init__(
        self, symbols: tuple[str, ...], journal: Journal, *, outgoing: bool = True
    ) -> None:
        self.symbols, self.journal, self.outgoing = symbols, journal, outgoing
        self.clients: list[Client] = []
        """In the order in which they came."""
        self._came = 0
        self._change = asyncio.Event()
        self._over: str | None = None

    def enter(self, transport: str, about: Mapping[str, str]) -> Client:
        """Take in a connection."""
        self._came += 1
        client = Client(self, self._came, transport, about)
        self.clients.append(client)
        if len(self.clients) > _MOST_CLIENTS:
            del self.clients[0]
        self.journal.note("open", client.id, **about)
        self.changed()
        return client

    def find(self, who: Client | int) -> Client:
        """
        Give a client by its id; one that is given is given back.

        Raises:
            UnknownClient: none with this id came since the last reset.
        """
        if isinstance(who, Client):
            return who
        found = next((client for client in self.clients if client.id == who), None)
        if found is None:
            ids = ", ".join(str(client.id) for client in self.clients[-10:]) or "none"
            text = f"unknown client {who!r}; those that came since the last reset are {ids}"
            raise UnknownClient(text)
        return found

    def changed(self) -> None:
        """Let those who wait look again."""
        self._change.set()
        self._change = asyncio.Event()

    def end(self, reason: str) -> None:
        """Let nobody wait any more."""
        self._over = reason
        self.changed()

    async def until(self, look: Callable[[], T | None], timeout_s: float, what: str) -> T:
        """
        Wait for something to be there, however long that takes in the market's time.

        Args:
            look: gives it, or None; asked again whenever a client did something.
            timeout_s: how long, in real seconds.
            what: what it is, for the message.

        Raises:
            WaitTimeout: it didn't come; the message shows the clients and the end of the journal.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while (found := look()) is None:
                    if self._over is not None:
                        raise CommandError(f"waited for {what}, but {self._over}")
                    await self._change.wait()
                return found
        except TimeoutError:
            raise WaitTimeout(f"no {what} within {timeout_s:g} s\n{self.report()}") from None

    def report(self) -> str:
        """Give the clients and the end of the journal, for people."""
        clients = [f"  {client!r} subscribed to {_short(client)}" for client in self.clients[-10:]]
        return "\n".join(["clients:", *(clients or ["  none"]), "journal:", self.journal.tail()])


def _short(client: Client) -> str:
    subscriptions = client.subscriptions
    shown = [f"{name} {'+'.join(channels)}" for name, channels in [*subscriptions.items()][:5]]
    more = [f"and {len(subscriptions) - 5} more"] if len(subscriptions) > 5 else []
    return ", ".join([*shown, *more]) or "nothing"


def visiting(clientele: Clientele | None, request: Request) -> Visit:
    """Take in a connection where somebody wants to know of it."""
    if clientele is None:
        return NOBODY
    transport = {"/sse": "sse", "/stream": "stream"}.get(request.path, "websocket")
    about = {"path": _TOKEN.sub("***", request.path_qs), "address": request.remote or ""}
    about |= {name: request.headers[name] for name in _HEADERS if name in request.headers}
    return clientele.enter(transport, about)
