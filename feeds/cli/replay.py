"""The options of ``serve`` that replay a tape."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import Progress

from feeds.cli.options import together
from feeds.errors import ConfigError
from feeds.replay import ReplayOptions

__all__ = ["looking_through", "replay_options", "take_replay"]

replay_options = together(
    click.option(
        "--replay",
        metavar="FILE",
        help="Play this tape (NDJSON, CSV, Parquet), and invent nothing.",
    ),
    click.option(
        "--replay-map",
        default="",
        show_default=False,
        metavar="FIELD=COLUMN,...",
        help="The file's columns for time, symbol, price, size, bid, bid_size, ask, ask_size,"
        " exchange, conditions.",
    ),
    click.option("--replay-loop", is_flag=True, help="Begin the tape anew at its end."),
    click.option(
        "--replay-rename",
        default="",
        show_default=False,
        metavar="OLD=NEW,...",
        help="Other names for symbols.",
    ),
    click.option("--replay-scale", type=float, default=1.0, help="Multiplies prices."),
    click.option("--replay-size-scale", type=float, default=1.0, help="Multiplies sizes."),
)
_OF_A_MARKET = ("symbols", "rate", "seed", "model", "rules", "scenario")


def take_replay(options: dict[str, Any]) -> ReplayOptions | None:
    """
    Take what is to be replayed out of a command's options.

    Raises:
        ConfigError: one isn't allowed, or doesn't go with another one.
    """
    names = ("map", "loop", "rename", "scale", "size_scale")
    given = {name: options.pop(f"replay_{name}") for name in names}
    path = options["replay"]
    source = click.get_current_context().get_parameter_source
    set_by_user = {
        name: source(name) not in (ParameterSource.DEFAULT, None)
        for name in (*_OF_A_MARKET, *(f"replay_{name}" for name in names))
    }
    if path is None:
        for name in names:
            if set_by_user[f"replay_{name}"]:
                raise ConfigError(f"--replay-{name.replace('_', '-')} needs --replay FILE")
        return None
    for name in _OF_A_MARKET:
        if set_by_user[name]:
            raise ConfigError(f"--replay plays a tape as it is: --{name} has no effect on it")
    return ReplayOptions.parse(path, given.pop("map"), given.pop("rename"), **given)


@contextmanager
def looking_through(path: Any) -> Iterator[Callable[[float], None]]:
    """Show on a terminal how far a file was gone through."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(f"looking through {path}", total=1.0)
        yield lambda done: progress.update(task, completed=done)
