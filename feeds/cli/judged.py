"""The options of ``validate`` that judge a tape, and what is read of it."""

from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from click.core import ParameterSource

from feeds.cli.options import together
from feeds.errors import ConfigError
from feeds.replay import FileTape, ReplayOptions
from ticker.facts import Panel
from ticker.facts.cutting import Hours
from ticker.facts.recorded import Recording, read_tape
from ticker.tape import TapeError

__all__ = ["Input", "input_options", "panel_of", "take_input"]

_ANY_ORDER = 1 << 40  # all of it is in memory anyhow
_MOST_NAMED = 5
_OF_A_MARKET = ("symbols", "seed", "sessions", "model")
_OF_A_TAPE = ("map", "hours", "scale", "size_scale")

input_options = together(
    click.option(
        "--input",
        metavar="PATH",
        help="Judge this tape (NDJSON, CSV, Parquet), and simulate nothing.",
    ),
    click.option(
        "--input-map",
        default="",
        show_default=False,
        metavar="FIELD=COLUMN,...",
        help="The tape's columns for time, symbol, price, size, bid, bid_size, ask, ask_size.",
    ),
    click.option(
        "--input-hours",
        default="",
        show_default=False,
        metavar="FROM-TO[@ZONE]",
        help="The tape's sessions, such as 9:30-16:00@America/New_York; else from night to night.",
    ),
    click.option(
        "--input-scale", type=float, default=1.0, help="Multiplies prices; a power of ten."
    ),
    click.option("--input-size-scale", type=float, default=1.0, help="Multiplies sizes."),
)


@dataclass(frozen=True, slots=True)
class Input:
    """A tape to judge."""

    options: ReplayOptions
    hours: Hours | None
    """Of its sessions; None: from night to night."""


def take_input(options: dict[str, Any]) -> Input | None:
    """
    Read the options of a tape, if there is one.

    Raises:
        ConfigError: one isn't allowed, or doesn't go with another one.
    """
    source = click.get_current_context().get_parameter_source
    of_tape = [f"input_{name}" for name in _OF_A_TAPE]
    given = {
        name
        for name in (*_OF_A_MARKET, *of_tape)
        if source(name) not in (ParameterSource.DEFAULT, None)
    }
    path = options["input"]
    for name in of_tape if path is None else _OF_A_MARKET:
        if name in given:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(
                f"{option} needs --input PATH"
                if path is None
                else f"--input judges a tape as it is: {option} has no effect on it"
            )
    if path is None:
        return None
    try:
        hours = Hours.parse(options["input_hours"]) if options["input_hours"] else None
    except ValueError as error:
        raise ConfigError(str(error)) from error
    tape = ReplayOptions.parse(
        path,
        options["input_map"],
        "",
        scale=options["input_scale"],
        size_scale=options["input_size_scale"],
    )
    if tape.places is None:
        raise ConfigError(f"input-scale {tape.scale!r} is no power of ten")
    return Input(tape, hours)


def panel_of(judged: Input) -> Panel:
    """
    Read a tape, and tell on stderr what of it isn't judged.

    Raises:
        ConfigError: its format is unknown.
        TapeError: it can't be read, or a value on it isn't allowed.
    """
    options = judged.options
    path = options.path
    try:
        tape = FileTape(
            path, options.columns, options.size_scale, _ANY_ORDER, places=options.places or 0
        )
        recording = read_tape(tape)
        panel = recording.panel(judged.hours)
    except TapeError as error:
        text = str(error)
        if "none was mapped to it" in text:
            text += "; --input-map FIELD=COLUMN,... maps them"
        raise TapeError(text if str(path) in text else f"{path}: {text}") from error
    left_out = [f"{count} {what}" for what, count in tape.left_out.items() if count]
    for what in (*left_out, *_unjudged(recording, panel)):
        click.echo(f"tickerplant: {path}: left out {what}", err=True)
    by_trades = np.count_nonzero(panel.unquoted & panel.usable())
    if by_trades:
        click.echo(
            f"tickerplant: {path}: {by_trades} symbols have no quotes: their prices are those of trades",
            err=True,
        )
    return panel


def _unjudged(recording: Recording, panel: Panel) -> list[str]:
    """Tell of events and symbols that the panel doesn't have."""
    outside = len(recording.ticks) - panel.trades - panel.quotes
    left_out = [f"{outside} events outside of the sessions"] * bool(outside)
    useless = np.array(recording.symbols)[~panel.usable()].tolist()
    if useless:
        which = ", ".join(useless[:_MOST_NAMED]) + ", ..." * (len(useless) > _MOST_NAMED)
        left_out.append(f"{len(useless)} symbols without a price or a move in a session: {which}")
    return left_out
