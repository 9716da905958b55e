"""A verdict: one fact, what was measured, the band that it must be in and its source, and whether it is."""

import math
from dataclasses import dataclass

__all__ = ["Band", "Verdict", "accepted"]


@dataclass(frozen=True, slots=True)
class Band:
    """What one measured number must be: between two bounds, both included."""

    low: float = -math.inf
    high: float = math.inf

    def holds(self, value: float) -> bool:
        """Whether a number is in the band. NaN is in none."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        if self.low == -math.inf:
            return "any" if self.high == math.inf else f"<= {self.high:g}"
        if self.high == math.inf:
            return "> 0" if 0 < self.low < 1e-6 else f">= {self.low:g}"
        return f"{self.low:.4g} to {self.high:.4g}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a tape says about one stylised fact."""

    number: str
    """Its number in the table of ``ticker/README.md``."""
    fact: str
    measured: dict[str, float]
    """Each number that decides, by its name."""
    bands: dict[str, Band]
    """The band of each of them."""
    source: str
    gating: bool = True
    """Whether a failure fails the tape; else it is only reported."""
    missing: str = ""
    """What the tape lacks, so that it can't be judged; empty: nothing."""

    @property
    def passed(self) -> bool | None:
        """Whether every number is in its band; None if that can't be said."""
        if self.missing:
            return None
        return all(band.holds(self.measured[name]) for name, band in self.bands.items())

    @property
    def failed(self) -> bool:
        """Whether it fails the tape."""
        return self.gating and self.passed is False

    def as_dict(self) -> dict[str, object]:
        """Give what a JSON document says of it; a number that isn't there is None."""
        return {
            "number": self.number,
            "fact": self.fact,
            "measured": {
                name: value if math.isfinite(value) else None
                for name, value in self.measured.items()
            },
            "band": {name: str(band) for name, band in self.bands.items()},
            "source": self.source,
            "gating": self.gating,
            "passed": self.passed,
            "missing": self.missing,
        }


def accepted(verdicts: list[Verdict]) -> bool:
    """Whether at least one gating fact could be judged and none failed."""
    judged = [v for v in verdicts if v.gating and v.passed is not None]
    return bool(judged) and not any(v.failed for v in judged)
