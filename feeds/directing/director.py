"""The director: drives one session's market and time, for tests. When a method returns, its effects are written to clients."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from feeds.directing import driving
from feeds.directing.timekeeper import Timekeeper
from feeds.errors import CommandError
from feeds.faults.commands import FaultCommands, commanding
from feeds.notation.naming import symbol_id
from feeds.notation.options import MarketOptions, as_changes
from feeds.notation.scripted import Item, Scripts, timed
from feeds.notation.times import Duration, seconds_of
from ticker.scenarios import scenario_named

__all__ = ["Director"]


class Director(Timekeeper):
    """
    Drives one session, in the event loop of its server.

    Args:
        plants: the server's plants.
        session: the key of the session.

    Raises:
        CommandError: from every method: something can't be done; the message names the value and what is allowed.
    """

    @property
    def fault(self) -> FaultCommands:
        """The faults, as methods: ``director.fault.stall(client=c)``. A fault that strikes at once has done so on return."""
        return commanding(self.plant.faults, self.at_us)

    async def trade(
        self,
        symbol: str,
        *,
        price: float,
        size: int = 100,
        exchange: str | None = None,
        conditions: Sequence[str] = (),
        raw: bool = False,
    ) -> None:
        """
        Let a trade happen.

        Args:
            symbol: the symbol.
            price: the price, on the symbol's grid.
            size: shares.
            exchange: the letter of where it is made, one of :data:`ticker.reference.exchanges.EXCHANGES`.
            conditions: codes of :data:`ticker.reference.conditions.CONDITIONS`, such as ``["I"]``, which doesn't move the last price.
            raw: send the values as they are; snapshots and bars have the nearest values that are allowed.
        """
        trade = {"type": "trade", "symbol": symbol, "price": price, "size": size}
        marks = {"exchange": exchange, "conditions": conditions}
        await self._now(trade | {k: v for k, v in marks.items() if v}, raw=raw)

    async def quote(
        self,
        symbol: str,
        *,
        bid: float,
        ask: float,
        bid_size: int = 100,
        ask_size: int = 100,
        raw: bool = False,
    ) -> None:
        """Let a quote happen; ``raw`` as in :meth:`trade`, and then ``bid`` may be above ``ask``."""
        quote = {"bid": bid, "ask": ask, "bid_size": bid_size, "ask_size": ask_size}
        await self._now({"type": "quote", "symbol": symbol} | quote, raw=raw)

    async def status(self, symbol: str, status: str, reason: str | None = None) -> None:
        """Change a symbol's status, to one of :data:`ticker.reference.status.STATUSES`; the walk obeys."""
        await self._now({"type": "status", "symbol": symbol, "status": status, "reason": reason})

    async def play(self, events: Iterable[Mapping[str, Any]], *, wait: bool = True) -> int:
        """
        Let events happen, each written as on the wire, with ``at`` or ``time`` (see :meth:`feeds.notation.scripted.Scripts.item`).

        Args:
            events: what happens; all of it is checked before anything does.
            wait: return once all of it has happened; a manual clock is moved to just after the last event. Otherwise
                events happen when their time comes.

        Returns:
            How many events there are.
        """
        items = Scripts(self.plant.market.universe).items(events)
        self._note("play", events=len(items), wait=wait)
        await self._play(items, wait=wait)
        return len(items)

    async def load(self, path: str | Path, *, rebase: bool = False, wait: bool = True) -> int:
        """
        Play a tape: a file with one event a line, as :meth:`play` takes them and as ``tickerplant record`` writes them.

        Lines that the market makes itself are skipped: hello, snapshot, bar and gap.

        Args:
            path: the file.
            rebase: move the first event's ``time`` to now, and all others by as much.
            wait: as in :meth:`play`.

        Returns:
            How many events were played.
        """
        scripts = Scripts(self.plant.market.universe)
        items = await asyncio.to_thread(scripts.tape, Path(path))
        self._note("load", path=str(path), events=len(items), rebase=rebase, wait=wait)
        await self._play(items, wait=wait, rebase=rebase)
        return len(items)

    async def scenario(
        self,
        name: str,
        *,
        symbol: str | None = None,
        size: float | None = None,
        duration: Duration | None = None,
        volatility: float | None = None,
        seed: int | None = None,
    ) -> None:
        """
        Begin a scenario now; it takes its course as the market's time moves on.

        Args:
            name: one of :data:`ticker.scenarios.SCENARIOS`.
            symbol: the symbol to which it happens; None: all of them, or the first, as the scenario says.
            size: how far the price goes, as a return; of ``microburst``, how many quotes there are.
            duration: how long it takes.
            volatility: the multiplier on the volatility.
            seed: of its noise; None: the market's.
        """
        length = None if duration is None else seconds_of(duration)
        market = driving.market_of(self.plant, f"scenario {name!r}")
        ids = None if symbol is None else [symbol_id(market.universe, symbol)]
        try:
            scenario = scenario_named(name, size=size, duration_s=length, volatility=volatility)
            self._note("scenario", name=name, symbol=symbol)
            async with self.plant.directing:
                market.play(scenario, symbols=ids, seed=seed)
        except ValueError as error:
            raise CommandError(str(error)) from error

    async def reset(self, **changes: Unpack[MarketOptions]) -> None:
        """
        Start over: the same market from its start, no client, an empty journal.

        Args:
            changes: options in which this run differs, until the next reset.

        Raises:
            ConfigError: one of them isn't allowed.
        """
        self._plants.reset(self.session, as_changes(changes))
        self._round = None

    # How it is done.

    async def _now(self, written: dict[str, Any], *, raw: bool = False) -> None:
        if raw:
            written["raw"] = True
        items = [Scripts(self.plant.market.universe).item(written)]
        self._note(written["type"], event=written)
        await self._play(items, wait=True)

    async def _play(self, items: Iterable[Item], *, wait: bool, rebase: bool = False) -> None:
        plant = self.plant
        market = driving.market_of(plant, "an event")
        async with plant.directing:
            await plant.pump.between_turns()
            base, now = self._time(), driving.earliest(plant)
            coming = timed(items, base, now, rebase=rebase)
            driving.schedule(plant, market, coming)
            if wait and coming:
                last = max(at for at, _ in coming)
                await driving.reach(plant, last + 1)
                self._round = plant, last if last > now else base, last + 1
