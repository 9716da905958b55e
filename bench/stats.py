"""Medians, spreads and ratios over the rounds, and the doubts about a row."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from bench.cell import Cell
from bench.rows import FLOOR, REFERENCE

__all__ = ["Summary", "summarise"]

_SERVER_BUSY = 0.90
_CLIENT_BUSY = 0.90
_DISTURBED = 0.05
_UNFAIR = 0.5


@dataclass(frozen=True, slots=True)
class Summary:
    """One row of one scenario over all rounds."""

    row: str
    error: str | None
    rounds: int
    rate: float
    """The median; `low` and `high` are the worst and the best round."""
    low: float
    high: float
    of_floor: float | None
    """The median, over the rounds, of this row's rate to the floor's of the same round."""
    of_reference: float | None
    per_cpu: float
    """Deliveries for a second of the server's CPU: holds on a machine that others use too."""
    server_cpu: float
    client_cpu: float
    server_peak_mb: float
    bytes_per_event: float
    bytes_per_read: float
    fairness: float
    """The events of the client with the fewest to those of the one with the most."""
    flags: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return the fields."""
        return asdict(self)


def summarise(cells: Sequence[Cell], keys: Sequence[str]) -> list[Summary]:
    """Sum up the rounds of each row, in the order of the keys."""
    by_row = {key: [cell for cell in cells if cell.row == key] for key in keys}
    rates = {
        key: {cell.round: cell.rate for cell in found if cell.error is None}
        for key, found in by_row.items()
    }
    return [
        _summary(key, found, _ratio(rates, key, FLOOR), _ratio(rates, key, REFERENCE))
        for key, found in by_row.items()
        if found
    ]


def _ratio(rates: dict[str, dict[int, float]], key: str, base: str) -> float | None:
    """
    Return the median ratio of two rows, taken round by round.

    What slows the machine down for a while slows both of a round, so their ratio keeps.
    """
    bases = rates.get(base, {})
    pairs = [
        rate / bases[number] for number, rate in rates[key].items() if bases.get(number, 0.0) > 0.0
    ]
    return statistics.median(pairs) if pairs else None


def _summary(
    key: str, cells: Sequence[Cell], of_floor: float | None, of_reference: float | None
) -> Summary:
    errors = [cell.error for cell in cells if cell.error is not None]
    good = [cell for cell in cells if cell.error is None]

    def median(value: Callable[[Cell], float]) -> float:
        return statistics.median(map(value, good)) if good else 0.0

    return Summary(
        row=key,
        error=errors[0] if errors else None,
        rounds=len(good),
        rate=median(lambda cell: cell.rate),
        low=min((cell.rate for cell in good), default=0.0),
        high=max((cell.rate for cell in good), default=0.0),
        of_floor=of_floor,
        of_reference=of_reference,
        per_cpu=median(lambda cell: cell.rate / max(0.01, cell.server_cpu)),
        server_cpu=median(lambda cell: cell.server_cpu),
        client_cpu=median(lambda cell: cell.client_cpu),
        server_peak_mb=max((cell.server_peak_mb for cell in good), default=0.0),
        bytes_per_event=median(lambda cell: cell.bytes_per_event),
        bytes_per_read=median(lambda cell: cell.bytes / max(1, cell.reads)),
        fairness=min((cell.least / max(1, cell.most) for cell in good), default=0.0),
        flags=_flags(good),
    )


def _flags(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Say what speaks against a row's figure, with the share of rounds that it's true of."""
    doubts: tuple[tuple[str, Callable[[Cell], bool]], ...] = (
        ("server not busy", lambda cell: cell.server_cpu < _SERVER_BUSY),
        ("client busy", lambda cell: cell.client_cpu > _CLIENT_BUSY),
        ("server disturbed", lambda cell: cell.server_waited > _DISTURBED),
        ("client disturbed", lambda cell: cell.client_waited > _DISTURBED),
        ("unfair", lambda cell: cell.least < _UNFAIR * cell.most),
        ("lost connections", lambda cell: cell.gone > 0),
    )
    found = ((text, sum(map(doubt, cells))) for text, doubt in doubts)
    return tuple(f"{text} {count}/{len(cells)}" for text, count in found if count)
