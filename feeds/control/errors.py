"""Errors of the control API."""

from enum import StrEnum

from feeds.errors import CommandError, FeedError, UnknownClient, UnknownSession, UnknownSymbol

__all__ = ["UNKNOWN", "ControlCode", "UnknownFault"]


class ControlCode(StrEnum):
    """Error codes of the control API, beside those of requests (:class:`feeds.errors.Code`)."""

    NOT_FOUND = "not_found"
    UNKNOWN_SYMBOL = "unknown_symbol"
    UNKNOWN_CLIENT = "unknown_client"
    UNKNOWN_FAULT = "unknown_fault"
    UNKNOWN_SESSION = "unknown_session"
    TIMEOUT = "timeout"
    ASSERTION_FAILED = "assertion_failed"
    CONFLICT = "conflict"
    UNSUPPORTED_ENCODING = "unsupported_encoding"


class UnknownFault(CommandError):  # noqa: N818  said of an id, not of a state
    """No fault with this id is in force; the message names those that are."""


UNKNOWN: dict[type[FeedError], ControlCode] = {
    UnknownSymbol: ControlCode.UNKNOWN_SYMBOL,
    UnknownClient: ControlCode.UNKNOWN_CLIENT,
    UnknownFault: ControlCode.UNKNOWN_FAULT,
    UnknownSession: ControlCode.UNKNOWN_SESSION,
}
"""Errors that are told with 404: what they name isn't there."""
