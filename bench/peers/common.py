"""What the Python peers share: the load file, who wants which event, the start, the loop."""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

__all__ = [
    "BACKLOG_BYTES",
    "Audience",
    "Schedule",
    "announce",
    "arguments",
    "at_rate",
    "pause_while",
    "run",
]

BACKLOG_BYTES = 256 * 1024
"""No turn begins while a client has more than this in the server's memory."""

C = TypeVar("C")


class Audience(Generic[C]):
    """The clients, by the event of the turn that they want; `ready` once all have subscribed."""

    def __init__(self, load: Path) -> None:
        found = json.loads(load.read_text())
        self.expected: int = found["clients"]
        self.clients: list[C] = []
        self.ready = asyncio.Event()
        self.turn: list[tuple[str, list[C]]] = []
        """Each event's text and its subscribers."""
        self._by_symbol: dict[str, list[C]] = {}
        for event in found["turn"]:
            subscribers: list[C] = []
            self.turn.append((event["text"], subscribers))
            self._by_symbol[event["symbol"]] = subscribers

    def subscribe(self, client: C, request: str | bytes) -> None:
        """Take a client's subscription: a list of symbols, or "*" for all."""
        symbols = json.loads(request)["symbols"]
        for symbol in self._by_symbol if symbols == "*" else symbols:
            self._by_symbol[symbol].append(client)
        self.clients.append(client)
        if len(self.clients) == self.expected:
            self.ready.set()

    @property
    def check_every(self) -> int:
        """
        How many turns go by between looks at the backlogs.

        A look costs about a hundredth of a delivery for each client, so turns of few
        deliveries share one; 20 events a client can't fill BACKLOG_BYTES unseen.
        """
        deliveries = sum(len(subscribers) for _, subscribers in self.turn)
        return max(1, 20 * len(self.clients) // max(1, deliveries))


class Schedule:
    """
    Events at a steady rate, each stamped with the time at which it is due.

    Args:
        turn: texts of events, taken in turns; their ``time`` is replaced.
        rate: events a second.
    """

    def __init__(self, turn: Sequence[str], rate: float) -> None:
        self._rate = rate
        self._parts = [_around_time(text) for text in turn]
        self._start = time.time()
        self._done = 0

    def due(self) -> Iterator[tuple[int, bytes]]:
        """Give the events that are due now: which of the turn, and the text."""
        until = int((time.time() - self._start) * self._rate)
        while self._done < until:
            number = self._done % len(self._parts)
            before, after = self._parts[number]
            stamp = (self._start + self._done / self._rate) * 1e3
            self._done += 1
            yield number, f"{before}{stamp:.3f}{after}".encode()


async def at_rate(
    audience: Audience[C], rate: float, send: Callable[[bytes, list[C]], Awaitable[None] | None]
) -> None:
    """Send each event to its subscribers when it is due, looked at a thousand times a second."""
    schedule = Schedule([text for text, _ in audience.turn], rate)
    while True:
        for number, text in schedule.due():
            sending = send(text, audience.turn[number][1])
            if sending is not None:
                await sending
        await asyncio.sleep(0.001)


def _around_time(text: str) -> tuple[str, str]:
    key = '"time":'
    before, _, after = text.partition(key)
    return before + key, after[after.index(",") :]


async def pause_while(behind: Callable[[], bool]) -> None:
    """Wait until no client is too far behind, asleep, so that waiting doesn't look like work."""
    while behind():  # noqa: ASYNC110  not every peer tells when it has drained
        await asyncio.sleep(0.001)


def arguments() -> argparse.Namespace:
    """Parse the options that every Python peer has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--load", type=Path, required=True)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--rate", type=float, default=0.0, help="events a second; 0: no pause")
    return parser.parse_args()


def announce(port: int) -> None:
    """Tell the harness where to connect."""
    print(json.dumps({"event": "ready", "port": port}), flush=True)


def run(main: Callable[[Path, float], Coroutine[Any, Any, None]]) -> None:
    """Run a peer's coroutine on the loop that was asked for, with the load and the rate (0: no pause)."""
    options = arguments()
    factory = None
    if options.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main(options.load, options.rate))
