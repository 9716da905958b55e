"""The fan-out as a picture: a bar a row, for the two scenarios of the first page."""

from pathlib import Path
from typing import Any

from bench.headline import FANOUT, ROWS
from bench.stats import Summary
from bench.table import rate_text

__all__ = ["draw_fanout"]

_GREY, _OURS = "#7d8590", "#2da44e"  # seen on white and on black


def draw_fanout(run: dict[str, Any], path: Path) -> None:
    """Draw the rows of the first page, in its order, into an SVG: on a linear axis, as a bar's length is its value."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    settings = {"svg.hashsalt": path.name, "svg.fonttype": "none", "text.color": _GREY}
    with mpl.rc_context(settings):
        size = (9, 2.9)
        figure, axes = plt.subplots(1, 2, figsize=size, layout="constrained", sharey=True)
        for axis, (name, title) in zip(axes, FANOUT.items(), strict=True):
            rows = {row["row"]: Summary(**row) for row in run["scenarios"][name]["rows"]}
            _draw(axis, title, [rows[key] for key in ROWS])
        figure.savefig(path, metadata={"Date": None}, transparent=True)
        plt.close(figure)


def _draw(axis: Any, title: str, rows: list[Summary]) -> None:
    """Draw one scenario: bars of the medians, with a line from the lowest to the highest round."""
    names = [name.replace("*", "").replace("`", "") for name, _ in ROWS.values()]
    rates = [row.rate for row in rows]
    spread = [[row.rate - row.low for row in rows], [row.high - row.rate for row in rows]]
    colours = [_OURS if key.startswith("ours") else _GREY for key in ROWS]
    axis.barh(names, rates, height=0.62, color=colours, alpha=0.85)
    axis.errorbar(rates, names, xerr=spread, fmt="none", ecolor=_GREY, elinewidth=1.2)
    for place, row in enumerate(rows):
        at = (max(row.rate, row.high), place)
        told = rate_text(row.rate)
        axis.annotate(told, at, (5, -3), textcoords="offset points", color=_GREY, size=9)
    axis.set_title(f"{title}: deliveries/s", loc="left", size=10, color=_GREY)
    axis.set(xlim=(0, 1.22 * max(row.high for row in rows)), ylim=(len(rows) - 0.5, -0.5))
    axis.tick_params(colors=_GREY, length=0, labelsize=9)
    axis.set_xticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
