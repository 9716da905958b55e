"""`tickerplant watch`: a live table of prices in the terminal, or plain lines in a pipe."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console, RenderableType
from rich.live import Live

from clients.client import DEFAULT_URL, TickerClient
from clients.connection import trust
from clients.events import Connected, Disconnected, Event, Gap, Instrument, Trade
from clients.failures import ConnectionLostError
from clients.running import race, run_until_signal
from clients.watch_board import Board, decimals
from clients.watch_view import capacity, render

__all__ = ["run_watch", "watch"]

REFRESH_S = 0.1
UPKEEP_S = 1.0


def run_watch(
    url: str = DEFAULT_URL,
    *,
    symbols: Sequence[str] = (),
    channels: Sequence[str] = ("trades", "quotes", "status"),
    count: int | None = None,
    token: str | None = None,
    cafile: str | None = None,
    verify: bool = True,
) -> int:
    """Show live prices until Ctrl-C, or until *count* trades were seen; return the exit code.

    On a terminal it is a table of *symbols*, patterns too; without any, of as many as fit. Else it
    is a line for each trade: time (UTC), symbol, price, size. 1 if the server can't be reached or
    refuses. *cafile* has the certificates to trust, *verify* is whether one must be valid.
    """

    async def main(stop: asyncio.Event) -> int:
        return await watch(
            url,
            symbols=symbols,
            channels=channels,
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
        if console.is_terminal:
            table = _Table(client, console, instruments, channels, count)
            await table.subscribe(symbols)
            with Live(console=console, screen=True, auto_refresh=False) as live:
                await race(stop, table.read(), table.draw(live), table.keep_up())
            console.print(table.picture(ended=True))  # the screen that it was on has gone
            console.print(table.summary())
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


@dataclass(slots=True)
class _Table:
    """The table on a terminal, and what keeps it true."""

    client: TickerClient
    console: Console
    instruments: list[Instrument]
    channels: Sequence[str]
    count: int | None
    board: Board = field(default_factory=Board)
    rest: list[Instrument] = field(default_factory=list)
    """What would be shown if the terminal were higher."""

    async def subscribe(self, symbols: Sequence[str]) -> None:
        """Subscribe to *symbols*, or to as many as fit."""
        if symbols:
            came_to = set(await self.client.subscribe(*symbols, channels=self.channels))
            self.instruments = [entry for entry in self.instruments if entry.symbol in came_to]
            self.board.add(self.instruments)
        else:
            self.rest = list(self.instruments)
            await self._fill()

    async def _fill(self) -> None:
        """Use the lines that are free for more symbols."""
        free = capacity(self.console.height) - len(self.board.rows)
        if more := self.rest[: max(0, free)]:
            self.board.add(more)
            names = [entry.symbol for entry in more]
            await self.client.subscribe(*names, channels=self.channels)
            del self.rest[: len(more)]

    async def read(self) -> None:
        """Bring every event to the board, until *count* trades have come."""
        left = float("inf") if self.count is None else self.count
        while left > 0 and (events := await self.client.batch()):
            self.board.apply(events, time.monotonic(), time.time() * 1000)
            left -= sum(isinstance(event, Trade) for event in events)

    async def draw(self, live: Live) -> None:
        """Show the board again and again; an eye doesn't see more than some pictures a second."""
        while True:
            self.board.tick(time.monotonic())
            live.update(self.picture(), refresh=True)
            await asyncio.sleep(REFRESH_S)

    def picture(self, *, ended: bool = False) -> RenderableType:
        """What the board looks like now."""
        width, height = self.console.size
        size = {"width": width, "height": height, "total": len(self.instruments)}
        return render(self.board, time.monotonic(), **size, ended=ended)

    async def keep_up(self) -> None:
        """Mend the volumes of symbols whose trades didn't all come, and fill a terminal that grew."""
        while True:
            await asyncio.sleep(UPKEEP_S)
            symbols = list(self.board.incomplete)
            self.board.incomplete.clear()
            try:
                await self._fill()
                for state in await self.client.snapshot(*symbols):
                    self.board.snapshot(state)
            except (ConnectionLostError, TimeoutError):
                self.board.incomplete.update(symbols)  # the connection will be back

    def summary(self) -> str:
        """One line for the terminal when the table has gone."""
        board = self.board
        return (
            f"{board.events:,} events of {len(board.rows):,} symbols, {board.missing:,} missing, "
            f"{board.merged:,} merged, {board.reconnects} reconnects"
        )
