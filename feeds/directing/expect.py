"""What a test waits for and asserts. The server answers, as it knows what clients did, so nothing is polled."""

from collections.abc import Callable
from itertools import count
from typing import TypeVar

from feeds.errors import CommandError
from feeds.notation.naming import check_channel, symbol_id
from feeds.notation.times import Duration, seconds_of
from feeds.observation.clientele import Clientele
from feeds.observation.journal import Journal
from feeds.observation.observed import Client
from feeds.plant import Plant
from feeds.plants import Plants
from feeds.wire.frame import ping_frame

__all__ = ["DEFAULT_TIMEOUT", "Expectations"]

T = TypeVar("T")

DEFAULT_TIMEOUT: Duration = 5.0
"""How long a test waits, in real seconds."""

_pings = count(1)


class Expectations:
    """
    The clients of one session, and what is expected of them.

    Args:
        plants: the server's plants.
        session: the key of the session.
    """

    def __init__(self, plants: Plants, session: str = "") -> None:
        self._plants, self.session = plants, session

    @property
    def plant(self) -> Plant:
        """The plant that is directed; another one after a reset."""
        return self._plants[self.session]

    @property
    def clients(self) -> list[Client]:
        """All connections since the last reset, in the order in which they came, closed ones included."""
        return list(self._clientele.clients)

    @property
    def journal(self) -> Journal:
        """What happened since the last reset."""
        return self._clientele.journal

    def report(self) -> str:
        """Give the clients and the end of the journal, for people."""
        return self._clientele.report()

    async def wait_for_client(self, n: int = 1, *, timeout: Duration = DEFAULT_TIMEOUT) -> Client:  # noqa: ASYNC109
        """
        Wait until ``n`` connections have come since the last reset; return the n-th, which may have ended already.

        Raises:
            WaitTimeout: fewer came in so many real seconds; the message shows what happened.
        """
        if n < 1:
            raise CommandError(f"n {n!r}: clients are counted from 1")
        clients = self._clientele

        def nth() -> Client | None:
            return next((client for client in clients.clients if client.id == n), None)

        return await clients.until(nth, seconds_of(timeout), f"client {n}")

    async def wait_for_subscription(
        self,
        symbol: str,
        channel: str | None = None,
        *,
        client: Client | int | None = None,
        timeout: Duration = DEFAULT_TIMEOUT,  # noqa: ASYNC109
    ) -> Client:
        """
        Wait until an open connection is subscribed to a symbol; gives it. What is sent from then on reaches it.

        Args:
            symbol: the symbol.
            channel: ``trades``, ``quotes``, ``status``, ``depth``, ``bars`` or ``bars:1m``; None: any.
            client: only this one, or the one with this id; None: any.
            timeout: how long, in real time.

        Raises:
            CommandError: there is no such symbol, channel or client.
            WaitTimeout: nobody did; the message shows what happened.
        """
        one = None if client is None else self._clientele.find(client)
        look = self._subscriber(symbol, channel, one)
        what = f"subscription to {symbol!r}" + (f" on {channel!r}" if channel else "")
        what += f" by {one!r}" if one else ""
        return await self._clientele.until(look, seconds_of(timeout), what)

    async def wait_for_close(
        self,
        client: Client | int,
        *,
        timeout: Duration = DEFAULT_TIMEOUT,  # noqa: ASYNC109
    ) -> Client:
        """
        Wait until a connection is over; gives it, with its close code and who closed it.

        Raises:
            UnknownClient: there is no client with this id.
            WaitTimeout: it is still open.
        """
        one = self._clientele.find(client)

        def over() -> Client | None:
            return None if one.is_open else one

        return await self._clientele.until(over, seconds_of(timeout), f"end of {one!r}")

    def assert_subscribed(
        self, symbol: str, channel: str | None = None, *, client: Client | int | None = None
    ) -> None:
        """
        Assert that an open connection is subscribed to a symbol, now.

        Raises:
            AssertionError: none is; the message says what they are subscribed to.
        """
        one = None if client is None else self._clientele.find(client)
        if self._subscriber(symbol, channel, one)() is None:
            who = "nobody is" if one is None else f"{one!r} isn't"
            on = f" on {channel!r}" if channel else ""
            raise AssertionError(f"{who} subscribed to {symbol!r}{on}\n{self._clientele.report()}")

    def assert_no_unknown_messages(self, *, client: Client | int | None = None) -> None:
        """
        Assert that everything that was sent to the server was a request.

        Raises:
            AssertionError: something wasn't; the message shows it, and why.
        """
        asked = self._clientele.clients if client is None else [self._clientele.find(client)]
        found = [
            f"client {one.id} sent {message!r}: {why}"
            for one in asked
            for message, why in one.unknown
        ]
        if found:
            raise AssertionError("\n".join([*found, self._clientele.report()]))

    async def sync(
        self,
        client: Client | int,
        *,
        timeout: Duration = DEFAULT_TIMEOUT,  # noqa: ASYNC109
    ) -> None:
        """
        Return when a client has read everything that was sent to it before: it answered a ping that was sent after that.

        What has read it is the client's WebSocket: in a browser, the page's handlers run after that.

        Raises:
            CommandError: there is no such client, it is over, or a stream over plain HTTP, which can't be pinged.
            WaitTimeout: it didn't answer.
        """
        one = self._clientele.find(client)
        if one.transport != "websocket":
            raise CommandError(f"{one!r} can't be pinged: only WebSockets answer")
        if not one.is_open or one.member is None:
            raise CommandError(f"{one!r} is over")
        plant = self.plant
        payload = b"sync %d" % next(_pings)
        await plant.pump.between_turns()
        plant.hub.control(one.member, ping_frame(payload), plant.clock.seconds())

        def answered() -> bool | None:
            if not one.is_open:
                raise CommandError(f"{one!r} went before it answered")
            return payload in one.pongs or None

        await self._clientele.until(answered, seconds_of(timeout), f"pong of {one!r}")
        one.pongs.discard(payload)

    @property
    def _clientele(self) -> Clientele:
        clientele = self.plant.clientele
        if clientele is None:
            raise CommandError(
                "this server keeps no journal: start it with FeedConfig(journal=1000)"
            )
        return clientele

    def _subscriber(
        self, symbol: str, channel: str | None, client: Client | None
    ) -> Callable[[], Client | None]:
        clients = self._clientele
        symbol_id(self.plant.market.universe, symbol)
        if channel is not None:
            check_channel(channel)

        def look() -> Client | None:
            asked = clients.clients if client is None else [client]
            fits = (c for c in asked if c.is_open and c.is_subscribed(symbol, channel))
            return next(fits, None)

        return look
