"""All the connections of one process of the load generator: open them, measure, close them."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from clients.core.connection import describe
from clients.loadgen.client import Address, LoadClient
from clients.loadgen.frames import FrameError
from clients.loadgen.lateness import Lateness
from clients.loadgen.tally import Tally, Traffic

__all__ = ["Figures", "Plan", "Result", "Swarm", "raise_file_limit"]

CONNECTING = 200
"""How many handshakes may be under way at a time: fewer than a listener's queue holds."""
PATIENCE_S = 30.0
"""How long one connection may take to become live."""
MAX_ENTRIES = 1000


Figures = tuple[int, int, int, int]
"""Of a process while it runs: connected, failed, events, bytes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one process is to do. Times are in seconds."""

    url: str
    clients: int
    universe: tuple[str, ...]
    symbols_each: int | None
    """None: all of them."""
    channels: tuple[str, ...]
    interval: str | None
    ramp: float
    seed: int
    token: str | None = field(repr=False)
    verify: bool
    cafile: str | None = None
    """The certificates to trust; None: the system's."""
    timed: bool = True
    """Whether the feed runs on the wall clock, so that there is a latency to tell."""
    first: int = 0
    """The number of this process's first client among all clients."""

    def symbols(self, client: int) -> list[str]:
        """Choose the symbols of a client: by the seed and its number only, whatever process it is in."""
        count = self.symbols_each
        if count is None or count >= len(self.universe):
            return ["*"]
        return random.Random(f"{self.seed}/{client}").sample(self.universe, count)

    def requests(self, client: int) -> list[bytes]:
        """Return the requests with which a client begins."""
        symbols = self.symbols(client)
        extra = {"interval": self.interval} if self.interval else {}
        wishes: list[dict[str, Any]] = [
            {
                "action": "subscribe",
                "symbols": symbols[start : start + MAX_ENTRIES],
                "channels": self.channels,
                "snapshot": False,
                **extra,
            }
            for start in range(0, len(symbols), MAX_ENTRIES)
        ]
        return [orjson.dumps(wish) for wish in wishes]


@dataclass(slots=True)
class Result:
    """What one process found. Small, and can be sent to another process."""

    connected: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    connect_s: float = 0.0
    duration_s: float = 0.0
    traffic: Traffic = field(default_factory=Traffic)
    insane: int = 0
    cpu_percent: float = 0.0
    late_ms: float = 0.0
    """How late its event loop was, in the worst hundredth of the time."""
    histogram: bytes = b""
    """As HdrHistogram encodes it; empty when there is no sample."""


class Swarm:
    """The connections of one process. Call `connect`, `measure` and `close`, in this order."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tally = Tally()
        self._clients: list[LoadClient] = []
        self._connect_s = 0.0
        self._secure: ssl.SSLContext | None = None

    async def connect(self) -> None:
        """Open the connections, spread over the ramp; those that fail are counted."""
        plan = self.plan
        gate = asyncio.Semaphore(CONNECTING)
        began = time.monotonic()
        step = plan.ramp / plan.clients

        async def one(number: int) -> None:
            await asyncio.sleep(began + number * step - time.monotonic())
            async with gate:
                await self._open(plan.first + number)
            self._connect_s = time.monotonic() - began

        tasks = [asyncio.create_task(one(number)) for number in range(plan.clients)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _open(self, number: int) -> None:
        parts = urlsplit(self.plan.url)
        secure = parts.scheme in ("wss", "https")
        port = parts.port or (443 if secure else 80)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        address = Address(parts.netloc, path or "/", self.plan.token)
        requests = self.plan.requests(number)
        client = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                _, client = await asyncio.get_running_loop().create_connection(
                    lambda: LoadClient(address, requests, self.tally),
                    parts.hostname or "",
                    port,
                    ssl=self._context() if secure else None,
                )
                await client.live
        except (OSError, FrameError) as error:
            self.tally.failures[_reason(error)] += 1
            if client is not None:
                client.close()
        else:
            self.tally.connected += 1
            self._clients.append(client)

    def _context(self) -> ssl.SSLContext:
        """Return the context of all connections; made once, as reading certificates takes long."""
        if self._secure is None:
            self._secure = ssl.create_default_context(cafile=self.plan.cafile)
            if not self.plan.verify:
                self._secure.check_hostname = False
                self._secure.verify_mode = ssl.CERT_NONE
        return self._secure

    async def measure(self, duration: float, stop: asyncio.Event) -> Result:
        """Count for *duration* seconds, or until *stop*."""
        tally = self.tally
        tally.forget_latency()
        before, began, cpu = tally.traffic(), time.monotonic(), time.process_time()
        end, seen = began + duration, tally.events
        lateness = Lateness()
        looking = asyncio.create_task(lateness.run())
        while not stop.is_set() and (left := end - time.monotonic()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(1.0, left))
            tally.adapt(tally.events - seen)
            seen = tally.events
        looking.cancel()
        took = time.monotonic() - began
        return Result(
            connected=tally.connected,
            failures=dict(tally.failures),
            lost=dict(tally.lost),
            connect_s=self._connect_s,
            duration_s=took,
            traffic=tally.traffic().since(before),
            insane=tally.insane,
            cpu_percent=(time.process_time() - cpu) / took * 100 if took else 0.0,
            late_ms=lateness.p99_ms(),
            histogram=tally.histogram.encode() if tally.histogram.get_total_count() else b"",
        )

    def figures(self) -> Figures:
        """Return what there is to tell while it runs."""
        tally = self.tally
        return tally.connected, tally.failures.total(), tally.events, tally.received

    async def close(self) -> None:
        """Leave all connections, with close frames."""
        for client in self._clients:
            client.close()
        await asyncio.sleep(0)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"not live within {PATIENCE_S:g} s"
    return describe(error) if isinstance(error, OSError) else str(error)


def raise_file_limit(wanted: int) -> int:
    """Raise the limit of open files towards *wanted*; return what it is now."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
