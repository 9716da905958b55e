"""`tickerplant watch`: a live table of prices in the terminal, or plain lines in a pipe."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live

from clients.client import DEFAULT_URL, TickerClient
from clients.core.connection import trust
from clients.events import Connected, Disconnected, Event, Gap, Instrument, Trade
from clients.terminal.board import decimals
from clients.terminal.book import Books
from clients.terminal.running import race, run_until_signal
from clients.terminal.table import Table

__all__ = ["run_watch", "watch"]


def run_watch(
    url: str = DEFAULT_URL,
    *,
    symbols: Sequence[str] = (),
    channels: Sequence[str] = ("trades", "quotes", "status"),
    book: bool = False,
    count: int | None = None,
    token: str | None = None,
    cafile: str | None = None,
    verify: bool = True,
) -> int:
    """Show live prices until Ctrl-C, or until *count* trades were seen; return the exit code.

    On a terminal it is a table of *symbols*, patterns too; without any, of as many as fit. Else it
    is a line for each trade: time (UTC), symbol, price, size. With *book*, it is the order book of each
    symbol; else than on a terminal, as it is at once. 1 if the server can't be reached or refuses. *cafile* has the certificates to trust, *verify* is whether one must be valid.
    """

    async def main(stop: asyncio.Event) -> int:
        return await watch(
            url,
            symbols=symbols,
            channels=channels,
            book=book,
            count=count,
            token=token,
            cafile=cafile,
            verify=verify,
            stop=stop,
        )

    return run_until_signal(main)


async def watch(
    url: str,
    *,
    symbols: Sequence[str],
    channels: Sequence[str],
    stop: asyncio.Event,
    book: bool = False,
    count: int | None = None,
    token: str | None = None,
    cafile: str | None = None,
    verify: bool = True,
    console: Console | None = None,
) -> int:
    """As `run_watch`, until *stop* is set; raises the errors of the client."""
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
            elif note := _note(event):
                print(note, file=sys.stderr)
        if lines:
            print("\n".join(lines), flush=True)


def _line(trade: Trade, places: int) -> str:
    when = datetime.fromtimestamp(trade.time / 1000, UTC).isoformat(timespec="milliseconds")
    return f"{when.removesuffix('+00:00')}Z {trade.symbol} {trade.price:.{places}f} {trade.size}"


def _note(event: Event) -> str | None:
    match event:
        case Disconnected():
            return f"disconnected: {event.reason}; trying again in {event.retry_in:.1f} s"
        case Connected(reconnects=reconnects) if reconnects:
            return "connected again"
        case Gap():
            return (
                f"gap: {event.missing} {event.channel} of {event.symbol} missing ({event.reason})"
            )
    return None
