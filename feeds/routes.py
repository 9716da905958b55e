"""What a server answers at which path: each request goes to the plant of its session."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from aiohttp import web

from feeds.connections.streams import PATHS
from feeds.connections.upgrade import agree
from feeds.connections.websocket import WebSockets
from feeds.control.handler import Control
from feeds.errors import Code, RequestError
from feeds.http.access import Access
from feeds.http.answers import AnswerableError
from feeds.http.guarded import Guarded, Handler, expecting
from feeds.plant import Plant
from feeds.plants import Plants

__all__ = ["application", "plant_of"]

_PAGE_POLICY = (
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self'; base-uri 'none';"
    " frame-ancestors 'self'; form-action 'none'"
)

# no-cache: asked for anew each time, so that modules of two versions never meet; the ETag makes that cheap.
_PAGE_HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}


def application(
    plants: Plants, access: Access, web_root: Path | None, control: Control | None = None
) -> web.Application:
    """
    Build the routes of ``PROTOCOL.md``.

    Args:
        plants: what is served.
        access: who is answered.
        web_root: the folder of the page; None: no page.
        control: what tests may command; None: nothing.
    """
    app = web.Application()
    app.on_response_prepare.append(agree)
    routes = Guarded(app, access)

    def add(path: str, handler: Callable[[Plant], Handler]) -> None:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await handler(plant_of(plants, request))(request)

        routes.add(path, handle)

    websockets = partial(WebSockets.handle, partial(_admitted, plants, access))
    app.router.add_get("/ws", websockets, expect_handler=expecting)
    for path in PATHS:
        add(path, lambda plant: plant.streams.handle)
    add("/health", lambda plant: plant.api.health)
    add("/metrics", _metrics)
    add("/api/symbols", lambda plant: plant.api.symbols)
    add("/api/snapshot", lambda plant: plant.api.snapshot)
    add("/api/depth", lambda plant: plant.api.depth)
    add("/api/bars", lambda plant: plant.api.bars)
    add("/api/history", lambda plant: plant.api.history)
    if web_root is not None:
        page = _Page(web_root)
        routes.add("/", page.index)
        routes.add(r"/static/{name:[A-Za-z0-9_-]{1,64}\.(?:js|css)}", page.asset)
    if control is not None:
        control.add_routes(routes)
    routes.end()
    return app


def _admitted(plants: Plants, access: Access, request: web.Request) -> WebSockets | web.Response:
    """Give the connections that a request for a WebSocket is one of, or the answer that it gets instead."""
    refused = access.refuse(request)
    if refused is not None:
        return refused
    try:
        return plant_of(plants, request).websockets
    except AnswerableError as error:
        return access.failed(request, error)


def plant_of(plants: Plants, request: web.Request) -> Plant:
    """
    Give the plant of a request's session: its parameter ``session``; without one, the one that is always there.

    Raises:
        RequestError: the parameter is given twice.
        UnknownSession: there is no such session.
    """
    if not request.rel_url.raw_query_string:
        return plants.default  # without a query to keep
    given = request.query.getall("session", [""])
    if len(given) > 1:
        raise RequestError(Code.INVALID_VALUE, "the parameter 'session' is given twice")
    return plants[given[0]]


def _metrics(plant: Plant) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        body, content_type = plant.metrics.render(request.headers.get("Accept", ""))
        return web.Response(
            body=body, headers={"Content-Type": content_type, "Cache-Control": "no-store"}
        )

    return answer


class _Page:
    """The page and what it loads."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def index(self, _: web.Request) -> web.FileResponse:
        headers = {"Content-Security-Policy": _PAGE_POLICY, **_PAGE_HEADERS}
        return web.FileResponse(self._root / "index.html", headers=headers)

    async def asset(self, request: web.Request) -> web.FileResponse:
        path = self._root / request.match_info["name"]
        if not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers=_PAGE_HEADERS)
