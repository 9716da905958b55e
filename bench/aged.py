"""One row at one rate: what was measured, what speaks against it, and up to where a row kept up."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.rows import ROWS

__all__ = ["CEILING_MS", "HEADINGS", "OURS", "Aged", "ceiling", "median", "row_title"]

CEILING_MS = 25.0
"""The p99 up to which a row is said to keep up."""

OURS = {
    "ours": "tickerplant serve",
    "ours-asyncio": "tickerplant serve, asyncio",
    "ours-gbm": "tickerplant serve --model gbm",
}
"""Rows that aren't peers."""

HEADINGS = (
    *("row", "wanted", "delivered", "p50 ms", "p90", "p99", "p99.9", "max"),
    *("server", "client", "doubts"),
)


@dataclass(frozen=True, slots=True)
class Aged:
    """One row at one rate, once; latencies in milliseconds."""

    row: str
    rate: float
    """Deliveries a second that were wanted."""
    delivered: float = 0.0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    max: float = 0.0
    server_cpu: float = 0.0
    client_cpu: float = 0.0
    server_waited: float = 0.0
    """Share of the time for which the server could have run, but something else had its core."""
    gone: int = 0
    error: str = ""

    @property
    def fell_behind(self) -> bool:
        """Whether there is no point in a higher rate: less came than was wanted, and it came late."""
        return self.delivered < 0.8 * self.rate and not 0 < self.p50 < CEILING_MS

    @property
    def doubts(self) -> str:
        """What speaks against the figure."""
        found = [self.error] if self.error else []
        if self.delivered and not 0.9 < self.delivered / self.rate < 1.1:
            found.append(f"{self.delivered / self.rate:.0%} of the rate")
        if self.client_cpu > 0.9:
            found.append("client busy")
        if self.server_waited > 0.05:
            found.append("server disturbed")
        if self.gone:
            found.append(f"{self.gone} connections lost")
        return "; ".join(found)

    def to_json(self) -> dict[str, object]:
        """Return the fields and the doubts."""
        return {**asdict(self), "doubts": self.doubts}

    def cells(self) -> list[str]:
        """Return it as texts, in the order of the headings."""
        wanted = f"{self.rate / 1e6:g} M"
        if not self.delivered:
            return [row_title(self.row), wanted, "nothing", *[""] * 7, self.doubts]
        latencies = [f"{ms:.2f}" for ms in (self.p50, self.p90, self.p99, self.p999, self.max)]
        shares = [f"{share:.0%}" for share in (self.server_cpu, self.client_cpu)]
        delivered = f"{self.delivered / 1e6:.2f} M"
        return [row_title(self.row), wanted, delivered, *latencies, *shares, self.doubts]


def median(cells: Sequence[Aged]) -> Aged:
    """Give the round in the middle, by its p99; of none that went well, the first."""
    good = [cell for cell in cells if not cell.error]
    if not good:
        return cells[0]
    middle = statistics.median_low(cell.p99 for cell in good)
    return next(cell for cell in good if cell.p99 == middle)


def ceiling(cells: Sequence[Aged]) -> str:
    """Say, from a row's medians, up to which of the rates it kept up, and past which it wasn't tried."""
    held = [c.rate for c in cells if c.p99 < CEILING_MS and 0.9 * c.rate < c.delivered]
    most = f"{max(held) / 1e6:g} M deliveries/s" if held else "none of the rates"
    text = f"{row_title(cells[0].row)}: p99 under {CEILING_MS:g} ms up to {most}"
    if cells[-1].fell_behind:
        text += f"; not tried past {cells[-1].rate / 1e6:g} M"
    return text


def row_title(row: str) -> str:
    """Say what a row is."""
    return OURS.get(row) or ROWS[row].title
