"""Answers over HTTP that are one JSON object: what was asked for, or the error that says why not."""

from typing import Any, get_args

import orjson
from aiohttp import web

from feeds.admission.limits import Refusal
from feeds.dialects.fields import show
from feeds.errors import Code, HttpCode, RequestError, UnknownSession
from ticker import __version__

__all__ = [
    "SERVER",
    "Answerable",
    "AnswerableError",
    "NoSuchPath",
    "error_answer",
    "error_json",
    "json_answer",
    "refusal_answer",
]

SERVER = f"tickerplant/{__version__}"
"""What answers call the server."""

_LAST = (HttpCode.TOO_MANY_CONNECTIONS, HttpCode.TOO_MANY_FROM_ADDRESS, HttpCode.URI_TOO_LONG)
"""Nothing else is answered on the connection."""

Answerable = RequestError | UnknownSession | web.HTTPNotFound | web.HTTPMethodNotAllowed
"""What :func:`error_answer` answers."""

AnswerableError = get_args(Answerable)
"""The same, to be caught."""


class NoSuchPath(web.HTTPNotFound):
    """
    No route has this path.

    Args:
        near: the paths that come nearest to it, the nearest first.
    """

    def __init__(self, near: list[str]) -> None:
        super().__init__()
        self.near = near


def json_answer(value: Any, status: int = 200) -> web.Response:
    """Answer an object that nobody may keep."""
    return web.Response(
        body=orjson.dumps(value),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def error_json(status: int, code: str, message: str, **more: Any) -> web.Response:
    """Answer an error: its code is for programs, its message for people."""
    return json_answer({"type": "error", "code": code, "message": message, **more}, status)


def error_answer(request: web.Request, error: Answerable) -> tuple[str, web.Response]:
    """Give the code of what a handler raised, and the answer."""
    status, headers = 404, {}
    if isinstance(error, RequestError):
        code, message = str(error.code), error.message
        status = 404 if error.code is Code.UNKNOWN_SYMBOL else 400
    elif isinstance(error, UnknownSession):
        code, message = HttpCode.UNKNOWN_SESSION, str(error)
    elif isinstance(error, web.HTTPNotFound):
        near = error.near if isinstance(error, NoSuchPath) else []
        hint = f"; did you mean {near[0]!r}?" if near else ""
        code, message = HttpCode.NOT_FOUND, f"no such path: {show(request.path)}{hint}"
    else:
        status, headers["Allow"] = 405, ", ".join(sorted(error.allowed_methods))
        code = HttpCode.METHOD_NOT_ALLOWED
        message = f"{request.path} allows {headers['Allow']}, not {error.method}"
    answer = error_json(status, code, message)
    answer.headers.update(headers)
    return code, answer


def refusal_answer(refusal: Refusal) -> web.Response:
    """Answer a request that is not let in."""
    response = error_json(refusal.status, refusal.code, refusal.message)
    if refusal.status == 401:
        wrong = ', error="invalid_token"' if refusal.code is HttpCode.INVALID_TOKEN else ""
        response.headers["WWW-Authenticate"] = f'Bearer realm="tickerplant"{wrong}'
    if refusal.retry_after_s is not None:
        response.headers["Retry-After"] = str(refusal.retry_after_s)
    if refusal.code in _LAST:
        response.force_close()
    return response
