"""Answers over HTTP that are one JSON object: what was asked for, or the error that says why not."""

from typing import Any

import orjson
from aiohttp import web

from feeds.admission.limits import Refusal
from feeds.errors import Code, HttpCode, RequestError, UnknownSession
from ticker import __version__

__all__ = [
    "SERVER",
    "AnswerableError",
    "NoSuchPath",
    "error_answer",
    "error_code",
    "json_answer",
    "refusal_answer",
]

SERVER = f"tickerplant/{__version__}"
"""What answers call the server."""

AnswerableError = (RequestError, UnknownSession, web.HTTPNotFound, web.HTTPMethodNotAllowed)
"""What :func:`error_answer` answers."""


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


def error_answer(
    request: web.Request,
    error: RequestError | UnknownSession | web.HTTPNotFound | web.HTTPMethodNotAllowed,
) -> web.Response:
    """Answer what a handler raised."""
    if isinstance(error, RequestError):
        status = 404 if error.code is Code.UNKNOWN_SYMBOL else 400
        return _error(error.code, error.message, status)
    if isinstance(error, UnknownSession):
        return _error(HttpCode.UNKNOWN_SESSION, str(error), 404)
    if isinstance(error, web.HTTPNotFound):
        near = error.near if isinstance(error, NoSuchPath) else []
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return _error(HttpCode.NOT_FOUND, f"no such path: {request.path!r}{hint}", 404)
    allowed = ", ".join(sorted(error.allowed_methods))
    message = f"{request.path} allows {allowed}, not {error.method}"
    response = _error(HttpCode.METHOD_NOT_ALLOWED, message, 405)
    response.headers["Allow"] = allowed
    return response


def error_code(
    error: RequestError | UnknownSession | web.HTTPNotFound | web.HTTPMethodNotAllowed,
) -> str:
    """Give the code of the answer to what a handler raised."""
    if isinstance(error, RequestError):
        return error.code
    if isinstance(error, UnknownSession):
        return HttpCode.UNKNOWN_SESSION
    missing = isinstance(error, web.HTTPNotFound)
    return HttpCode.NOT_FOUND if missing else HttpCode.METHOD_NOT_ALLOWED


def refusal_answer(refusal: Refusal) -> web.Response:
    """Answer a request that is not let in."""
    response = _error(refusal.code, refusal.message, refusal.status)
    if refusal.status == 401:
        wrong = ', error="invalid_token"' if refusal.code is HttpCode.INVALID_TOKEN else ""
        response.headers["WWW-Authenticate"] = f'Bearer realm="tickerplant"{wrong}'
    if refusal.retry_after_s is not None:
        response.headers["Retry-After"] = str(refusal.retry_after_s)
    if refusal.code in (HttpCode.TOO_MANY_CONNECTIONS, HttpCode.TOO_MANY_FROM_ADDRESS):
        response.force_close()
    return response


def _error(code: str, message: str, status: int) -> web.Response:
    return json_answer({"type": "error", "code": code, "message": message}, status)
