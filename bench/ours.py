"""
Our own server, with the scenario's events in place of a market.

Everything is the server that users run, `feeds.server.FeedServer` with its hub, pump and transports; only the market
and the encoder are replaced, so that it sends the same ready-made events as every other row. What the market and the
encoder cost is in the row that runs `tickerplant serve --clock max`.
"""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import feeds.cli  # noqa: F401  # first: it says how many threads numpy may start

# isort: split
import numpy as np

from feeds.admission.limits import Limits
from feeds.cli.serve import loop_factory, run_feed
from feeds.config import FeedConfig
from feeds.dialects.native import NativeEncoder
from feeds.server import FeedServer
from ticker.batch import QUOTES, TRADES, TickBatch
from ticker.market import Market
from ticker.universe import Universe

__all__ = ["ReadyMadeEncoder", "ReadyMadeMarket", "main"]

_NO_LIMIT = 100_000


class ReadyMadeMarket(Market):
    """A market that gives the same turn of events again and again."""

    def __init__(self, turn: list[dict[str, Any]]) -> None:
        symbols = list(dict.fromkeys(event["symbol"] for event in turn))
        super().__init__(Universe.of_symbols(symbols), seed=0, rate=0)
        ids = [symbols.index(event["symbol"]) for event in turn]
        kinds = [TRADES if '"trade"' in event["text"] else QUOTES for event in turn]
        nothing = np.zeros(len(turn), dtype=np.int64)
        columns = [nothing] * 6
        self._turn = TickBatch(np.array(ids, np.int32), np.array(kinds, np.uint8), *columns)

    def step(self, until_us: int, limit: int | None = None) -> TickBatch:
        """Give the turn."""
        return self._turn


class ReadyMadeEncoder(NativeEncoder):
    """Gives the events of the turn as they were made."""

    def __init__(self, universe: Universe, turn: list[dict[str, Any]]) -> None:
        super().__init__(universe)
        self._fragments = [event["text"].encode() + b"," for event in turn]

    def encode(self, batch: TickBatch) -> list[bytes]:
        """Give the turn's events, or, until every client has subscribed, those of them that somebody wants."""
        if len(batch) == len(self._fragments):
            return self._fragments
        return [self._fragments[symbol] for symbol in batch.symbol.tolist()]


def main() -> None:
    """Serve the load file's turn until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--load", type=Path, required=True)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    options = parser.parse_args()
    turn = json.loads(options.load.read_text())["turn"]
    market = ReadyMadeMarket(turn)
    encoder = ReadyMadeEncoder(market.universe, turn)
    limits = Limits(max_connections=_NO_LIMIT, max_per_address=_NO_LIMIT, max_symbols=_NO_LIMIT)
    server = FeedServer(
        FeedConfig(port=0, clock="max", history_mb=0, heartbeat_s=3600, limits=limits),
        market=market,
        encoder=encoder,
    )
    with asyncio.Runner(loop_factory=loop_factory(options.loop)) as runner:
        runner.run(run_feed(server, ready_json=True))


if __name__ == "__main__":
    main()
