"""The director: drives one session's market and time, for tests. What it does is written when its methods return."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Unpack

from feeds import driving
from feeds.clock import ManualClock
from feeds.errors import CommandError
from feeds.expect import Expectations
from feeds.faults.commands import FaultCommands, commanding
from feeds.naming import symbol_id
from feeds.options import MarketOptions, as_changes
from feeds.plant import Plant
from feeds.plants import Plants
from feeds.scripted import Item, Scripts, timed
from feeds.times import (
    Duration,
    Moment,
    as_datetime,
    duration_us,
    in_new_york,
    moment_us,
    seconds_of,
)
from ticker.scenarios import scenario_named

__all__ = ["Director"]


class Director(Expectations):
    """
    Drives one session, in the event loop of its server.

    Under a manual clock, time stands between commands. What is commanded happens at the market's time; each such event
    takes a microsecond, and :meth:`advance` counts that in, so that round times stay round. Under a clock that
    moves by itself, it happens at once, and :meth:`advance` and :meth:`run_until` wait.

    Args:
        plants: the server's plants.
        session: the key of the session.

    Raises:
        CommandError: from every method: something can't be done; the message names the value and what is allowed.
    """

    def __init__(self, plants: Plants, session: str = "") -> None:
        super().__init__(plants, session)
        # A round time, and the one at which the market is since, a microsecond later for each command.
        self._round: tuple[Plant, int, int] | None = None

    @property
    def now(self) -> datetime:
        """The market's time, in UTC."""
        return as_datetime(self.plant.market.now_us)

    @property
    def fault(self) -> FaultCommands:
        """The faults, as methods: ``director.fault.stall(client=c)``. What is done at once is done on return."""
        return commanding(self.plant.faults, self.at_us)

    def at_us(self, when: Moment) -> int:
        """Give a moment as Unix time in microseconds; without a date, it is of the market's day in New York."""
        return moment_us(when, self.plant.market.now_us)

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
            exchange: the letter of where it is made, one of :data:`ticker.exchanges.EXCHANGES`.
            conditions: codes of :data:`ticker.conditions.CONDITIONS`, such as ``["I"]``, which doesn't move the last price.
            raw: send the values as they are; the books, and so snapshots and bars, have the nearest that is allowed.
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
        """Change a symbol's status, to one of :data:`ticker.status.STATUSES`; the walk obeys."""
        await self._now({"type": "status", "symbol": symbol, "status": status, "reason": reason})

    async def play(self, events: Iterable[Mapping[str, Any]], *, wait: bool = True) -> int:
        """
        Let events happen, each written as on the wire, with ``at`` or ``time`` (see :meth:`feeds.scripted.Scripts.item`).

        Args:
            events: what happens; all of it is checked before anything does.
            wait: return when it has happened: a manual clock is moved to just after the last of it. Else they come
                when it is their time.

        Returns:
            How many they were.
        """
        items = Scripts(self.plant.market.universe).items(events)
        self._note("play", events=len(items), wait=wait)
        await self._play(items, wait=wait)
        return len(items)

    async def load(self, path: str | Path, *, rebase: bool = False, wait: bool = True) -> int:
        """
        Play a tape: a file with one event a line, as :meth:`play` takes them and as ``tickerplant record`` writes them.

        Lines of a record that the market makes itself are passed over: hello, snapshot, bar and gap.

        Args:
            path: the file.
            rebase: let the first event's ``time`` be now, and all others as much later as they are than that.
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

    async def advance(self, by: Duration) -> None:
        """Move the market's time on; returns when everything up to then is written."""
        us = duration_us(by)
        self._note("advance", by=str(by))
        plant = self.plant
        async with plant.directing:
            await driving.reach(plant, self._time() + us)

    async def run_until(self, when: Moment) -> None:
        """Move the market's time to a moment, of its day in New York if it is written ``"09:45"``."""
        now_us = self.plant.market.now_us
        target = self.at_us(when)
        if target < now_us:
            raise CommandError(f"{when!r} has passed: the market is at {in_new_york(now_us)}")
        self._note("run_until", when=str(when))
        plant = self.plant
        async with plant.directing:
            await driving.reach(plant, target)

    async def step(self, n: int = 1) -> int:
        """
        Let the market's next n events happen, and move a manual clock to just after them.

        Returns:
            How many there were: more than n, where several belong to one microsecond.
        """
        if n < 1:
            raise CommandError(f"n {n!r}: at least one event")
        plant, clock = self.plant, self.plant.clock
        if clock.speed:
            raise CommandError(f"step needs the clock 'manual' or 'max', not {clock.name!r}")
        self._note("step", n=n)
        async with plant.directing:
            return await driving.step(plant, n)

    async def reset(self, **changes: Unpack[MarketOptions]) -> None:
        """
        Begin anew: the same market from its start, no client, an empty journal.

        Args:
            changes: options in which this run differs, until the next reset.

        Raises:
            ConfigError: one of them isn't allowed.
        """
        self._plants.reset(self.session, as_changes(changes))
        self._round = None

    # How it is done.

    def _time(self) -> int:
        """Give the time from which :meth:`advance` counts, in microseconds."""
        plant = self.plant
        stands = isinstance(plant.clock, ManualClock)
        if stands and self._round is not None and self._round[::2] == (plant, plant.market.now_us):
            return self._round[1]
        return driving.earliest(plant)

    def _note(self, command: str, **arguments: Any) -> None:
        if (clientele := self.plant.clientele) is not None:
            clientele.journal.note("command", command=command, **arguments)

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
