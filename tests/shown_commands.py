"""
Every line of shell that a document shows: what it does when it is run, or why it isn't.

A line that isn't here fails the tests, and so does one that no document shows any more.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass

__all__ = ["COMMANDS", "Helps", "Line", "NotRun", "Serves"]


@dataclass(frozen=True)
class Serves:
    """It is a server that says hello, goes on beside the lines that follow, and ends well on Ctrl-C."""

    changed: tuple[tuple[str, str], ...] = ()
    code: int = 0
    """Both as of a `Line`."""


@dataclass(frozen=True)
class Line:
    """It prints something, and ends."""

    prints: str = ""
    """A pattern that is in its output; where it doesn't end by itself, in the first line."""
    ends: bool = True
    """By itself; else by Ctrl-C after its first line, or when the first part of `makes` is there."""
    code: int | None = 0
    """What it ends with; None where that isn't ours to say."""
    makes: str = ""
    """A file."""
    changed: tuple[tuple[str, str], ...] = ()
    """What is put for what, so that it takes no minute, or no other machine."""
    server: str = ""
    """A server that must be there first."""
    subscriber: str = ""
    """A symbol that a client must be subscribed to first."""


@dataclass(frozen=True)
class Helps:
    """A program that takes minutes: its own help knows the options, and another test runs it, but shorter."""

    test: str


@dataclass(frozen=True)
class NotRun:
    why: str


TRADE = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z.]+ \d+\.\d\d \d+$"
SIMULATED = "--symbols 2 --sessions 1"
VERDICT = r"(of|all) \d+ gating facts"

