"""The OpenAPI document of the control API, made from the table of operations. No I/O."""

from typing import Any

from feeds.control.operations import OPERATIONS, Operation
from feeds.control.results import CLIENTS, ENTRY
from feeds.control.schema import Schema
from ticker import __version__

__all__ = ["SESSION", "openapi"]

SESSION: Schema = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9_.\-]{1,64}$",
    "description": "a key of 1 to 64 letters, digits or any of _ . -",
}
_SESSION_ABOUT = (
    "The session: a market, a clock, clients and a journal of its own, which clients reach with the same parameter."
    " Begun when it is first named in a POST or PUT. Without it, the one that is always there."
)
_MEANING = {
    200: "Done.",
    400: "The request isn't as it should be.",
    404: "There is no such session, symbol or client.",
    408: "What was waited for didn't come, or the body of the request.",
    409: "It can't be done as things are; or what was asserted isn't so.",
    413: "The body is too big.",
    415: "The body is compressed, or encoded in another way.",
}
_ERROR: Schema = {
    "type": "object",
    "properties": {
        "type": {"const": "error"},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "journal": {"type": "array", "items": ENTRY},
        "clients": CLIENTS,
    },
    "required": ["type", "code", "message"],
}


def openapi(url: str, *, secured: bool) -> dict[str, Any]:
    """
    Give the document, as of OpenAPI 3.1.

    Args:
        url: the server's address, as it was addressed.
        secured: whether a token is wanted.
    """
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _told(operation)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "tickerplant control",
            "version": __version__,
            "summary": "Drives a market, its time and its faults from a test.",
        },
        "servers": [{"url": url}],
        "paths": paths,
        "components": {"schemas": {"Error": _ERROR}},
    }
    if secured:
        document["security"] = [{"token": []}]
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return document


def _told(operation: Operation) -> dict[str, Any]:
    session = {"name": "session", "in": "query", "required": False, "schema": SESSION}
    parameters = [session | {"description": _SESSION_ABOUT}]
    parameters += [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in operation.query.items()
    ]
    told: dict[str, Any] = {
        "operationId": f"{operation.method.lower()}_{operation.name}",
        "summary": operation.summary,
        "parameters": parameters,
        "responses": _responses(operation),
    }
    if operation.body is not None:
        required = bool(operation.body.get("required", "oneOf" in operation.body))
        content = {"application/json": {"schema": operation.body}}
        told["requestBody"] = {"required": required, "content": content}
    return told


def _responses(operation: Operation) -> dict[str, Any]:
    unread = {408, 413, 415}  # a body may come where none is taken, too
    known = {200, 400, 409, *unread, *operation.errors}
    statuses = sorted(known | (set() if operation.opens else {404}))
    error: Schema = {"$ref": "#/components/schemas/Error"}
    return {
        str(status): {
            "description": _MEANING[status],
            "content": {
                "application/json": {"schema": operation.result if status == 200 else error}
            },
        }
        for status in statuses
    }
