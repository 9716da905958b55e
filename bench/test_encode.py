"""What encoding costs: column by column, against one `orjson.dumps` an event; and generator and encoder together."""

import numpy as np
import orjson

from bench.figures import Benchmark, note_cost, note_rate
from feeds.dialects.native import NativeEncoder
from ticker.batch import TRADES, TickBatch
from ticker.market import Market
from ticker.universe import Universe

UNIVERSE = Universe.of_size(500)


def a_batch() -> TickBatch:
    """Give trades and quotes of 500 symbols, about ten thousand."""
    market = Market(UNIVERSE, seed=7, rate=20)
    return market.step(market.now_us + 990_000)


def test_by_columns(benchmark: Benchmark) -> None:
    """The encoder as it is."""
    batch = a_batch()
    benchmark(NativeEncoder(UNIVERSE).encode, batch)
    note_cost(benchmark, "ns_an_event", len(batch))


def test_by_objects(benchmark: Benchmark) -> None:
    """What the encoder replaces: a dict and a call of orjson for each event."""
    batch = a_batch()

    def encode() -> list[bytes]:
        names = [UNIVERSE.symbols[i] for i in batch.symbol.tolist()]
        prices = UNIVERSE.prices(batch.symbol, batch.price).tolist()
        asks = UNIVERSE.prices(batch.symbol, batch.ask).tolist()
        rows = zip(
            batch.channel.tolist(),
            names,
            batch.seq.tolist(),
            (batch.time / 1000).tolist(),
            prices,
            batch.size.tolist(),
            asks,
            batch.ask_size.tolist(),
            strict=True,
        )
        dumps = orjson.dumps
        return [
            dumps({"type": "trade", "symbol": s, "seq": n, "time": t, "price": p, "size": z})
            if channel == TRADES
            else dumps(
                {
                    "type": "quote",
                    "symbol": s,
                    "seq": n,
                    "time": t,
                    "bid": p,
                    "bid_size": z,
                    "ask": a,
                    "ask_size": az,
                }
            )
            for channel, s, n, t, p, z, a, az in rows
        ]

    benchmark(encode)
    note_cost(benchmark, "ns_an_event", len(batch))


def test_one_event(benchmark: Benchmark) -> None:
    """The fixed cost: a batch of one."""
    benchmark(NativeEncoder(UNIVERSE).encode, a_batch()[:1])


def test_generated_and_encoded(benchmark: Benchmark) -> None:
    """The market and the encoder together, bars included, 500 symbols: events a second."""
    market, encoder = Market(UNIVERSE, seed=7, rate=20), NativeEncoder(UNIVERSE)
    counts: list[int] = []

    def turn() -> None:
        counts.append(len(encoder.encode(market.step(market.now_us + 250_000))))

    benchmark.pedantic(turn, rounds=40, warmup_rounds=4)
    events = float(np.mean(counts))
    note_cost(benchmark, "ns_an_event", round(events))
    note_rate(benchmark, events, of="mean", digits=2)
