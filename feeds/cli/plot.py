"""``tickerplant plot``: pictures of what the market makes."""

from pathlib import Path

import click

from feeds.cli.options import CONTEXT
from feeds.cli.pictures.style import COLOURS, can_draw
from ticker.instruments import UniverseError
from ticker.universe import Universe

__all__ = ["plot"]

_DAY = "AAPL,MSFT,NVDA,JPM,BAC,GS"
_CRASH = "AAPL,NVDA,TSLA,JPM,XOM,KO"


@click.command(context_settings=CONTEXT)
@click.argument("what", type=click.Choice(["day", "crash", "verdicts"]))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--seed", type=int, default=7, help="The market's seed.")
@click.option(
    "--symbols",
    metavar="N|A,B|FILE",
    show_default="six for a day and for a crash, 50 for verdicts",
    help="A number, symbols, or a CSV or TOML file.",
)
@click.option(
    "--sessions", type=click.IntRange(1, 1_000), default=20, help="Days to simulate for verdicts."
)
def plot(*, what: str, file: Path, seed: int, symbols: str | None, sessions: int) -> None:
    """
    Draw a market into a PNG, SVG or PDF.

    A simulated day; a flash crash with its limit states, pause and reopening; or the stylised facts, with verdicts.
    """
    can_draw(file)
    try:
        if what == "day":
            from feeds.cli.pictures import day

            day.draw(_told_apart(symbols or _DAY), seed, file)
        elif what == "crash":
            from feeds.cli.pictures import crash

            crash.draw(_told_apart(symbols or _CRASH), seed, file)
        else:
            from feeds.cli.pictures import verdicts
            from feeds.cli.validate import simulated
            from ticker.facts import judge

            panel = simulated(seed, symbols or "50", sessions, "full")
            verdicts.draw(panel, judge(panel), file)
    except UniverseError as error:
        raise click.UsageError(str(error)) from error


def _told_apart(symbols: str) -> Universe:
    """
    Give some symbols, no more than there are colours.

    Raises:
        UniverseError: they are too many, or can't be read.
    """
    universe = Universe.parse(symbols)
    if len(universe) > len(COLOURS):
        raise UniverseError(f"{len(universe)} symbols; at most {len(COLOURS)} can be told apart")
    return universe
