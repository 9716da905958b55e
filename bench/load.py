"""The load: scenarios, the events of one turn, and who subscribes to what.

Everything here is made from fixed seeds, and written to one file that every server reads,
so that all rows send the same bytes to the same clients.
"""

import json
import random
import struct
from dataclasses import dataclass
from pathlib import Path

__all__ = ["EVERYTHING", "MARKER", "SCENARIOS", "Scenario", "frame", "write_floor", "write_load"]

SEED = 7
START_MS = 1_763_800_000_000

EVERYTHING = "*"
"""The subscription to all symbols."""

MARKER = b'{"t'
"""What the load client counts: the start of an event, `{"type"` (see drain.c on why it's exact)."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """How many clients, how many symbols, how many of these each client wants."""

    name: str
    title: str
    clients: int
    symbols: int
    wanted: int | None = None
    """Symbols for each client; None: all of them, as one subscription to everything."""

    @property
    def deliveries(self) -> int:
        """How many deliveries one turn makes: every symbol has one event a turn."""
        return self.clients * (self.symbols if self.wanted is None else self.wanted)

    def names(self) -> list[str]:
        """Return the invented symbols."""
        return [f"S{index:03d}" for index in range(self.symbols)]

    def picks(self, client: int) -> list[int] | None:
        """Return the indexes of the symbols that this client wants, None for all."""
        if self.wanted is None:
            return None
        return sorted(random.Random(f"{SEED}:{client}").sample(range(self.symbols), self.wanted))

    def events(self) -> list[str]:
        """Return the events of one turn as JSON: one a symbol, trades and quotes by turns."""
        rng = random.Random(SEED)
        return [_event(rng, index, name) for index, name in enumerate(self.names())]


def _event(rng: random.Random, index: int, name: str) -> str:
    """Return a trade for an even index, a quote for an odd one; about 110 bytes on average."""
    cents = rng.randrange(10_000, 50_000)
    event: dict[str, str | int | float] = {
        "type": "quote" if index % 2 else "trade",
        "symbol": name,
        "seq": rng.randrange(100, 1_000),
        "time": START_MS + rng.randrange(1_000_000) / 1_000,
    }
    if index % 2:
        spread = rng.randrange(1, 6)
        event |= {"bid": cents / 100, "bid_size": rng.randrange(1, 10) * 100}
        event |= {"ask": (cents + spread) / 100, "ask_size": rng.randrange(1, 10) * 100}
    else:
        event |= {"price": cents / 100, "size": rng.randrange(1, 10) * 100}
    return json.dumps(event, separators=(",", ":"))


_SCENARIOS = (
    Scenario("all-100", "100 clients on everything, 100 events a turn", 100, 100),
    Scenario("all-10", "100 clients on everything, 10 events a turn", 100, 10),
    Scenario("all-1", "100 clients on everything, 1 event a turn", 100, 1),
    Scenario("sub-20", "1,000 clients on 20 of 500 symbols, 500 events a turn", 1000, 500, 20),
    Scenario("sub-100", "200 clients on 100 of 500 symbols, 500 events a turn", 200, 500, 100),
)
SCENARIOS = {scenario.name: scenario for scenario in _SCENARIOS}


def frame(payload: bytes) -> bytes:
    """Return the payload as one unmasked WebSocket text frame, as a server sends it."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload


def write_load(scenario: Scenario, path: Path) -> None:
    """Write what a peer needs: how many clients to wait for, and the events of a turn."""
    turn = [
        {"symbol": name, "text": text}
        for name, text in zip(scenario.names(), scenario.events(), strict=True)
    ]
    path.write_text(json.dumps({"clients": scenario.clients, "turn": turn}))


def write_floor(scenario: Scenario, path: Path) -> None:
    """
    Write, for each client in order, a 4-byte length and the bytes of its turn.

    They are the bytes that a peer would send: one frame for each event, all in one piece.
    """
    frames = [frame(text.encode()) for text in scenario.events()]
    everything = b"".join(frames)
    with path.open("wb") as out:
        for client in range(scenario.clients):
            picks = scenario.picks(client)
            turn = everything if picks is None else b"".join(frames[i] for i in picks)
            out.write(struct.pack("=I", len(turn)) + turn)
