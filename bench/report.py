"""
Markdown from a run: printed, or written between the markers of README.md.

    python -m bench.report bench/out/fanout.json [--write]
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.stats import Summary
from bench.table import HEADINGS, table_cells
from bench.tools import BENCH

__all__ = ["BEGIN", "END", "main", "markdown"]

BEGIN = "<!-- results: written by bench.report -->"
END = "<!-- end of results -->"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report of a run, or put it into the README."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("json", type=Path, help="what bench.fanout wrote")
    parser.add_argument("--write", action="store_true", help="into bench/README.md")
    options = parser.parse_args(argv)
    text = markdown(json.loads(options.json.read_text()))
    if not options.write:
        print(text)
        return 0
    readme = BENCH / "README.md"
    before, begin, rest = readme.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        print(f"no markers in {readme.name}", file=sys.stderr)
        return 1
    readme.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
    return 0


def markdown(run: dict[str, Any]) -> str:
    """Return the whole report of a run."""
    return "\n".join([*_about(run["about"]), *_scenarios(run["scenarios"])])


def _about(about: dict[str, Any]) -> Iterator[str]:
    machine = about["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    yield f"`{about['command']}`, {about['date']} UTC;"
    yield f"{about['rounds']} x {about['seconds']:g} s a row, after a warm-up."
    yield (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}; "
        f"server on core {machine['server_core']}, load client on core {machine['client_core']}."
    )
    yield f"{versions}."


def _scenarios(scenarios: dict[str, Any]) -> Iterator[str]:
    for name, scenario in scenarios.items():
        yield f"\n**{name}**: {scenario['title']}\n"
        yield _line(HEADINGS)
        yield _line(["---", *["---:"] * (len(HEADINGS) - 2), "---"])
        for row in scenario["rows"]:
            yield _line(table_cells(Summary(**row)))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


if __name__ == "__main__":
    sys.exit(main())
