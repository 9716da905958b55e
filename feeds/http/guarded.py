"""
Routes behind the rules of access, without a middleware.

aiohttp keeps three stack frames of a middleware for as long as a connection lasts: 0.9 KB of each WebSocket. So here the
handlers ask the rules, and paths without a route get a route that says so.
"""

from collections.abc import Awaitable, Callable
from difflib import get_close_matches

from aiohttp import hdrs, web

from feeds.http.access import Access
from feeds.http.answers import AnswerableError, NoSuchPath

__all__ = ["Guarded", "Handler", "expecting"]

_COMPARED, _NEAR = 40, 0.8
"""How much of a path is compared with those that there are, and how much of it has to be the same: a typo, no guess."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def expecting(request: web.Request) -> None:
    """
    Say that a body may come, to who waits for that (RFC 9110, section 10.1.1). Whatever else is expected is passed over.

    aiohttp would refuse that, past the rules of access. Where there is no body, an answer is all that there is to wait for.
    """
    if request.body_exists and request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the head of the answer is still to come


class Guarded:
    """
    The routes of one application.

    Args:
        app: the application.
        access: who is answered.
    """

    def __init__(self, app: web.Application, access: Access) -> None:
        self.app, self.access = app, access
        access.tell(app)

    def add(self, path: str, handler: Handler, method: str = "GET") -> None:
        """Add a path; with GET, HEAD comes with it."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            refused = self.access.refuse(request)
            if refused is not None:
                return refused
            try:
                return await handler(request)
            except AnswerableError as error:
                return self.access.failed(request, error)

        if method == "GET":
            self.app.router.add_get(path, guarded, expect_handler=expecting)
        else:
            self.app.router.add_route(method, path, guarded, expect_handler=expecting)

    def end(self) -> None:
        """Add what answers everything else: no such path, or not with this method. To be called last."""
        routes = list(self.app.router.resources())

        async def nothing(request: web.Request) -> web.StreamResponse:
            allowed: set[str] = set()
            for route in routes:
                allowed |= (await route.resolve(request))[1]
            if allowed:
                raise web.HTTPMethodNotAllowed(request.method, allowed)
            paths = [route.canonical for route in routes]
            raise NoSuchPath(get_close_matches(request.path[:_COMPARED], paths, 1, _NEAR))

        self.add(
            r"/{path:[\s\S]*}", nothing, "*"
        )  # a dot is no line break, which may be in a path, too
