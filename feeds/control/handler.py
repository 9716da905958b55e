"""Answers the control API over HTTP."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from aiohttp import hdrs, web

from feeds.control.commands import Console
from feeds.control.document import SESSION, openapi
from feeds.control.errors import UNKNOWN, ControlCode
from feeds.control.operations import OPERATIONS, Operation
from feeds.control.schema import check
from feeds.dialects.fields import read_json
from feeds.directing.director import Director
from feeds.errors import Code, CommandError, ConfigError, HttpCode, RequestError, WaitTimeout
from feeds.http.answers import error_json, json_answer
from feeds.http.guarded import Guarded
from feeds.plants import Plants

__all__ = ["DOCUMENT_PATH", "Control"]

DOCUMENT_PATH = "/control/openapi.json"
_COMMON = ("session", "token")
_TAIL = 20


class Control:
    """
    The control API of one server.

    Args:
        plants: its sessions.
        director: gives what drives one.
        secured: whether a token is wanted.
        body_s: for how long the body of a request is waited for, in seconds.
    """

    def __init__(
        self,
        plants: Plants,
        director: Callable[[str], Director],
        *,
        secured: bool,
        body_s: float,
    ) -> None:
        self._plants, self._director, self._secured = plants, director, secured
        self._body_s = body_s

    def add_routes(self, routes: Guarded) -> None:
        """Add the paths to an application's."""
        for operation in OPERATIONS:
            routes.add(operation.path, self._handler(operation), operation.method)
        routes.add(DOCUMENT_PATH, self._document)

    async def _document(self, request: web.Request) -> web.Response:
        url = f"{request.scheme}://{request.host}"
        return json_answer(openapi(url, secured=self._secured))

    def _handler(self, operation: Operation) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            console = None
            try:
                args = await _arguments(operation, request, self._body_s)
                console = self._console(operation, request)
                return json_answer(await operation.run(console, args))
            except _UnreadBodyError as error:
                return error.answer()
            except RequestError as error:
                return error_json(400, error.code, error.message)
            except WaitTimeout as error:
                message = str(error).partition("\n")[0]
                return error_json(408, ControlCode.TIMEOUT, message, **_tail(console))
            except AssertionError as error:
                message = str(error).partition("\nclients:\n")[0]
                return error_json(409, ControlCode.ASSERTION_FAILED, message, **_tail(console))
            except (CommandError, ConfigError) as error:
                unknown = UNKNOWN.get(type(error))
                return error_json(
                    404 if unknown else 409, unknown or ControlCode.CONFLICT, str(error)
                )

        return handle

    def _console(self, operation: Operation, request: web.Request) -> Console:
        given = request.query.getall("session", [])
        if len(given) > 1:
            raise RequestError(Code.INVALID_VALUE, "the parameter 'session' is given twice")
        session = check(given[0], SESSION, "'session'") if given else ""
        if operation.opens and session not in self._plants.sessions:
            self._plants.open(session)
        return Console(self._director(session), self._plants)


async def _arguments(operation: Operation, request: web.Request, body_s: float) -> dict[str, Any]:
    """Take the fields of a request, checked."""
    args: dict[str, Any] = {}
    for name, text in request.query.items():
        if name in _COMMON:
            continue
        if name not in operation.query:
            known = ", ".join([*_COMMON, *operation.query])
            raise RequestError(
                Code.UNKNOWN_FIELD,
                f"{operation.path} has no parameter {name[:80]!r}; its parameters are {known}",
            )
        if name in args:
            raise RequestError(Code.INVALID_VALUE, f"the parameter {name!r} is given twice")
        schema = operation.query[name]
        args[name] = check(_number(text, schema), schema, repr(name))
    raw = await _body(request, body_s)
    if operation.body is None:
        if raw:
            raise RequestError(Code.INVALID_REQUEST, f"{operation.path} takes no body")
        return args
    try:
        body = read_json(raw) if raw else {}
    except orjson.JSONDecodeError as error:
        raise RequestError(Code.INVALID_JSON, f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise RequestError(Code.INVALID_REQUEST, f"the body must be an object, not {raw[:80]!r}")
    return {**args, **check(body, operation.body)}


class _UnreadBodyError(Exception):
    """
    The body of a request isn't read, or not to its end, so nothing else can be read on its connection.

    Args:
        status: the status of HTTP.
        code: the error's code.
        message: names the value and what is allowed.
        headers: go with the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}

    def answer(self) -> web.Response:
        response = error_json(self.status, self.code, self.message)
        response.headers.update(self.headers)
        response.force_close()
        return response


async def _body(request: web.Request, seconds: float) -> bytes:
    coding, most = request.headers.get(hdrs.CONTENT_ENCODING, "identity"), request.client_max_size
    if coding.lower() != "identity":
        text = f"a body with Content-Encoding {coding[:80]!r}; none is understood here"
        only = {"Accept-Encoding": "identity"}
        raise _UnreadBodyError(415, ControlCode.UNSUPPORTED_ENCODING, text, only)
    try:
        if (request.content_length or 0) > most:
            raise web.HTTPRequestEntityTooLarge(most, request.content_length or 0)
        async with asyncio.timeout(seconds):
            return await request.read()
    except TimeoutError:
        text = f"no whole body within {seconds:g} s"
        raise _UnreadBodyError(408, HttpCode.REQUEST_TIMEOUT, text) from None
    except web.HTTPRequestEntityTooLarge:
        text = f"a body of more than {most} bytes; no more are allowed"
        raise _UnreadBodyError(413, Code.MESSAGE_TOO_BIG, text) from None


def _number(text: str, schema: dict[str, Any]) -> Any:
    """Read a parameter that is to be a whole number."""
    whole = schema.get("type") == "integer" and text.isascii() and text.isdecimal()
    return int(text) if whole and len(text) < 19 else text


def _tail(console: Console | None) -> dict[str, Any]:
    """Give what happened last, for messages."""
    assert console is not None
    director = console.director
    entries = director.journal.entries()[-_TAIL:]
    return {
        "journal": [entry.as_json() for entry in entries],
        "clients": [client.as_json() for client in director.clients[-_TAIL:]],
    }
