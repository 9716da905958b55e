"""
Markdown from runs: printed, or written between the markers of README.md.

    python -m bench.report [bench/out] [--write]
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.sections import SECTIONS
from bench.tools import BENCH, OUT

__all__ = ["BEGIN", "END", "main", "markdown"]

BEGIN = "<!-- results: written by bench.report -->"
END = "<!-- end of results -->"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report of the runs in a folder, or put it into the README."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, nargs="?", default=OUT, help="where the runs are")
    parser.add_argument("--write", action="store_true", help="into bench/README.md")
    options = parser.parse_args(argv)
    text = markdown(options.folder)
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


def markdown(folder: Path) -> str:
    """Return the report of every run that is in a folder; what was not run is named."""
    parts: list[str] = []
    for name, (title, section) in SECTIONS.items():
        path = folder / f"{name}.json"
        lines = section(json.loads(path.read_text())) if path.exists() else ["Not measured yet."]
        parts.append("\n".join([f"### {title}\n", *lines]))
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
