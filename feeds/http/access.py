"""Decides which requests are answered: every HTTP request passes here first, upgrades to WebSocket included."""

from collections.abc import Callable

from aiohttp import hdrs, web

from feeds.admission.auth import Tokens, bearer
from feeds.admission.door import Door
from feeds.admission.limits import Limits, Refusal
from feeds.admission.origins import Origins
from feeds.counters.stats import ServerStats
from feeds.errors import HttpCode
from feeds.http.answers import SERVER, Answerable, error_answer, refusal_answer
from feeds.protocol.gate import Gate

__all__ = ["MAX_PARAMETERS", "MAX_QUERY_BYTES", "OPEN_PATHS", "WATCH_PATHS", "Access", "spend"]

OPEN_PATHS = ("/", "/health")
"""What is answered without a token, beside ``/static/`` and ``/ws``, which asks for one itself."""

WATCH_PATHS = ("/health", "/metrics")
"""What is answered on a connection that is one too many, once: who looks after a server must not take a full one for dead."""

_WEBSOCKET = "/ws"
_CONTROL = "/control/"
_SITE = "Sec-Fetch-Site"
_COSTLY = ("/sse", "/stream")
_API = "/api/"
MAX_QUERY_BYTES = 4 * 1024
"""Of the URL of an upgrade: it is kept for as long as the WebSocket is, and needs to hold a session and a token at most."""
MAX_PARAMETERS = 100
"""Of a URL. Ten thousand take milliseconds to read, and no path has more than a dozen."""
_MANY_PARAMETERS = Refusal(
    414,
    HttpCode.URI_TOO_LONG,
    f"more than {MAX_PARAMETERS} parameters in a URL; no more are allowed",
)
_LONG_QUERY = Refusal(
    414,
    HttpCode.URI_TOO_LONG,
    f"parameters of more than {MAX_QUERY_BYTES} bytes; no more are allowed for a WebSocket",
)
_OWN_SITES = ("none", "same-origin")
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Last-Event-ID, Cache-Control",
    "Access-Control-Max-Age": "600",
}


