"""The options of the other commands; what these do is in ``clients`` and ``ticker``."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

import click

from feeds.cli.options import CONTEXT, Seconds, together
from feeds.dialects.requests import CHANNEL_NAMES
from ticker.batch import INTERVALS
from ticker.instruments import UniverseError
from ticker.universe import Universe

__all__ = ["COMMANDS"]

URL = "ws://127.0.0.1:8765/ws"

F = TypeVar("F", bound=Callable[..., Any])


def _channels(_: click.Context, __: click.Parameter, text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names or [text]:
        if name not in CHANNEL_NAMES:
            raise click.BadParameter(
                f"unknown channel {name!r}; the channels are {', '.join(CHANNEL_NAMES)}"
            )
    return names


def _of_a_server(default_channels: str) -> Callable[[F], F]:
    """Give the options of a command that connects."""
    return together(
        click.option(
            "--cafile", metavar="FILE", help="Certificates to trust (PEM), instead of the system's."
        ),
        click.option(
            "--token",
            metavar="TOKEN",
            show_default=False,  # it could be in a file
            help="What the server wants to see; TICKERPLANT_TOKEN hides it from others on this machine.",
        ),
        click.option("--url", default=URL, help="Address of the feed."),
        click.option(
            "--channels",
            default=default_channels,
            callback=_channels,
            help="Channels, with commas.",
        ),
    )


@click.command(context_settings=CONTEXT)
@click.argument("symbols", nargs=-1)
@_of_a_server("trades,quotes,status")
@click.option("--book", is_flag=True, help="Show order books instead.")
@click.option("--count", type=click.IntRange(1), help="Stop after so many trades.")
def watch(symbols: tuple[str, ...], **options: Any) -> int:
    """
    Show live prices in the terminal.

    SYMBOLS may be patterns, such as "A*"; without any, it shows as many as fit. In a pipe it prints a line for each trade, with --book the
    books as they are.
    """
    from clients.watch import run_watch

    return run_watch(options.pop("url"), symbols=symbols, **options)


@click.command(context_settings=CONTEXT)
@click.argument("symbols", nargs=-1)
@_of_a_server("trades,quotes")
@click.option(
    "--output",
    "-o",
    default="-",
    metavar="FILE",
    help="Where to write; - is stdout; .parquet at the end writes Parquet.",
)
@click.option(
    "--interval", type=click.Choice(list(INTERVALS)), help="Interval of the bars channel."
)
@click.option("--count", type=click.IntRange(1), help="Stop after so many events.")
@click.option("--duration", type=Seconds(min_open=True), help="Stop after so many seconds.")
def record(symbols: tuple[str, ...], **options: Any) -> int:
    """
    Write what the feed sends, as NDJSON or Parquet.

    Of SYMBOLS, which may be patterns, such as "A*"; without any, of all.
    """
    from clients.record import run_record

    return run_record(options.pop("url"), symbols=symbols or ("*",), **options)


@click.command(context_settings=CONTEXT)
@_of_a_server("trades,quotes")
@click.option(
    "--clients", type=click.IntRange(1, 100_000), default=100, help="How many connections."
)
@click.option(
    "--symbols-each", type=click.IntRange(0), default=20, help="Symbols of each client; 0: all."
)
@click.option(
    "--interval", type=click.Choice(list(INTERVALS)), help="Interval of the bars channel."
)
@click.option("--duration", type=Seconds(min_open=True), default=10.0, help="Seconds to count.")
@click.option("--ramp", type=Seconds(), default=1.0, help="Seconds to spread connecting over.")
@click.option(
    "--processes", type=click.IntRange(1, 256), default=1, help="Processes to share the clients."
)
@click.option("--seed", type=int, default=1, help="Chooses who gets which symbols.")
@click.option(
    "--json",
    "json_output",
    envvar="TICKERPLANT_JSON",
    is_flag=True,
    help="Print one JSON object.",
)
def load(symbols_each: int, **options: Any) -> int:
    """Put a server under load; tell its throughput and latency."""
    from clients.load import run_load

    return run_load(options.pop("url"), symbols_each=symbols_each or None, **options)


@click.command(context_settings=CONTEXT)
@click.option(
    "--symbols",
    default="30",
    metavar="N|A,B|FILE",
    help="A number, symbols, or a CSV or TOML file.",
)
def symbols(symbols: str) -> int:
    """List instruments, as CSV that --symbols reads back."""
    try:
        universe = Universe.parse(symbols)
    except UniverseError as error:
        raise click.UsageError(f"symbols: {error}") from error
    rows = [asdict(instrument) for instrument in universe]
    writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return 0


@click.command(context_settings=CONTEXT)
@click.option(
    "--symbols", type=click.IntRange(1, 100_000), default=500, help="Symbols of the market."
)
@click.option(
    "--clients", type=click.IntRange(1, 100_000), default=100, help="How many connections."
)
@click.option(
    "--symbols-each", type=click.IntRange(0), default=20, help="Symbols of each client; 0: all."
)
@click.option("--duration", type=Seconds(min_open=True), default=5.0, help="Seconds to count.")
@click.option(
    "--json",
    "json_output",
    envvar="TICKERPLANT_JSON",
    is_flag=True,
    help="Print one JSON object.",
)
def bench(symbols: int, symbols_each: int, **options: Any) -> int:
    """
    Measure what this machine delivers.

    A server with --clock max and a load, on a core each where there are two. It takes some ten seconds.

    \b
    The README's table, by a C client instead of this one, is about:
      --symbols 100 --symbols-each 0   100 clients on everything
      --clients 1000                   1,000 clients on 20 of 500 symbols
    """
    from clients.load import run_load

    each = f"{symbols_each:,} each of" if 0 < symbols_each < symbols else "all"

    command = [
        sys.executable,
        *["-m", "feeds", "serve", "--port", "0", "--ready-json", "--clock", "max"],
    ]
    command += ["--symbols", str(symbols), "--turn-events", str(min(symbols, 4_000))]
    connections = str(options["clients"] + 16)
    command += ["--max-per-address", connections, "--max-connections", connections]
    command += ["--max-symbols", str(symbols)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603  our own command line
        try:
            assert server.stdout is not None
            ready = json.loads(server.stdout.readline() or "{}")
            if "ws" not in ready:
                raise click.ClickException("the server didn't start; its reason is above")
            _pin(ready["pid"])
            about = f"{options['clients']:,} clients on {each} {symbols:,} symbols"
            click.echo(f"{about}, as fast as they read", err=True)
            return run_load(ready["ws"], symbols_each=symbols_each or None, timed=False, **options)
        finally:
            server.terminate()


def _pin(server: int) -> None:
    """Give the server a core of its own, where the system lets us."""
    if not hasattr(os, "sched_setaffinity") or len(cores := sorted(os.sched_getaffinity(0))) < 2:
        return
    os.sched_setaffinity(server, {cores[-1]})
    os.sched_setaffinity(0, set(cores[:-1]))


COMMANDS = (watch, record, load, symbols, bench)
