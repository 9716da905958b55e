"""What the micro-benchmarks report beside their times: what one event, one write, one cell costs."""

from typing import Any

__all__ = ["Benchmark", "note_cost", "note_rate"]

Benchmark = Any
"""The fixture of pytest-benchmark, which has no types."""

_UNITS = {"ns": 1e9, "us": 1e6}


def note_cost(
    benchmark: Benchmark,
    name: str,
    count: float,
    *,
    of: str = "median",
    digits: int | None = None,
) -> None:
    """
    Note what each of so many things in a run costs; nothing, where nothing is measured (``--benchmark-disable``).

    Args:
        benchmark: the fixture, after its run.
        name: of the figure; begins with its unit: ``ns_an_event``, ``us_an_event``.
        count: how many there are in a run.
        of: which time of all runs: ``median``, ``mean`` or ``min``.
        digits: behind the point.
    """
    if benchmark.stats is not None:
        unit = _UNITS[name.partition("_")[0]]
        benchmark.extra_info[name] = round(benchmark.stats[of] / count * unit, digits)


def note_rate(benchmark: Benchmark, count: float, *, of: str = "median", digits: int = 1) -> None:
    """Note how many millions a second that is, likewise."""
    if benchmark.stats is not None:
        rate = count / benchmark.stats[of] / 1e6
        benchmark.extra_info["millions_a_second"] = round(rate, digits)
