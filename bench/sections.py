"""What the report says of each kind of run: JSON in, lines of Markdown out."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench.aged import HEADINGS as HEADINGS_AGED
from bench.aged import Aged
from bench.headline import ROWS
from bench.stats import Summary
from bench.table import HEADINGS, table_cells

__all__ = ["SECTIONS"]

Run = dict[str, Any]

_ROUNDS = 5
"""As few as there may be for a claim."""


def _about(about: Run) -> Iterator[str]:
    """On what, and with what."""
    machine = about["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    yield f"`{about['command']}`, {about['date']} UTC."
    yield (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}; "
        f"server on core {machine['server_core']}, load client on core {machine['client_core']}."
    )
    yield f"{versions}."


def _fanout(run: Run) -> Iterator[str]:
    about = run["about"]
    yield from _about(about)
    yield f"{about['rounds']} x {about['seconds']:g} s a row, after a warm-up."
    if about["rounds"] < _ROUNDS:
        yield f"**Doubt**: these are {about['rounds']} rounds, where rule 3 asks for {_ROUNDS}."
    yield f"\n![{', '.join(ROWS)}: deliveries a second](fanout.svg)"
    for name, scenario in run["scenarios"].items():
        yield f"\n**{name}**: {scenario['title']}\n"
        yield from _table(HEADINGS, (table_cells(Summary(**row)) for row in scenario["rows"]))


def _latency(run: Run) -> Iterator[str]:
    yield from _about(run["about"])
    yield f"\n{run['title']}; {run['seconds']:g} s a round, the median of {run['rounds']} by p99. Milliseconds from an event's time to its client:\n"
    if run["rounds"] < _ROUNDS:
        yield f"**Doubt**: of {run['rounds']} round{'s' * (run['rounds'] > 1)} a row and rate, where rule 3 asks for {_ROUNDS}.\n"
    fields = [field.name for field in dataclasses.fields(Aged)]
    cells = (Aged(**{name: cell[name] for name in fields}) for cell in run["medians"])
    yield from _table(HEADINGS_AGED, (cell.cells() for cell in cells))
    yield ""
    for line in run["ceilings"]:
        yield f"* {line}"


def _slow(run: Run) -> Iterator[str]:
    others = run["others"]
    yield from _about(run["about"])
    yield f"\n{others['clients']:,} clients, of which {others['stalled']:,} stop reading; the control is a run where nobody does.\n"
    headings = ("the others", "p50 ms", "p99 ms")
    rows = others["latency"].items()
    yield from _table(headings, ([n, f"{q['p50']:.1f}", f"{q['p99']:.1f}"] for n, q in rows))
    yield f"\nWhile all of them are behind, the others' p99 is {others['p99_ratio']:.2f} times what it was before"
    yield f"(control: {others['p99_ratio_control']:.2f} times). Memory, less the control's: at most {others['kb_each']:.0f} KB for"
    yield f"each that stalled; within {others['after_s']:g} s of their eviction {others['kb_left_each']:.1f} KB of it were left."
    if others["too_soon"]:
        yield f"Doubt: {others['too_soon']} were gone before the latency was measured."
    yield "What a client reads first after a stall:\n"
    stale = run["stale"].items()
    cells = ([n, f"{s['stall_s']:g}", f"{s['kb']:.0f}", f"{s['age_s']:.1f}"] for n, s in stale)
    yield from _table(("`TCP_NOTSENT_LOWAT`", "stall s", "old KB", "oldest event, s"), cells)


def _connections(run: Run) -> Iterator[str]:
    yield from _about(run["about"])
    yield ""
    yield from _table(
        ("loop", "connections", "accepted a second", "KB each, idle"),
        (
            [r["loop"], f"{r['connections']:,}", f"{r['accepted_per_s']:,}", str(r["kb_each"])]
            for r in run["rows"]
        ),
    )


def _generator(run: Run) -> Iterator[str]:
    yield from _about(run["about"])
    yield f"\nPlain walk, 10,000 symbols: {run['walk_millions']:.0f} M steps x symbols a second of CPU time."
    full, gbm = run["ns_of_500"]["full"], run["ns_of_500"]["gbm"]
    yield f"Made alone, 500 symbols: {1e3 / full:.2f} M complete events a second of CPU time, on one core."
    yield f"The full model costs {full / gbm:.2f} times as much an event as plain GBM, at 500 symbols."
    yield f"Made and encoded, 500 symbols: {run['events_millions']:.2f} M events a second of CPU time."
    yield "What an event costs the market, in nanoseconds, by the number of symbols, at 100,000 events a second in all:\n"
    symbols = list(next(iter(run["ns_an_event"].values())))
    rows = run["ns_an_event"].items()
    yield from _table(
        ("model", *(f"{int(n):,}" for n in symbols)),
        ([model, *(f"{line[n]:.0f}" for n in symbols)] for model, line in rows),
    )
    yield "\n![What an event costs, by the number of symbols](generator.svg)"


def _micro(run: Run) -> Iterator[str]:
    """What pytest-benchmark wrote: of each benchmark its median and what it noted."""
    yield f"`make bench`, {run['datetime'][:16].replace('T', ' ')} UTC.\n"
    rows = []
    for found in run["benchmarks"]:
        noted = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in found["extra_info"].items())
        name = f"`{found['fullname'].removeprefix('bench/')}`"
        rows.append([name, f"{found['stats']['median'] * 1e6:,.1f}", noted])
    yield from _table(("benchmark", "median µs", "noted"), rows)


def _table(
    headings: Sequence[str], rows: Iterator[Sequence[str]] | list[list[str]]
) -> Iterator[str]:
    """A table whose first column is words and whose others are figures."""
    yield _line(headings)
    yield _line(["---", *["---:"] * (len(headings) - 1)])
    for row in rows:
        yield _line(row)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


SECTIONS: dict[str, tuple[str, Callable[[Run], Iterator[str]]]] = {
    "fanout": ("Fan-out", _fanout),
    "latency": ("Latency under load", _latency),
    "slow": ("Slow clients", _slow),
    "connections": ("Connections", _connections),
    "generator": ("The generator", _generator),
    "micro": ("Parts", _micro),
}
"""By the name of a run's file: its heading, and what writes it."""
