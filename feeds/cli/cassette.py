"""``tickerplant cassette``: record what any WebSocket feed says, and play it back."""

import asyncio
import json
import logging
import os
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from feeds.cassette.lines import TapeError
from feeds.cassette.player import Player
from feeds.cassette.proxy import Recorder
from feeds.cassette.requests import IGNORED
from feeds.cli.options import CONTEXT, Seconds, together
from feeds.cli.signals import first, stopping
from feeds.errors import ConfigError
from ticker import __version__

__all__ = ["cassette"]

_of_a_server = together(
    click.option("--host", default="127.0.0.1", help="Address to listen on."),
    click.option("--port", type=int, default=8766, help="TCP port; 0: any free one."),
    click.option(
        "--origin",
        multiple=True,
        metavar="ORIGIN",
        help="Let web pages from elsewhere connect; * is all; may be repeated.",
    ),
    click.option("--ready-json", is_flag=True, help="Print one JSON object on stdout when ready."),
)


@click.group()
def cassette() -> None:
    """Record any WebSocket feed through a proxy; play it back."""
    logging.basicConfig(
        level="WARNING", format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )


@cassette.command(context_settings=CONTEXT)
@click.option("--upstream", required=True, metavar="URL", help="The feed: ws://... or wss://...")
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path),
    help="The cassette; it has this name when it is complete.",
)
@_of_a_server
@click.option(
    "--redact",
    multiple=True,
    metavar="NAME",
    help="Name of a field or parameter that is secret, beside the usual ones; may be repeated.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="NAME",
    help="Name of one that isn't, though it sounds like it; may be repeated.",
)
@click.option(
    "--cafile", metavar="FILE", help="Certificates to trust (PEM), instead of the system's."
)
@click.option("--duration", type=Seconds(min_open=True), help="Stop after so many seconds.")
def record(*, ready_json: bool, cafile: str | None, duration: float | None, **options: Any) -> int:
    """
    Write what clients and a feed say to each other.

    Clients connect here instead; each gets a connection of its own to the feed. Secrets aren't written.
    """
    try:
        recorder = Recorder(options.pop("upstream"), trust=_trust(cafile), **options)
        return asyncio.run(_record(recorder, ready_json, duration))
    except ConfigError as error:
        raise click.UsageError(str(error)) from error


@cassette.command(context_settings=CONTEXT)
@click.argument("file", type=click.Path(path_type=Path))
@_of_a_server
@click.option(
    "--timing",
    default="original",
    metavar="original|max|xN",
    help="Pauses as recorded, none, or shorter ones.",
)
@click.option("--loop", is_flag=True, help="Begin anew after the last request when it is over.")
@click.option(
    "--ignore",
    multiple=True,
    default=IGNORED,
    metavar="NAME",
    help="Field that may differ in a request that is the same; may be repeated.",
)
def play(*, file: Path, ready_json: bool, ignore: tuple[str, ...], **options: Any) -> int:
    """
    Serve the cassette FILE.

    Each client gets what was said on the recorded connection on which the same was asked for.
    """
    if options["timing"] == "manual":
        raise click.UsageError("timing 'manual' is for programs: see feeds/README.md")
    try:
        player = Player(file, ignored=ignore, **options)
        return asyncio.run(_play(player, ready_json))
    except (ConfigError, TapeError) as error:
        raise click.UsageError(str(error)) from error


async def _record(recorder: Recorder, ready_json: bool, duration: float | None) -> int:
    with stopping() as stop:
        async with recorder:
            _tell(recorder, "recording", ready_json)
            with suppress(TimeoutError):
                async with asyncio.timeout(duration):
                    await first(stop.wait(), recorder.failed.wait())
    if recorder.failure is not None:
        error = recorder.failure
        click.echo(f"tickerplant: can't write: {error.strerror or error}", err=True)
        return 1
    click.echo(recorder.tape.summary(), err=True)
    return 0


async def _play(player: Player, ready_json: bool) -> int:
    with stopping() as stop:
        async with player:
            _tell(player, "playing", ready_json)
            await stop.wait()
    return 0


def _tell(server: Recorder | Player, doing: str, ready_json: bool) -> None:
    if ready_json:
        ready = {
            "event": "ready",
            "url": server.url,
            "ws": server.ws_url,
            "port": int(server.url.rpartition(":")[2]),
            "pid": os.getpid(),
            "version": __version__,
        }
        click.echo(json.dumps(ready, separators=(",", ":")))
    else:
        click.echo(f"tickerplant {__version__}: {doing} at {server.ws_url}\nCtrl-C stops it.")
    sys.stdout.flush()


def _trust(cafile: str | None) -> ssl.SSLContext | bool:
    if cafile is None:
        return True
    try:
        return ssl.create_default_context(cafile=cafile)
    except OSError as error:
        text = f"cafile: can't read certificates from {cafile!r}: {error.strerror or error}"
        raise ConfigError(text) from None
