"""
Markdown from runs: printed, or written between the markers of README.md, a few rows of it into that of the project too.

    python -m bench.report [bench/out] [--write]
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.headline import headline
from bench.picture import draw_fanout
from bench.sections import SECTIONS
from bench.tools import BENCH, OUT

__all__ = ["BEGIN", "END", "between", "headlines", "main", "markdown"]

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
    first = headlines(options.folder)
    if (fanout := options.folder / "fanout.json").exists():
        draw_fanout(json.loads(fanout.read_text()), BENCH / "fanout.svg")
    pages = {BENCH / "README.md": text, **({BENCH.parent / "README.md": first} if first else {})}
    for page, written in pages.items():
        before, old, after = between(page.read_text())
        if not old:
            print(f"no markers in {page}", file=sys.stderr)
            return 1
        page.write_text(f"{before}\n\n{written}\n\n{after}")
    return 0


def between(text: str) -> tuple[str, str, str]:
    """Part a page at its markers: what stands before, in between, which is empty without markers, and behind."""
    before, begin, rest = text.partition(BEGIN)
    results, end, after = rest.partition(END)
    return before + begin, results if end else "", end + after


def markdown(folder: Path) -> str:
    """Return the report of every run that is in a folder; what was not run is named."""
    parts: list[str] = []
    for name, (title, section) in SECTIONS.items():
        path = folder / f"{name}.json"
        lines = section(json.loads(path.read_text())) if path.exists() else ["Not measured yet."]
        parts.append("\n".join([f"### {title}\n", *lines]))
    return "\n\n".join(parts)


def headlines(folder: Path) -> str:
    """Return the table of the first page; nothing if one of its runs isn't there."""
    runs = [folder / f"{name}.json" for name in ("fanout", "latency")]
    if not all(path.exists() for path in runs):
        return ""
    return "\n".join(headline(*(json.loads(path.read_text()) for path in runs)))


if __name__ == "__main__":
    sys.exit(main())
