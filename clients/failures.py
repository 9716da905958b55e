"""What can go wrong with a client, and what the caller may do about it."""

from __future__ import annotations

__all__ = [
    "BookError",
    "ClosedError",
    "ConnectError",
    "ConnectionLostError",
    "MalformedMessageError",
    "RequestError",
    "TickerError",
]


class TickerError(Exception):
    """Base of all errors of the client."""


class ConnectError(TickerError):
    """The server can't be reached, refuses WebSocket, or speaks something else.

    `reason` says why, without the address; `status` is the HTTP status of a refusal, else None;
    `final` tells whether trying again would only repeat it: the server itself refused, or no address is one.
    `cause` is what aiohttp or the system reported, if they did.
    """

    def __init__(
        self,
        message: str,
        reason: str | None = None,
        *,
        status: int | None = None,
        final: bool = False,
        cause: Exception | None = None,
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.reason = reason or message
        self.status = status
        self.final = final


class ConnectionLostError(TickerError):
    """The connection went down before the reply came; the request may or may not have worked."""


class MalformedMessageError(TickerError):
    """The server sent something that the protocol doesn't allow."""


class BookError(TickerError):
    """A book differs from the server's, or can't be right: subscribe again, and it starts over with a snapshot."""


class ClosedError(TickerError):
    """The connection is over and connecting again would not help: `code` and `reason` say why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"connection closed with {code}: {reason or 'no reason given'}")
        self.code = code
        self.reason = reason


class RequestError(TickerError):
    """The server refused a request: `code` from the table of errors, `message` for people.

    `id` is the request's, `status` that of HTTP, each if there was one.
    """

    def __init__(
        self,
        code: str,
        message: str,
        id: int | str | None = None,  # noqa: A002  # the wire's word
        *,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = id
        self.status = status
