"""The figures of a load test, for people and for programs. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from clients.loadgen.swarm import Result
from clients.loadgen.tally import Traffic, new_histogram

__all__ = ["Latency", "Report", "merge"]

BUSY_PERCENT = 90.0
"""Of one core; above, the load generator and not the server sets the pace."""
LATE_SHARE = 0.25
"""Of a latency; above, too much of it may be the load generator's own."""
STARVED_MS = 20.0
"""So late with little to do, the load generator is kept from its core by others."""


@dataclass(frozen=True, slots=True)
class Latency:
    """From the time of an event to its arrival here, in microseconds."""

    p50: int
    p90: int
    p99: int
    p99_9: int
    max: int
    samples: int


@dataclass(frozen=True, slots=True)
class Report:
    """What the clients of a load test found, all processes together. Times are in seconds."""

    clients: int
    connected: int
    failures: dict[str, int]
    """Connections that were never live, by reason."""
    lost: dict[str, int]
    """Connections that ended early, by close code."""
    connect_s: float
    duration_s: float
    deliveries: int
    """Events received: one that reaches ten clients counts ten times."""
    frames: int
    bytes: int
    merged_events: int
    """Events that stood for others since a client was a slow consumer, and for how many: `merged`."""
    merged: int
    latency_us: Latency | None
    """None when there was nothing to sample, or the feed doesn't run on the wall clock."""
    cpu_percent: float
    """Of one core, of the busiest process."""
    late_ms: float
    """How late the event loop of the latest process was, in the worst hundredth of the time."""
    processes: int
    warnings: tuple[str, ...]

    @property
    def connects_per_s(self) -> float:
        """How fast connections became live."""
        return _per(self.connected, self.connect_s)

    @property
    def deliveries_per_s(self) -> float:
        """The throughput."""
        return _per(self.deliveries, self.duration_s)

    def as_dict(self) -> dict[str, Any]:
        """Return everything, and what follows from it, as plain values."""
        return asdict(self) | {
            "connects_per_s": round(self.connects_per_s, 1),
            "deliveries_per_s": round(self.deliveries_per_s, 1),
            "frames_per_s": round(_per(self.frames, self.duration_s), 1),
            "bytes_per_s": round(_per(self.bytes, self.duration_s), 1),
            "bytes_per_event": round(_per(self.bytes, self.deliveries), 1),
            "events_per_frame": round(_per(self.deliveries, self.frames), 2),
            "connect_s": round(self.connect_s, 3),
            "duration_s": round(self.duration_s, 3),
            "cpu_percent": round(self.cpu_percent, 1),
        }

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        figures = self.as_dict()
        failed, lost = self.failures.values(), self.lost.values()
        rate, each = figures["frames_per_s"], figures["events_per_frame"]
        megabytes, size = figures["bytes_per_s"] / 1e6, figures["bytes_per_event"]
        share = f", the busiest of {self.processes} processes" if self.processes > 1 else ""
        lines = [
            f"connections  {self.connected:,} of {self.clients:,}, {self.connects_per_s:,.0f} a second",
            f"             {sum(failed):,} failed, {sum(lost):,} lost",
            f"deliveries   {self.deliveries_per_s:,.0f} a second, for {self.duration_s:.1f} s",
            f"frames       {rate:,.0f} a second, {each:,.1f} events each",
            f"bytes        {megabytes:,.1f} MB a second, {size:,.1f} an event",
            f"latency      {_latency(self.latency_us)}",
            f"merged       {self.merged:,} events into {self.merged_events:,}",
            f"own CPU      {self.cpu_percent:.0f} % of a core{share}; p99 {self.late_ms:,.1f} ms late",
        ]
        lines += [f"failed       {count:,} x {reason}" for reason, count in self.failures.items()]
        lines += [
            f"lost         {count:,} x close code {code}" for code, count in self.lost.items()
        ]
        return lines + [f"warning: {text}" for text in self.warnings]


def _per(amount: float, divisor: float) -> float:
    return amount / divisor if divisor else 0.0


def _latency(latency: Latency | None) -> str:
    if latency is None:
        return "n/a: only events of the wall clock have an age"
    parts = [
        f"{name} {value / 1000:,.1f}"
        for name, value in (
            ("p50", latency.p50),
            ("p90", latency.p90),
            ("p99", latency.p99),
            ("p99.9", latency.p99_9),
            ("max", latency.max),
        )
    ]
    return f"{'  '.join(parts)} ms  ({latency.samples:,} samples)"


def merge(results: Iterable[Result], clients: int, *, timed: bool = True) -> Report:
    """Sum up what the processes found; *clients* is how many were wanted.

    Without a latency it is warned of that, unless the feed isn't *timed*: not on the wall clock.
    """
    results = list(results)
    histogram = new_histogram()
    failures: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for result in results:
        failures.update(result.failures)
        lost.update(result.lost)
        if result.histogram:
            histogram.decode_and_add(result.histogram)
    traffic = Traffic.total(result.traffic for result in results)
    samples = histogram.get_total_count()
    insane = sum(result.insane for result in results)
    cpu = max(result.cpu_percent for result in results)
    late_ms = max(result.late_ms for result in results)
    sane = samples > insane
    clock = sane or not insane or not timed
    latency = _percentiles(histogram) if sane else None
    return Report(
        clients=clients,
        connected=sum(result.connected for result in results),
        failures=dict(failures),
        lost=dict(lost),
        connect_s=max(result.connect_s for result in results),
        duration_s=max(result.duration_s for result in results),
        deliveries=traffic.events,
        frames=traffic.frames,
        bytes=traffic.received,
        merged_events=traffic.merged_events,
        merged=traffic.merged,
        latency_us=latency,
        cpu_percent=cpu,
        late_ms=late_ms,
        processes=len(results),
        warnings=(*_warnings(cpu, clock=clock), *_doubts(cpu, late_ms, latency)),
    )


def _percentiles(histogram: Any) -> Latency:
    p50, p90, p99, p99_9 = (
        histogram.get_value_at_percentile(percent) for percent in (50, 90, 99, 99.9)
    )
    return Latency(p50, p90, p99, p99_9, histogram.get_max_value(), histogram.get_total_count())


def _warnings(cpu: float, *, clock: bool) -> Iterable[str]:
    if cpu > BUSY_PERCENT:
        yield (
            f"the load generator used {cpu:.0f} % of a core: it may have been the bottleneck;"
            " use more processes"
        )
    if not clock:
        yield "no latency: the feed does not run on the wall clock, or this machine's clock is off"


def _doubts(cpu: float, late_ms: float, latency: Latency | None) -> Iterable[str]:
    if latency is not None and late_ms > LATE_SHARE * latency.p99 / 1000:
        yield (
            f"the load generator was {late_ms:,.1f} ms late itself at p99, and so much of the latencies may be its own;"
            " give it a core, or more processes"
        )
    if latency is None and late_ms > STARVED_MS and cpu < BUSY_PERCENT / 2:
        yield (
            f"the load generator was {late_ms:,.1f} ms late at p99, with {cpu:.0f} % of a core: something else keeps this"
            " machine busy, and so the rates are too low; measure on a quiet one"
        )
