"""
The rows of the table: one server each.

A row is a command that starts a server on a port of its own choice and prints, when it
listens, one line of JSON with the `port` on stdout. The harness connects the scenario's
clients, subscribes them, counts what they get, and kills the server. To add one, add a `Row`
to `_ALL`; in its command these words stand for what the run has:

    {python}        the interpreter                 {clients}  how many clients to wait for
    {scenario}      all-100, all-10, ...            {symbols}  how many symbols there are
    {load}          the scenario as JSON: `clients`, and `turn`: a list of `symbol`, `text`
    {turns}         what floor.c reads              {peers}, {out}, {node_modules}   folders
"""

from collections.abc import Callable
from dataclasses import dataclass

from bench.clients import NATIVE, SOCKET_IO, Dialect, api_symbols

__all__ = ["FLOOR", "REFERENCE", "ROWS", "Row"]

FLOOR = "floor"
"""The row that the others are shown as a fraction of."""

REFERENCE = "node-ws"
"""The row that the others are shown as a multiple of."""


@dataclass(frozen=True, slots=True)
class Row:
    """One server to measure."""

    key: str
    """What --only and the JSON call it."""

    title: str

    command: tuple[str, ...]

    dialect: Dialect = NATIVE
    """How its clients subscribe, and how its messages hold events."""

    names: Callable[[int], list[str]] | None = None
    """Given the port, asks the server for its symbols; None: they are those of the load."""

    needs: str | None = None
    """What it can't do without: "cc" or "node"."""


def _python(module: str, *options: str) -> tuple[str, ...]:
    return ("{python}", "-m", f"bench.peers.{module}", "--load", "{load}", *options)


def _node(module: str) -> tuple[str, ...]:
    script = f"{{peers}}/{module}.mjs"
    return ("node", script, "--load", "{load}", "--modules", "{node_modules}")


_OURS = ("{python}", "-m", "bench.ours", "--load", "{load}", "--loop")
_SERVE = (
    *("{python}", "-m", "feeds", "serve", "--port", "0", "--ready-json", "--clock", "max"),
    *("--symbols", "{symbols}", "--turn-events", "{symbols}", "--heartbeat-s", "3600"),
    *("--max-symbols", "100000", "--max-connections", "100000", "--max-per-address", "100000"),
)
_UVLOOP = ("--loop", "uvloop")

_ALL = (
    Row(FLOOR, "floor: C, send(2)", ("{out}/floor", "{turns}", "{clients}"), needs="cc"),
    Row("ours", "tickerplant, asyncio", (*_OURS, "asyncio")),
    Row("ours-uvloop", "tickerplant, uvloop", (*_OURS, "uvloop")),
    Row("ours-market", "tickerplant serve --clock max", _SERVE, names=api_symbols),
    Row("aiohttp", "aiohttp, await send_str", _python("aiohttp_send")),
    Row("aiohttp-uvloop", "aiohttp, await send_str, uvloop", _python("aiohttp_send", *_UVLOOP)),
    Row("websockets", "websockets.broadcast", _python("websockets_broadcast")),
    Row(
        "websockets-uvloop",
        "websockets.broadcast, uvloop",
        _python("websockets_broadcast", *_UVLOOP),
    ),
    Row("picows", "picows, transport.send", _python("picows_send")),
    Row("picows-uvloop", "picows, transport.send, uvloop", _python("picows_send", *_UVLOOP)),
    Row("uws", "uWebSockets (socketify), publish", _python("socketify_publish")),
    Row(REFERENCE, "Node ws, clients.forEach(send)", _node("node_ws"), needs="node"),
    Row("socket.io", "Socket.IO, emit", _node("socketio_emit"), SOCKET_IO, needs="node"),
)
ROWS = {row.key: row for row in _ALL}
