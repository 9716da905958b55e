"""What a stylised fact is: something to measure, the bands it must be in, and what a tape needs to be judged by it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ticker.facts.verdict import Band, Verdict
from ticker.facts.view import View

__all__ = ["Fact", "Measured", "fact"]

Measured = dict[str, tuple[float, Band | None]]
"""Numbers by their names, each with the band that it must be in; None: it is only told."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A stylised fact."""

    number: str
    """Its number in the table of ``ticker/README.md``."""
    name: str
    source: str
    measure: Callable[[View], Measured]
    gating: bool = True
    """Whether a tape that fails it fails."""
    needs: dict[str, int] = field(default_factory=dict)
    """What a tape must have: arguments of :meth:`~ticker.facts.view.View.lack`."""

    def judge(self, view: View) -> Verdict:
        """Measure, if there is enough to measure."""
        missing = view.lack(**self.needs)
        found = {} if missing else self.measure(view)
        return Verdict(
            self.number,
            self.name,
            {name: value for name, (value, _) in found.items()},
            {name: band for name, (_, band) in found.items() if band},
            self.source,
            self.gating,
            missing,
        )


def fact(
    number: str, name: str, source: str, *, gating: bool = True, **needs: int
) -> Callable[[Callable[[View], Measured]], Fact]:
    """Make a fact of the function that measures it."""

    def of(measure: Callable[[View], Measured]) -> Fact:
        return Fact(number, name, source, measure, gating, needs)

    return of
