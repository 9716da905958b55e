"""How pictures look: colours that the colour-blind tell apart, on a light card, for light and dark pages."""

import io
from pathlib import Path
from typing import Any

import click

from ticker.batch import QUOTES, STATUS, TRADES, TickBatch

__all__ = [
    "COLOURS",
    "DOWN",
    "GRID",
    "INK",
    "QUIET",
    "UP",
    "Axes",
    "can_draw",
    "figure",
    "only",
    "save",
]

Axes = Any
"""Of matplotlib, which isn't always there."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""After Okabe and Ito, "Color Universal Design", 2008."""

UP, DOWN = COLOURS[0], COLOURS[1]
INK, QUIET = "#1f2328", "#6e7781"
GRID = "#e3e7eb"
_CARD = "#ffffff"
_DPI, _PALETTE = 110, 128
_SUFFIXES = (".png", ".svg", ".pdf")
_STAMPS = {".svg": "Date", ".pdf": "CreationDate"}  # what would differ from run to run
_CHANNELS = {"trades": TRADES, "quotes": QUOTES, "status": STATUS}


def can_draw(path: Path) -> None:
    """
    Check that a picture can be drawn into a file.

    Raises:
        click.UsageError: it is of an unknown kind, or there is no matplotlib.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise click.UsageError(f"plot {str(path)!r} doesn't end in .png, .svg or .pdf")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise click.UsageError(
            "pictures need matplotlib: pip install 'tickerplant[plot]'"
        ) from None


def figure(
    size: tuple[float, float], rows: int, columns: int = 1, **options: Any
) -> tuple[Any, list[Axes]]:
    """Give a figure, in inches, with so many panels, row by row."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: Any = {
        "font.size": 9.5,
        "axes.edgecolor": QUIET,
        "axes.labelcolor": INK,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.titlecolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "legend.frameon": False,
        "svg.hashsalt": "tickerplant",
    }
    with mpl.rc_context(settings):
        made = Figure(figsize=size, layout="constrained", facecolor=_CARD)
        panels = made.subplots(rows, columns, squeeze=False, **options).ravel().tolist()
    return made, panels


def only(batch: TickBatch, symbol: int, channel: str) -> TickBatch:
    """Give the events of one symbol on one channel."""
    return batch[(batch.symbol == symbol) & (batch.channel == _CHANNELS[channel])]


def save(made: Any, path: Path) -> None:
    """
    Write a figure into a file, whose suffix says the format.

    Raises:
        click.UsageError: the file can't be written.
    """
    try:
        if path.suffix.lower() == ".png":
            _small(made, path)
        else:
            made.savefig(path, facecolor=_CARD, metadata={_STAMPS[path.suffix.lower()]: None})
    except OSError as error:
        raise click.UsageError(f"can't write {str(path)!r}: {error.strerror or error}") from error


def _small(made: Any, path: Path) -> None:
    """Write a PNG with a palette: a third of the size, and nobody sees it."""
    from PIL import Image  # which matplotlib brings

    drawn = io.BytesIO()
    made.savefig(drawn, dpi=_DPI, facecolor=_CARD, format="png")
    picture = Image.open(drawn).convert("RGB")
    picture.quantize(_PALETTE, dither=Image.Dither.NONE).save(path, optimize=True)
