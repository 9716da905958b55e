"""``tickerplant validate``: does a market show what the literature says of markets?"""

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from feeds.cli.judged import input_options, panel_of, take_input
from feeds.cli.options import CONTEXT
from feeds.cli.pictures.style import can_draw
from feeds.errors import ConfigError
from ticker.facts import NothingToJudgeError, Panel, Verdict, accepted, judge, simulate
from ticker.instruments import UniverseError
from ticker.model import MODELS
from ticker.tape import TapeError
from ticker.universe import Universe

__all__ = ["simulated", "validate"]

_MOST_SESSIONS = 1_000
_MOST_SYMBOLS = 2_000
_WIDTH_WITH_SOURCES = 110
_WORDS = {True: "[green]pass", False: "[red]FAIL", None: "[dim]not judged"}


@click.command(context_settings=CONTEXT)
@click.option("--seed", type=int, default=7, help="The market's seed.")
@click.option(
    "--symbols",
    default="50",
    metavar="N|A,B|FILE",
    help="A number, symbols, or a CSV or TOML file.",
)
@click.option(
    "--sessions",
    type=click.IntRange(1, _MOST_SESSIONS),
    default=20,
    help="Days of 390 minutes to simulate.",
)
@click.option(
    "--model", type=click.Choice(list(MODELS)), default="full", help="What the market is made of."
)
@input_options
@click.option(
    "--json",
    "as_json",
    envvar="TICKERPLANT_JSON",
    is_flag=True,
    help="Print one JSON object.",
)
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE.png", help="Draw a panel a fact."
)
def validate(
    *,
    seed: int,
    symbols: str,
    sessions: int,
    model: str,
    as_json: bool,
    plot: Path | None,
    **of_input: Any,
) -> int:
    """
    Test a market for the stylised facts of the literature.

    Exits with 1 if one that gates fails, or none can be judged.
    """
    if plot:
        can_draw(plot)
    begun = time.perf_counter()
    try:
        tape = take_input(of_input)
        panel = panel_of(tape) if tape else simulated(seed, symbols, sessions, model)
        verdicts = judge(panel)
    except (UniverseError, TapeError, ConfigError) as error:
        raise click.UsageError(str(error)) from error
    except NothingToJudgeError as error:
        click.echo(f"tickerplant: {error}", err=True)
        return 1
    what: dict[str, Any] = (
        {"input": str(tape.options.path)} if tape else {"model": model, "seed": seed}
    )
    what |= _counts(panel)
    if plot:
        from feeds.cli.pictures.verdicts import draw

        draw(panel, verdicts, plot)
    good = accepted(verdicts)
    if as_json:
        facts = [verdict.as_dict() for verdict in verdicts]
        click.echo(json.dumps(what | {"passed": good, "facts": facts}))
    else:
        _print(what, verdicts, good, time.perf_counter() - begun)
    return 0 if good else 1


def _counts(panel: Panel) -> dict[str, int]:
    return {
        "symbols": len(panel.sectors),
        "sessions": panel.sessions,
        "minutes": panel.seconds // 60,
        "trades": panel.trades,
        "quotes": panel.quotes,
    }


def simulated(seed: int, symbols: str, sessions: int, model: str) -> Panel:
    """Let a market run, with a bar that shows how far it is."""
    universe = Universe.parse(symbols)
    if len(universe) > _MOST_SYMBOLS:
        raise UniverseError(f"{len(universe)} symbols; at most {_MOST_SYMBOLS} can be validated")
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(f"{sessions} sessions", total=None)
        return simulate(
            universe,
            seed=seed,
            sessions=sessions,
            model=model,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _print(what: dict[str, Any], verdicts: list[Verdict], good: bool, seconds: float) -> None:
    title = ", ".join(f"{k} {v:,}" if isinstance(v, int) else f"{k} {v}" for k, v in what.items())
    console = Console(width=None if sys.stdout.isatty() else 160)
    sources = console.width >= _WIDTH_WITH_SOURCES
    table = Table(title=title, title_justify="left")
    for column in ("", "fact", "measured (accepted)", *(["source"] if sources else []), "verdict"):
        table.add_column(column, no_wrap=column == "verdict")
    for verdict in verdicts:
        word = _WORDS[verdict.passed] + ("" if verdict.gating else "\n[dim](reported)")
        source = [verdict.source] if sources else []
        table.add_row(verdict.number, verdict.fact, _measured(verdict), *source, word)
    console.print(table)
    failed = [v.number for v in verdicts if v.failed]
    judged = sum(v.gating and v.passed is not None for v in verdicts)
    unjudged = sum(v.gating for v in verdicts) - judged
    if good:
        end = f"[green]all {judged} gating facts pass"
        end += f", {unjudged} can't be judged" * bool(unjudged)
    elif failed:
        end = f"[red]{len(failed)} of {judged} gating facts fail: {', '.join(failed)}"
    else:
        end = "[red]no gating fact could be judged"
    console.print(f"{end}[/] [dim]({seconds:.0f} s)")


def _measured(verdict: Verdict) -> str:
    """A line for each number, with its band; red where it is out of it."""
    if verdict.missing:
        return f"[dim]needs {verdict.missing}"
    lines = []
    for name, value in verdict.measured.items():
        band = verdict.bands.get(name)
        shown = f"{escape(name)}: {_short(value)}"
        lines.append(shown if band is None or band.holds(value) else f"[red]{shown}[/]")
        lines[-1] += "" if band is None else f" [dim]({band})[/]"
    return "\n".join(lines)


def _short(value: float) -> str:
    if not math.isfinite(value):
        return "none"
    return f"{value:.2g}" if 0 < abs(value) < 0.001 else f"{value:.3f}".rstrip("0").rstrip(".")
