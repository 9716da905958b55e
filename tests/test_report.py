"""What is written of the benchmarks: the first page's table, and where it is put."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from documents import ROOT

from bench.headline import FANOUT, headline
from bench.picture import draw_fanout
from bench.report import BEGIN, END, between
from bench.sections import SECTIONS
from bench.table import rate_text

SUMMARY: dict[str, Any] = {
    "error": None,
    "rounds": 5,
    "low": 1.0,
    "high": 2.0,
    "of_floor": None,
    "of_reference": None,
    "per_cpu": 1.0,
    "server_cpu": 1.0,
    "client_cpu": 0.5,
    "server_peak_mb": 2.0,
    "bytes_per_event": 110.0,
    "bytes_per_read": 1000.0,
    "fairness": 1.0,
    "flags": (),
}
KEYS = [
    "floor",
    "ours-uvloop",
    "ours-market",
    "uws",
    "picows",
    "aiohttp",
    "node-ws",
    "websockets",
    "socket.io",
]


def test_the_first_page_has_the_rates_of_both_scenarios_and_the_p99_of_who_keeps_up() -> None:
    scenarios = {
        name: {"rows": [SUMMARY | {"row": key, "rate": base + n} for n, key in enumerate(KEYS)]}
        for name, base in (("all-100", 2_000_000), ("sub-20", 150_000))
    }
    medians = [
        {"row": "ours", "rate": 1e6, "delivered": 0.95e6, "p50": 7.0, "p99": 15.2, "doubts": ""},
        {"row": "node-ws", "rate": 2e5, "delivered": 19e4, "p50": 7e2, "p99": 9e2, "doubts": ""},
        {"row": "node-ws", "rate": 5e5, "delivered": 1e5, "p50": 3e3, "p99": 5e3, "doubts": "old"},
        {"row": "uws", "rate": 2e6, "delivered": 2e6, "p50": 7.0, "p99": 15.2, "doubts": ""},
    ]
    lines = list(headline({"scenarios": scenarios}, {"medians": medians}))
    assert len(lines) == 2 + len(KEYS)
    assert lines[2] == "| a C loop of `send(2)`, the floor | 2.00 M | 150 k |  |"
    assert lines[4] == "| **tickerplant serve**, market and all | 2.00 M | 150 k | 15 ms |"
    assert lines[5] == "| uWebSockets (C++), `publish` | 2.00 M | 150 k |  |"
    assert lines[8] == "| Node `ws`, `clients.forEach(send)` | 2.00 M | 150 k | at most 190 k |"


def run_of(rounds: int) -> dict[str, Any]:
    """A fan-out of so many rounds, with a row that couldn't run."""
    rows = [
        SUMMARY | {"row": key, "rate": 1000.0 + n, "low": 900.0, "high": 1100.0}
        for n, key in enumerate(KEYS)
    ]
    rows[3] |= {"rate": 0.0, "low": 0.0, "high": 0.0}
    machine = {"cpu": "C", "cores": 2, "system": "S", "server_core": 1, "client_core": 0}
    about = {"machine": machine, "versions": {}, "command": "c", "date": "d", "seconds": 2}
    scenarios = {name: {"title": name, "rows": rows} for name in FANOUT}
    return {"about": about | {"rounds": rounds}, "scenarios": scenarios}


def test_fewer_rounds_than_the_rules_ask_for_are_a_doubt() -> None:
    """The page's own rule 3; a claim that doesn't keep it says so itself."""
    _, section = SECTIONS["fanout"]
    doubt = "**Doubt**: these are 3 rounds, where rule 3 asks for 5."
    assert doubt in list(section(run_of(3)))
    assert not [line for line in section(run_of(5)) if "Doubt" in line]


def test_the_fan_out_is_drawn(tmp_path: Path) -> None:
    """Each row by its name and rate, also one that couldn't run; the same run gives the same bytes."""
    one, two = tmp_path / "a" / "fanout.svg", tmp_path / "b" / "fanout.svg"
    for path in (one, two):
        path.parent.mkdir()
        draw_fanout(run_of(5), path)
    text = one.read_text()
    assert one.read_bytes() == two.read_bytes()
    assert text.count("uWebSockets (C++), publish") == 1  # one axis of names for both
    assert "100 clients on everything: deliveries/s" in text


def test_every_figure_of_the_first_page_is_in_the_report() -> None:
    """Both are written at once; whoever edits one of them by hand is found out."""
    _, table, _ = between((ROOT / "README.md").read_text())
    _, report, _ = between((ROOT / "bench" / "README.md").read_text())
    figures = re.findall(r"\| (\d[\d.]* [Mk])(?= \|)", table)
    assert len(figures) == 2 * len(KEYS)
    for figure in figures:
        assert f"| {figure} |" in report


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (f"a{BEGIN}b{END}c", (f"a{BEGIN}", "b", f"{END}c")),
        ("a", ("a", "", "")),
    ],
)
def test_a_page_is_parted_at_its_markers(text: str, parts: tuple[str, str, str]) -> None:
    assert between(text) == parts


def test_rates_have_three_digits() -> None:
    assert [rate_text(r) for r in (287_000, 2.614e6, 19.4e6, 999_700)] == [
        "287 k",
        "2.61 M",
        "19.4 M",
        "1.00 M",
    ]
