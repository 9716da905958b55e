"""The table of prices on a terminal, and what keeps it true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console, RenderableType
from rich.live import Live

from clients.client import TickerClient
from clients.events import Event, Instrument, Trade
from clients.failures import ConnectionLostError
from clients.terminal.board import Board
from clients.terminal.view import capacity, render

__all__ = ["Table"]

REFRESH_S = 0.1
UPKEEP_S = 1.0


@dataclass(slots=True)
class Table:
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
            self.take(events)
            left -= sum(isinstance(event, Trade) for event in events)

    def take(self, events: Sequence[Event]) -> None:
        """Bring some events to the board."""
        self.board.apply(events, time.monotonic(), time.time() * 1000)

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
                await self.mend()
                for state in await self.client.snapshot(*symbols):
                    self.board.snapshot(state)
            except (ConnectionLostError, TimeoutError):
                self.board.incomplete.update(symbols)  # the connection will be back

    async def mend(self) -> None:
        """Subscribe to what isn't there yet, and could be."""
        await self._fill()

    def summary(self) -> str:
        """One line for the terminal when the table has gone."""
        board = self.board
        return (
            f"{board.events:,} events of {len(board.rows):,} symbols, {board.missing:,} missing, "
            f"{board.merged:,} merged, {board.reconnects} reconnects"
        )
