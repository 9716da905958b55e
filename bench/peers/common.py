"""What the Python peers share: the load file, who wants which event, the start, the loop."""

import argparse
import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Generic, TypeVar

__all__ = ["BACKLOG_BYTES", "Audience", "announce", "arguments", "pause_while", "run"]

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


async def pause_while(behind: Callable[[], bool]) -> None:
    """Wait until no client is too far behind, asleep, so that waiting doesn't look like work."""
    while behind():  # noqa: ASYNC110  not every peer tells when it has drained
        await asyncio.sleep(0.001)


def arguments() -> argparse.Namespace:
    """Parse the options that every Python peer has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--load", type=Path, required=True)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    return parser.parse_args()


def announce(port: int) -> None:
    """Tell the harness where to connect."""
    print(json.dumps({"event": "ready", "port": port}), flush=True)


def run(main: Callable[[Path], Coroutine[Any, Any, None]]) -> None:
    """Run a peer's coroutine on the loop that was asked for."""
    options = arguments()
    factory = None
    if options.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main(options.load))
