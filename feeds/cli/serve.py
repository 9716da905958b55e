"""``tickerplant serve``: the live market."""

import asyncio
import gc
import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from feeds.admission.file_limit import raise_file_limit
from feeds.cli.access import access_options, take_limits
from feeds.cli.banner import banner, ready_line
from feeds.cli.loop_errors import LoopErrors
from feeds.cli.options import CONTEXT, Start, of_field, together
from feeds.cli.parent import at_the_end_of
from feeds.cli.replay import looking_through, replay_options, take_replay
from feeds.cli.signals import first, stopping
from feeds.config import FeedConfig
from feeds.errors import ConfigError
from feeds.plants import most_sessions
from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy, Slow
from ticker.model import MODELS
from ticker.regulation.us import RULES

__all__ = ["loop_factory", "run_feed", "serve"]

log = logging.getLogger("feeds")


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """
    Give the maker of an event loop: ``auto`` is uvloop where it is installed.

    Raises:
        ConfigError: uvloop was asked for and isn't installed.
    """
    if name == "asyncio" or (name == "auto" and find_spec("uvloop") is None):
        return None
    if find_spec("uvloop") is None:
        raise ConfigError(
            "loop 'uvloop' isn't installed here: pip install uvloop, or choose asyncio"
        )
    import uvloop

    return uvloop.new_event_loop


def _web_root() -> Path | None:
    import clients

    root = Path(clients.__file__).parent / "web"
    return root if (root / "index.html").is_file() else None


_backlog = partial(of_field, BacklogPolicy())

_of_slow_consumers = together(
    click.option(
        "--slow",
        type=click.Choice([mode.value for mode in Slow]),
        default=Slow.CONFLATE.value,
        help="What is done for a slow client.",
    ),
    _backlog("--soft-limit", "Unread bytes that make a client slow."),
    _backlog("--low-water", "Unread bytes with which it is slow no longer."),
    _backlog("--hard-limit", "Unread bytes that evict a client."),
    _backlog("--no-progress-s", "Seconds without a byte read that evict a slow client."),
    _backlog("--soft-seconds", "Seconds of being slow that evict a client; 0: any time."),
)


@click.command(context_settings=CONTEXT)
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", type=int, default=8765, help="TCP port; 0: any free one.")
@click.option(
    "--symbols",
    default="30",
    metavar="N|A,B|FILE",
    help="A number, symbols, or a CSV or TOML file.",
)
@click.option(
    "--rate",
    type=float,
    default=10.0,
    help="Events a second and symbol, trades and quotes together.",
)
@click.option("--seed", type=int, default=7, help="Same seed and options, same events.")
@click.option(
    "--model",
    type=click.Choice(list(MODELS)),
    default="full",
    help="Market with the literature's stylised facts, or a plain random walk.",
)
@click.option(
    "--rules",
    type=click.Choice(RULES),
    default="open",
    help="Always open, or the US market's sessions, halts and conditions.",
)
@click.option(
    "--scenario",
    multiple=True,
    metavar="NAME|FILE",
    help="What is played from the start on, such as flash_crash, or a TOML file; may be repeated.",
)
@click.option(
    "--clock",
    default="wall",
    metavar="wall|manual|max|xN",
    help="Where the market's time comes from.",
)
@click.option(
    "--start",
    type=Start(),
    metavar="TIME",
    help="The market's time at the start, such as 2026-01-05T14:30:00Z; else now, or a fixed day for max and manual.",
)
@replay_options
@click.option(
    "--turn-ms",
    type=float,
    default=5.0,
    help="Pace of turns, in milliseconds; up to ten times as fast where that lets events out sooner.",
)
@click.option("--turn-events", type=int, default=500, help="Events of a turn with --clock max.")
@click.option(
    "--heartbeat-s", type=float, default=5.0, help="Longest silence of a connection, in seconds."
)
@click.option(
    "--history-mb", type=float, default=64.0, help="Memory to resume from, in megabytes; 0: none."
)
@_of_slow_consumers
@access_options
@click.option(
    "--compress", is_flag=True, help="Compress for clients that can, once for all who share."
)
@click.option(
    "--loop", type=click.Choice(["auto", "asyncio", "uvloop"]), default="auto", help="Event loop."
)
@click.option("--ready-json", is_flag=True, help="Print one JSON object on stdout when ready.")
@click.option("--control", is_flag=True, help="Let tests drive it, under /control/.")
@click.option("--exit-with-parent", is_flag=True, help="Stop when stdin closes.")
@click.option(
    "--shutdown-timeout",
    type=float,
    default=5.0,
    help="Seconds that clients have to read on when it stops.",
)
@click.option(
    "--stall-timeout",
    type=float,
    default=5.0,
    help="Seconds without a turn after which /health is 503.",
)
@click.option(
    "--slow-turn-ms",
    type=float,
    default=250.0,
    help="Warn of turns and pauses longer than this; 0: never.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="warning",
    help="What is logged, to stderr.",
)
@click.option("--verbose", "-v", is_flag=True, help="The same as --log-level info.")
def serve(
    *,
    loop: str,
    ready_json: bool,
    exit_with_parent: bool,
    log_level: str,
    verbose: bool,
    **options: Any,
) -> int:
    """Serve a live market until interrupted."""
    logging.basicConfig(
        level="INFO" if verbose and log_level != "debug" else log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # aiohttp warns of subprotocols that we don't speak, in the client's words: anybody could fill the log with them.
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
    try:
        limits = take_limits(options)
        options["start_us"] = options.pop("start")
        options["replay"] = take_replay(options)
        backlog = BacklogPolicy(**{f.name: options.pop(f.name) for f in fields(BacklogPolicy)})
        config = FeedConfig(**options, limits=limits, backlog=backlog, web_root=_web_root())
        raise_file_limit(limits, most_sessions(config))
        with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
            stdin = 0 if exit_with_parent else None
            return runner.run(run_feed(_server(config), ready_json=ready_json, parent=stdin))
    except ConfigError as error:
        raise click.UsageError(str(error)) from error


def _server(config: FeedConfig) -> FeedServer:
    if config.replay is None:
        return FeedServer(config)
    with looking_through(config.replay.path) as progress:
        return FeedServer(config, progress=progress)


def _calm_the_collector() -> None:
    """
    Let the garbage collector look at new objects rarely, and at old ones hardly ever.

    A connection is a few hundred objects that live long; a full collection over thousands of them stops the feed for
    tenths of a second, and there is next to nothing in cycles to find (``bench/connections.py``).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)


async def run_feed(server: FeedServer, *, ready_json: bool, parent: int | None = None) -> int:
    """
    Serve until SIGINT or SIGTERM; give the exit code: 0, or 1 when the feed failed.

    Args:
        server: what to serve.
        ready_json: whether to print one JSON object when it is ready.
        parent: a file descriptor whose end is an end, too.
    """
    _calm_the_collector()
    asyncio.get_running_loop().set_exception_handler(LoopErrors())
    with stopping() as stop, ExitStack() as stack:
        async with server:
            if parent is not None:
                stack.enter_context(at_the_end_of(parent, stop.set))
            click.echo(ready_line(server) if ready_json else banner(server))
            sys.stdout.flush()
            await first(stop.wait(), server.wait())
    stats = server.plant.hub.stats
    log.info(
        "stopped: %d turns, %d events, %d deliveries, %d evicted",
        server.plant.pump.turns,
        server.plant.pump.events,
        server.plant.hub.deliveries(),
        sum(stats.evicted.values()),
    )
    return 0 if server.plant.pump.failure is None else 1