COMMANDS: dict[str, Serves | Line | Helps | NotRun] = {
    # README.md
    "make demo": Serves(code=-signal.SIGINT),  # make's own way to end
    "make demo ARGS=--control": Serves(code=-signal.SIGINT),
    "make test": NotRun("it is what runs this"),
    "pip install .": NotRun("it asks the package index; tests/test_install.py does it without"),
    "tickerplant serve": Serves(),
    # bench/README.md
    "make bench": NotRun("it takes half an hour: the lines after it"),
    "python -m bench.fanout": Helps("test_bench"),
    "python -m bench.fanout --scenario all-100,sub-20 --only floor,uws,node-ws --rounds 7": Helps(
        "test_bench"
    ),
    "python -m bench.latency": Helps("test_bench"),
    "python -m bench.slow": Helps("test_bench"),
    "python -m bench.connections": Helps("test_bench"),
    "python -m bench.fixture": Helps("test_bench"),
    "python -m bench.generator --plot bench/generator.svg": Helps("test_bench"),
    "python -m bench.report": Line("Not measured yet"),
    # clients/README.md
    "tickerplant watch": Line(TRADE, ends=False),
    "tickerplant watch --book AAPL MSFT": Line(r"AAPL .*MSFT (.*\n)+spread +0\.\d\d "),
    'tickerplant watch AAPL "M*" | head -100': Line(TRADE),
    "tickerplant record -o tape.ndjson --duration 60": Line(
        makes="tape.ndjson", changed=(("60", "0.5"),)
    ),
    "tickerplant record -o tape.parquet": Line(ends=False, makes="tape.parquet"),
    "tickerplant load --clients 1000 --processes 2": Line(
        "deliveries", changed=(("1000", "20 --ramp 0 --duration 0.5"),)
    ),
    "tickerplant watch --url wss://feed.example/ws --cafile feed.pem --token TOKEN": Line(
        TRADE,
        ends=False,
        server="tickerplant serve --tls-self-signed --token TOKEN",
        changed=(("feed.example", "127.0.0.1:8765"),),
    ),
    # clients/node/README.md
    "node watch.mjs AAPL MSFT": Line(r"^\S+ +(AAPL|MSFT) +\d+", ends=False),
    'node watch.mjs --url ws://localhost:8765/ws --count 10 "A*"': Line(r"^\S+ +A\w+ +\d+"),
    "node watch.mjs --token TOKEN AAPL": Line(
        r"^\S+ +AAPL +\d+", ends=False, server="tickerplant serve --token TOKEN"
    ),
    "cd clients/node": NotRun("for the two lines after it"),
    "npm install --no-save @playwright/test": NotRun(
        "it asks npm's registry; tests/test_node_samples.py does, where it can"
    ),
    "npm exec -- playwright test --config playwright": NotRun("it needs the line before it"),
    # feeds/PROTOCOL.md
    'curl -N "http://127.0.0.1:8765/stream?symbols=AAPL&snapshot=false" | jq .price': Line(
        r"^(null|\d+(\.\d+)?)$", ends=False, code=None, changed=(("jq", "jq --unbuffered"),)
    ),
    # feeds/README.md
    'pip install "tickerplant[tls]"': NotRun("it asks the package index"),
    "tickerplant serve --tls-self-signed": Serves(),
    "python -c \"import ssl; print(ssl.get_server_certificate(('127.0.0.1', 8765)))\" > feed.pem": Line(
        makes="feed.pem"
    ),
    "tickerplant watch --url wss://127.0.0.1:8765/ws --cafile feed.pem AAPL": Line(
        TRADE, ends=False
    ),
    "tickerplant record -o tape.parquet --duration 60": Line(
        makes="tape.parquet", changed=(("60", "0.5"),)
    ),
    "tickerplant serve --replay tape.parquet": Serves(),
    "tickerplant serve --replay tape.ndjson --clock x10 --replay-loop": Serves(),
    "tickerplant serve --replay AAPL.csv.gz --replay-map time=ts,price=px,size=qty"
    " --replay-rename AAPL=DEMO --replay-scale 0.5": Serves(),
    "tickerplant serve --control --port 0 --ready-json --exit-with-parent --clock manual": Serves(),
    """curl -d '{"symbol": "AAPL", "price": 187.43}' http://127.0.0.1:54321/control/trade""": Line(
        r'^\{"time":'
    ),
    """curl -d '{"by": "250ms"}' http://127.0.0.1:54321/control/advance""": Line(r'^\{"time":'),
    """curl -d '{"for": "subscription", "symbol": "AAPL", "timeout": "5s"}' http://127.0.0.1:54321/control/wait""": Line(
        r'"subscriptions":', subscriber="AAPL"
    ),
    "tickerplant cassette record --upstream wss://stream.example/v2 -o tape.ndjson": Serves(
        changed=(("wss://stream.example/v2", "ws://127.0.0.1:8765/ws"),)
    ),
    "tickerplant cassette play tape.ndjson": Serves(),
    # ticker/README.md
    "tickerplant serve --scenario flash_crash": Serves(),
    "tickerplant serve --scenario volatile --scenario mine.toml": Serves(),
    "tickerplant validate": Line(  # so few days are too few for some of the facts
        VERDICT, code=1, changed=(("validate", f"validate {SIMULATED}"),)
    ),
    "tickerplant validate --model gbm": Line(
        VERDICT, code=1, changed=(("validate", f"validate {SIMULATED}"),)
    ),
    "tickerplant validate --input tape.ndjson": Line(VERDICT),
    "tickerplant plot day ticker/day.png": Line(
        makes="day.png", changed=(("ticker/day.png", "day.png --symbols 2"),)
    ),
    "tickerplant plot crash ticker/crash.png": Line(makes="crash.png", changed=(("ticker/", ""),)),
    "tickerplant plot verdicts ticker/verdicts.png": Line(
        makes="verdicts.png", changed=(("ticker/verdicts.png", f"verdicts.png {SIMULATED}"),)
    ),
    "tickerplant validate --json --plot facts.png": Line(
        r'^\{"model"', code=1, makes="facts.png", changed=(("validate", f"validate {SIMULATED}"),)
    ),
}
