"""The table of the project's first page: a few rows of the fan-out and of the latency, from the same runs as the report."""

from collections.abc import Iterator
from typing import Any

from bench.aged import Aged
from bench.stats import Summary
from bench.table import rate_text

__all__ = ["FANOUT", "ROWS", "headline"]

Run = dict[str, Any]

ROWS = {
    "floor": ("a C loop of `send(2)`, the floor", None),
    "ours-uvloop": ("**tickerplant**, its hub", None),
    "ours-market": ("**tickerplant serve**, market and all", "ours"),
    "uws": ("uWebSockets (C++), `publish`", "uws"),
    "picows": ("picows, `send`", "picows-uvloop"),
    "aiohttp": ("aiohttp, `send_str`", "aiohttp-uvloop"),
    "node-ws": ("Node `ws`, `clients.forEach(send)`", "node-ws"),
    "websockets": ("`websockets.broadcast`", "websockets-uvloop"),
    "socket.io": ("Socket.IO, `emit`", "socket.io"),
}
"""By the row of the fan-out: what it is called, and its row of the latency."""
FANOUT = {
    "all-100": "100 clients on everything",
    "sub-20": "1,000 clients on 20 of 500 symbols",
}
"""The scenarios of the fan-out that are shown, and what they are called."""
_RATE = 1e6


def headline(fanout: Run, latency: Run) -> Iterator[str]:
    """Give the lines of the table: deliveries a second in two scenarios, and the p99 at a million of them."""
    headings = (
        "deliveries a second, one core",
        *FANOUT.values(),
        "the latter at 1 M a second: p99",
    )
    yield f"| {' | '.join(headings)} |"
    yield "|---|---:|---:|---:|"
    found = {
        name: {row["row"]: Summary(**row) for row in fanout["scenarios"][name]["rows"]}
        for name in FANOUT
    }
    for key, (title, old) in ROWS.items():
        rates = [rate_text(rows[key].rate) for rows in found.values()]
        aged = [_aged(cell) for cell in latency["medians"] if cell["row"] == old]
        yield f"| {' | '.join([title, *rates, _late(aged)])} |"


def _aged(cell: Run) -> Aged:
    return Aged(**{name: value for name, value in cell.items() if name != "doubts"})


def _late(cells: list[Aged]) -> str:
    """The p99 in milliseconds, or the most that it delivers where it can't keep up, then or at a lower rate already."""
    if any(cell.fell_behind for cell in cells if cell.rate <= _RATE):
        return f"at most {rate_text(max(cell.delivered for cell in cells))}"
    return next((f"{cell.p99:.0f} ms" for cell in cells if cell.rate == _RATE), "")
