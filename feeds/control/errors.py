"""Errors of the control API."""

from enum import StrEnum

from feeds.errors import FeedError

__all__ = ["ControlCode", "ControlError"]


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


class ControlError(FeedError):
    """
    An operation can't be done.

    Args:
        status: the status of HTTP.
        code: what went wrong, for programs.
        message: for people: names the value and what is allowed.
    """

    def __init__(self, status: int, code: ControlCode, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
