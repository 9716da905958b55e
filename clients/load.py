"""`tickerplant load`: many clients at once, and what they get: throughput, latency, losses.

It can only measure a server that is slower than itself. So it parses next to nothing
(see `loadgen.tally`), reports how busy it was itself, and can be spread over several processes.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import orjson

from clients.client import DEFAULT_URL, TickerClient
from clients.core.connection import trust
from clients.loadgen.processes import fast_loop, spread, work
from clients.loadgen.report import Report, merge
from clients.loadgen.swarm import Figures, Plan
from clients.terminal.running import run_until_signal

__all__ = ["load", "run_load"]

PROGRESS_S = 1.0


def run_load(
    url: str = DEFAULT_URL,
    *,
    clients: int = 100,
    symbols_each: int | None = 20,
    channels: Sequence[str] = ("trades", "quotes"),
    interval: str | None = None,
    duration: float = 10.0,
    ramp: float = 1.0,
    processes: int = 1,
    seed: int = 1,
    json_output: bool = False,
    token: str | None = None,
    cafile: str | None = None,
    verify: bool = True,
    timed: bool = True,
) -> int:
    """Connect *clients* over *ramp* seconds, count for *duration* seconds, report on stdout.

    Each client subscribes to *symbols_each* symbols (None: to everything), which *seed* and its
    number decide. With *json_output* the report is one JSON object. Progress goes to stderr. Ctrl-C
    ends the measurement and reports what there is. Not *timed*, no latency is expected. Returns
    the exit code: 1 if the server can't be reached, or if not all clients could connect.
    """
    plan = Plan(
        url=url,
        clients=clients,
        universe=(),
        symbols_each=symbols_each,
        channels=tuple(channels),
        interval=interval,
        ramp=ramp,
        seed=seed,
        token=token,
        cafile=cafile,
        verify=verify,
        timed=timed,
    )

    async def main(stop: asyncio.Event) -> int:
        known = replace(plan, universe=await _universe(plan))
        if symbols_each is not None and symbols_each > len(known.universe):
            have = f"the server has {len(known.universe):,} symbols, not {symbols_each:,}"
            print(f"warning: {have}: each client gets all of them", file=sys.stderr)
        report = await load(known, duration, processes=processes, stop=stop)
        text = orjson.dumps(report.as_dict()).decode() if json_output else "\n".join(report.lines())
        print(text)
        return 0 if report.connected == clients else 1

    return run_until_signal(main, fast_loop())


async def _universe(plan: Plan) -> tuple[str, ...]:
    """Ask the server for its symbols, and see by that whether it is there."""
    secure = trust(plan.cafile, verify=plan.verify)
    async with TickerClient(plan.url, token=plan.token, ssl=secure, reconnect=False) as client:
        return tuple(entry.symbol for entry in await client.symbols())


async def load(plan: Plan, duration: float, *, processes: int, stop: asyncio.Event) -> Report:
    """Carry out *plan* in this process, or in as many as *processes*; a line a second to stderr."""
    figures = [(0, 0, 0, 0)] * processes
    telling = asyncio.create_task(_tell(plan.clients, figures))
    try:
        if processes > 1:
            results = await spread(plan, duration, processes, stop=stop, figures=figures)
        else:
            results = [await work(plan, duration, stop=stop, tell=partial(figures.__setitem__, 0))]
    finally:
        telling.cancel()
    if stop.is_set() and sys.stderr.isatty():
        print(file=sys.stderr)  # the terminal shows ^C where the report would begin
    return merge(results, plan.clients, timed=plan.timed)


async def _tell(clients: int, figures: list[Figures]) -> None:
    """Print what goes on, once a second."""
    clock = asyncio.get_running_loop().time
    began = last = clock()
    seen = [0, 0]
    while True:
        await asyncio.sleep(PROGRESS_S)
        connected, failed, *totals = map(sum, zip(*figures, strict=True))
        now = clock()
        events, received = (
            (total - before) / (now - last) for total, before in zip(totals, seen, strict=True)
        )
        last, seen = now, totals
        print(
            f"{now - began:4.0f} s  {connected:,} of {clients:,} connected, {failed:,} failed, "
            f"{events:,.0f} deliveries/s, {received / 1e6:,.1f} MB/s",
            file=sys.stderr,
        )