class Access:
    """
    The rules for one server: limits, then origins, then tokens.

    Args:
        tokens: those that are accepted; none: everybody may read.
        origins: the web pages that may read.
        own: the server's own pages and names, which alone may have what is under ``/control/``; None: there is nothing.
    """

    def __init__(self, tokens: Tokens, origins: Origins, own: Origins | None = None) -> None:
        self._tokens, self._origins, self._own = tokens, origins, own
        self.stats = ServerStats()
        """What the server refuses, here and elsewhere."""

    def tell(self, app: web.Application) -> None:
        """Let every answer of an application say to the browser who may read it."""
        app.on_response_prepare.append(self._tell)

    def gate(self, request: web.Request, limits: Limits, seconds: Callable[[], float]) -> Gate:
        """Give the gate of a connection that was let in and will last; a token in its request was therefore a right one."""
        door, budget = _door(request), None
        if door is not None:
            door.flowing, budget = True, door.budget
        known = _token(request) is not None
        return Gate(self._tokens, limits, seconds, authenticated=known, budget=budget)

    def refuse(self, request: web.Request) -> web.Response | None:
        """Give the answer to a request that no handler gets."""
        refusal = self._why_not(request)
        if refusal is None:
            return web.Response(status=204, headers=_PREFLIGHT) if _is_preflight(request) else None
        self.stats.errors[refusal.code] += 1
        return refusal_answer(refusal)

    def failed(self, request: web.Request, error: Answerable) -> web.Response:
        """Give the answer to what a handler raised."""
        code, answer = error_answer(request, error)
        self.stats.errors[code] += 1
        return answer

    def _why_not(self, request: web.Request) -> Refusal | None:
        door, headers = _door(request), request.headers
        control = self._own is not None and request.path.startswith(_CONTROL)
        watched = request.path in WATCH_PATHS
        refusal = None if door is None else door.arrived(counted=not control, shared=not watched)
        if door is not None and refusal is door.refusal and watched:
            refusal = None
        if refusal is None:
            refusal = _too_long(request)
        if refusal is None:
            # Whatever pages may read, none from elsewhere may drive: not even one that only sends, and can't see the answer.
            origins = self._own if self._own is not None and control else self._origins
            refusal = origins.refuse(_origin(request), headers.get(hdrs.HOST))
        if refusal is None and control and headers.get(_SITE, "none") not in _OWN_SITES:
            text = "pages from elsewhere may not drive this server"
            refusal = Refusal(403, HttpCode.FORBIDDEN_ORIGIN, text)
        if refusal is None and _is_preflight(request):
            return None  # comes without a token, always
        if refusal is None:
            refusal = self._unauthorized(request)
        costly = request.path in _COSTLY or request.path.startswith(_API)
        if refusal is None and door is not None and costly:
            refusal = _owed(door)
        return refusal

    def _unauthorized(self, request: web.Request) -> Refusal | None:
        path = request.path
        if not self._tokens or path in OPEN_PATHS or path.startswith("/static/"):
            return None
        token = _token(request)
        if token is None:
            if path == _WEBSOCKET:
                return None  # the first message may bring it
            text = "this server wants a token: a header Authorization: Bearer, or a parameter token"
            return Refusal(401, HttpCode.UNAUTHORIZED, text)
        if self._tokens.accept(token):
            return None
        return Refusal(401, HttpCode.INVALID_TOKEN, "the token is wrong")

    async def _tell(self, request: web.Request, response: web.StreamResponse) -> None:
        """Tell the browser which pages may read an answer, and a client over a limit that it is the last one."""
        response.headers["Server"] = SERVER
        if response.status == 101:
            return
        door = _door(request)
        if door is not None and door.over:
            response.force_close()
            response.headers[hdrs.CONNECTION] = "close"  # aiohttp has written its own already
        headers = response.headers
        headers["X-Content-Type-Options"] = "nosniff"
        origin = _origin(request)
        if origin is not None and self._origins.allows(origin):
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = "Retry-After"
            if (
                _is_preflight(request)
                and "Access-Control-Request-Private-Network" in request.headers
            ):
                headers["Access-Control-Allow-Private-Network"] = "true"
        if self._origins.others:
            headers.add("Vary", "Origin")
        else:
            headers["Cross-Origin-Resource-Policy"] = "same-origin"


def _door(request: web.Request) -> Door | None:
    transport = request.transport
    protocol = None if transport is None else transport.get_protocol()
    return protocol if isinstance(protocol, Door) else None


def _origin(request: web.Request) -> str | None:
    """Give the origin of the page that asks; where there are several, all of them, which is one that nobody knows."""
    return ", ".join(request.headers.getall(hdrs.ORIGIN, ())) or None


def _too_long(request: web.Request) -> Refusal | None:
    query = request.rel_url.raw_query_string
    if query.count("&") >= MAX_PARAMETERS:
        return _MANY_PARAMETERS
    return _LONG_QUERY if len(query) > MAX_QUERY_BYTES and request.path == _WEBSOCKET else None


def _owed(door: Door) -> Refusal | None:
    owed = door.budget.owed()
    return None if owed is None else Refusal.rated(*owed)


def spend(request: web.Request, symbols: float) -> None:
    """Pay for an answer, by the number of symbols in it."""
    if (door := _door(request)) is not None:
        door.budget.spend(symbols)


def _is_preflight(request: web.Request) -> bool:
    return request.method == hdrs.METH_OPTIONS and (
        hdrs.ORIGIN in request.headers and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
    )


def _token(request: web.Request) -> str | None:
    # A parsed query stays for as long as the connection does, and most have none.
    given = request.query.get("token") if request.rel_url.raw_query_string else None
    return bearer(request.headers.get(hdrs.AUTHORIZATION), given)
