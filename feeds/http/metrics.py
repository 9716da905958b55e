"""
What Prometheus asks for: the plain counters of the feed, put into its shape when it asks and at no other time.

Each server has a registry of its own, so that several in one process don't get into each other's way. ``README.md`` has
a table of what the names mean, which a test compares with this.
"""

import asyncio
import platform
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from feeds.counters.families import counter, counters, gauge, gauges, histogram, info, spread
from feeds.counters.histogram import Histogram
from feeds.counters.pulse import Pulse
from feeds.counters.stats import CLOSE_CODES, CROWDED, REFUSALS, STREAM, ServerStats
from feeds.dialects.requests import ACTIONS
from feeds.engine.feed import Feed
from feeds.engine.pump import Pump
from feeds.errors import HttpCode
from feeds.fanout.hub import Hub
from feeds.fanout.resume import OUTCOMES
from feeds.http.health import Health
from ticker import __version__

__all__ = ["BACKLOG_BOUNDS", "Metrics", "backlogs"]

BACKLOG_BOUNDS = (0, *(1024 * 4**n for n in range(7)), 8 * 1024 * 1024)
"""Of a connection's unread bytes: nothing, then from 1 KiB up; 64 KiB and 8 MiB are the limits' defaults."""


class Metrics(Collector):
    """
    The metrics of one server.

    Args:
        feed: what is served.
        pump: what drives it.
        pulse: how late the event loop is.
        health: whether all is well.
        clock: the clock's name.
        clients: gives how many connections there are, by transport.
        server: what the server has refused, for this market and others.
    """

    def __init__(
        self,
        feed: Feed,
        pump: Pump,
        pulse: Pulse,
        health: Health,
        clock: str,
        clients: Callable[[], Mapping[str, int]],
        server: ServerStats,
    ) -> None:
        self._feed, self._pump, self._pulse, self._health = feed, pump, pulse, health
        self._clock, self._clients, self._server = clock, clients, server
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def render(self, accept: str) -> tuple[bytes, str]:
        """
        Give all metrics as text, and its content type.

        Args:
            accept: the request's ``Accept``, which chooses between Prometheus's text and OpenMetrics.
        """
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is none
            encode, content_type = choose_encoder("")
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """Give all metrics. Linear in groups, in slots, and in connections with something unread."""
        yield self._build()
        yield from self._now()
        yield from self._events()
        yield from self._connections()
        yield from self._refusals()
        yield from self._times()

    def _build(self) -> Metric:
        try:
            loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
        except RuntimeError:
            loop = ""
        about = {
            "version": __version__,
            "python": platform.python_version(),
            "loop": loop,
            "clock": self._clock,
            "seed": str(self._feed.market.seed),
            "epoch": self._feed.epoch,
        }
        return info("build", "What runs, and which run of the market.", about)

    def _now(self) -> Iterator[Metric]:
        """How things stand."""
        feed, hub = self._feed, self._feed.hub
        groups, rings = hub.roster.groups, hub.history.usage()
        yield gauge("healthy", "1 while /health says ok, else 0.", self._health.ok)
        yield gauge("market_time_seconds", "The market's Unix time.", feed.market.now_us / 1e6)
        yield gauge("symbols", "Symbols of the market.", len(feed.market.universe))
        yield gauges("clients", "Open connections.", "transport", self._clients())
        yield gauge(
            "groups",
            "Different sets of symbols and channels that clients get in full.",
            len({interest for interest, _, _ in groups if interest}),
        )
        yield gauge(
            "subscriptions",
            "Subscriptions to a symbol on a channel, of all clients together.",
            sum(len(group.interest) * group.members for group in groups.values())
            + hub.roster.lanes.slots,
        )
        yield gauge(
            "slots_wanted",
            "Symbols times channels that anybody is subscribed to.",
            int(np.count_nonzero(hub.roster.wanted)),
        )
        yield gauge("conflating_clients", "Clients conflated now.", len(hub.slow.laggards))
        yield gauge(
            "congested_clients",
            "Clients that the market waits for now (--clock max).",
            len(hub.slow.congested),
        )
        yield spread("backlog_bytes", "Unread bytes of each open connection now.", backlogs(hub))
        yield gauge("history_rings", "Symbols times channels with a history.", rings.rings)
        yield gauge("history_events", "Events kept to resume from.", rings.events)
        yield gauge("history_bytes", "About how much memory they take.", rings.bytes)

    def _events(self) -> Iterator[Metric]:
        """What was done with events."""
        stats = self._feed.hub.stats
        yield counter("events", "Events that the market gave.", self._pump.events)
        yield counter("published_events", "Events that somebody was subscribed to.", stats.events)
        yield counter(
            "deliveries",
            "Events handed to a connection: one to a thousand clients is a thousand.",
            self._feed.hub.deliveries(),
        )
        yield counter("messages_written", "Messages handed to a connection.", stats.writes)
        yield counter("written_bytes", "Their bytes, as written.", stats.bytes)
        yield counter("saved_bytes", "Bytes that compression saved.", stats.saved)
        yield counter(
            "merged_events", "Events that conflation replaced with later ones.", stats.merged
        )

    def _connections(self) -> Iterator[Metric]:
        """What clients did, and what was done with them."""
        stats, evicted = self._feed.stats, self._feed.hub.stats.evicted
        yield counters(
            "connections_accepted",
            "Connections accepted.",
            "transport",
            dict.fromkeys(self._clients(), 0) | stats.accepted,
        )
        yield counters(
            "connections_closed",
            "Connections that are over, by WebSocket close code; none: streams over plain HTTP.",
            "code",
            dict.fromkeys((*map(str, CLOSE_CODES), STREAM), 0) | stats.closed,
        )
        yield counters(
            "evicted",
            "Slow consumers cut off.",
            "reason",
            {reason.value: count for reason, count in evicted.items()},
        )
        yield counters(
            "requests",
            "Well-formed requests.",
            "action",
            dict.fromkeys(ACTIONS.values(), 0) | stats.requests,
        )
        yield counters("request_errors", "Errors told to clients.", "code", {**stats.errors})
        yield counters(
            "resumed",
            "Symbols times channels that clients came back to: replayed, or why there was a gap.",
            "outcome",
            dict.fromkeys(OUTCOMES, 0) | stats.resumed,
        )

    def _refusals(self) -> Iterator[Metric]:
        """Who was turned away; but for upgrades, by the server, for whatever market."""
        server, upgrades = self._server, self._feed.stats.refused
        yield counters(
            "connections_refused",
            "Connections refused, by error code.",
            "reason",
            dict.fromkeys((*REFUSALS, *CROWDED), 0) | upgrades | server.connections,
        )
        yield counters(
            "http_errors",
            "Requests over HTTP that were answered with an error, by its code.",
            "code",
            dict.fromkeys(map(str, HttpCode), 0) | server.errors,
        )
        yield counters(
            "unread_answers",
            "Connections cut off because a plain answer over HTTP was not read.",
            "reason",
            {reason.value: count for reason, count in server.unread.items()},
        )

    def _times(self) -> Iterator[Metric]:
        """How long things took."""
        timing = self._pump.timing
        yield histogram("turn_duration_seconds", "Turns, from begin to end.", timing.turns)
        yield histogram(
            "tick_to_write_seconds",
            "From an event's time to the end of its writes; empty where the market's time has no pace.",
            timing.ages,
        )
        yield histogram(
            "event_loop_lag_seconds",
            "How much later than due the event loop came, looked at four times a second.",
            self._pulse.lag,
        )


def backlogs(hub: Hub) -> Histogram:
    """Give the unread bytes of all connections of a hub."""
    unread = Histogram(BACKLOG_BOUNDS)
    groups = hub.roster.groups.values()
    behind = [*hub.slow.laggards, *(member for group in groups for member in group.clogged)]
    unread.counts[0] = sum(group.members for group in groups) - len(behind)  # nothing unread
    unread.observe_all(member.transport.unread() for member in behind)
    return unread
