"""
Errors of the feed, and the codes that go over the wire.

``FeedError``
    ``RequestError``   a client's request can't be done: goes back to the client as an ``error``
    ``ConfigError``    an option is out of range: one line on stderr, exit code 2
    ``CommandError``   a command to a plant can't be done: goes back to whoever directs it
        ``UnknownSession``, ``UnknownSymbol``, ``UnknownClient``  what it names isn't there
    ``WaitTimeout``    what was waited for didn't come
"""

from collections.abc import Callable
from enum import IntEnum, StrEnum
from typing import TypeVar

__all__ = [
    "CloseCode",
    "Code",
    "CommandError",
    "ConfigError",
    "FeedError",
    "HttpCode",
    "RequestError",
    "UnknownClient",
    "UnknownSession",
    "UnknownSymbol",
    "WaitTimeout",
    "plainly",
]

R = TypeVar("R")


class Code(StrEnum):
    """Error codes of the native protocol (``PROTOCOL.md``, section 8)."""

    INVALID_JSON = "invalid_json"
    INVALID_UTF8 = "invalid_utf8"
    BINARY_FRAME = "binary_frame"
    MESSAGE_TOO_BIG = "message_too_big"
    INVALID_REQUEST = "invalid_request"
    UNKNOWN_ACTION = "unknown_action"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    INVALID_VALUE = "invalid_value"
    UNKNOWN_SYMBOL = "unknown_symbol"
    UNKNOWN_CHANNEL = "unknown_channel"
    TOO_MANY_SYMBOLS = "too_many_symbols"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    INVALID_TOKEN = "invalid_token"  # noqa: S105  a code, no secret
    AUTH_NOT_CONFIGURED = "auth_not_configured"
    TOO_MANY_ERRORS = "too_many_errors"


class HttpCode(StrEnum):
    """Error codes that only HTTP has, or has as well (``PROTOCOL.md``, section 10)."""

    INVALID_REQUEST = "invalid_request"
    UNAUTHORIZED = "unauthorized"
    INVALID_TOKEN = "invalid_token"  # noqa: S105  a code, no secret
    FORBIDDEN_ORIGIN = "forbidden_origin"
    FORBIDDEN_HOST = "forbidden_host"
    NOT_FOUND = "not_found"
    UNKNOWN_SESSION = "unknown_session"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    REQUEST_TIMEOUT = "request_timeout"
    URI_TOO_LONG = "uri_too_long"
    UPGRADE_REQUIRED = "upgrade_required"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_FROM_ADDRESS = "too_many_from_address"
    HEADERS_TOO_LARGE = "headers_too_large"
    INTERNAL_ERROR = "internal_error"
    STOPPING = "stopping"
    TOO_MANY_CONNECTIONS = "too_many_connections"


class CloseCode(IntEnum):
    """WebSocket close codes that the server uses (RFC 6455, section 7.4; ``PROTOCOL.md``, section 9)."""

    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_UTF8 = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012


class FeedError(Exception):
    """Base of the feed's errors."""


class ConfigError(FeedError, ValueError):
    """An option or argument isn't allowed; the message names it, its value and what is."""


class CommandError(FeedError, ValueError):
    """A command to a plant can't be done; the message names the value and what is allowed."""


class UnknownSession(CommandError):  # noqa: N818  said of a key, not of a state
    """There is no plant with this key; the message names those that there are."""


class UnknownSymbol(CommandError):  # noqa: N818  likewise
    """The market has no symbol of this name; the message names the one that was meant, or some that there are."""


class UnknownClient(CommandError):  # noqa: N818  likewise
    """No client with this id came since the last reset; the message names those that did."""


class WaitTimeout(FeedError, TimeoutError):  # noqa: N818  a TimeoutError, as its base is
    """What was waited for didn't come in time; the message shows what there was instead."""


class RequestError(FeedError):
    """
    A request can't be done.

    Args:
        code: what went wrong, for programs.
        message: what went wrong, for people: names the value and what is allowed.
        request_id: the request's ``id``, where it had a usable one.
    """

    def __init__(self, code: Code, message: str, request_id: str | int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id


def plainly(call: Callable[[], R]) -> R:
    """Call for a test: an error says all that it has to know, so it comes without the frames in which it was found."""
    __tracebackhide__ = True
    try:
        return call()
    except (FeedError, AssertionError) as error:
        raise error.with_traceback(None) from None
