"""`tickerplant watch`: a live table of prices in the terminal, or plain lines in a pipe."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.live import Live

from clients.client import DEFAULT_URL, TickerClient
from clients.core.connection import trust
from clients.events import Instrument, Trade
from clients.terminal.board import decimals
from clients.terminal.book import Books
from clients.terminal.running import note_of, race, run_until_signal
from clients.terminal.table import Table

__all__ = ["run_watch", "watch"]


def run_watch(url: str = DEFAULT_URL, **options: Any) -> int:
    """Show live prices until Ctrl-C; *options* are those of `watch`, and it returns the exit code.

    1 if the server can't be reached or refuses.
    """
    return run_until_signal(lambda stop: watch(url, stop=stop, **options))


async def watch(
    url: str,
    *,
    stop: asyncio.Event,
    symbols: Sequence[str] = (),
    channels: Sequence[str] = ("trades", "quotes", "status"),
    book: bool = False,
    count: int | None = None,
    token: str | None = None,
    cafile: str | None = None,
    verify: bool = True,
    console: Console | None = None,
) -> int:
    """Show live prices until *stop* is set, or until *count* trades were seen; raises the client's errors.

    On a terminal it is a table of *symbols*, patterns too; without any, of as many as fit. Else it
    is a line for each trade: time (UTC), symbol, price, size. With *book*, it is the order book of
    each symbol; else than on a terminal, as it is at once. *cafile* has the certificates to trust,
    *verify* is whether one must be valid.
    """
    console = console or Console()
    async with TickerClient(url, token=token, ssl=trust(cafile, verify=verify)) as client:
        instruments = await client.symbols()
        kind = Books if book else Table
        table = kind(client, console, instruments, channels, count)
        if console.is_terminal:
            await table.subscribe(symbols)
            with Live(console=console, screen=True, auto_refresh=False) as live:
                await race(stop, table.read(), table.draw(live), table.keep_up())
            console.print(table.picture(ended=True))  # the screen that it was on has gone
            console.print(table.summary())
            return 0
        if isinstance(table, Books):
            await table.subscribe(symbols)
            await race(stop, table.read_once())
            console.print(table.picture(ended=True))
            return 0
        await client.subscribe(*(symbols or ["*"]), channels=["trades"], snapshot=False)
        await race(stop, _lines(client, instruments, count))
    return 0


async def _lines(
    client: TickerClient, instruments: Iterable[Instrument], count: int | None
) -> None:
    """Print a line for each trade, and what happens to the connection to stderr."""
    places = {entry.symbol: decimals(entry.tick_size) for entry in instruments}
    left = float("inf") if count is None else count
    while left > 0 and (events := await client.batch()):
        lines = []
        for event in events:
            if isinstance(event, Trade) and left > 0:
                lines.append(_line(event, places.get(event.symbol, 2)))
                left -= 1
            elif note := note_of(event):
                print(note, file=sys.stderr)
        if lines:
            print("\n".join(lines), flush=True)


def _line(trade: Trade, places: int) -> str:
    when = datetime.fromtimestamp(trade.time / 1000, UTC).isoformat(timespec="milliseconds")
    return f"{when.removesuffix('+00:00')}Z {trade.symbol} {trade.price:.{places}f} {trade.size}"
