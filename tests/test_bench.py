"""The benchmarks run: each of them, few and short, writes its figures, and the report tells them."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="they read /proc"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
    pytest.mark.timeout(300),
]

ROOT = Path(__file__).parent.parent
PROGRAMS = {
    "fanout": ("--scenario", "all-1", "--only", "floor,ours", "--seconds", "0.2"),
    "latency": ("--only", "ours", "--rates", "0.02"),
    "slow": (),
    "connections": ("--loop", "asyncio"),
    "generator": (),
}
PEERS = {
    "aiohttp": "aiohttp",
    "websockets": "websockets",
    "picows": "picows",
    "uws": "socketify",
}


def run(out: Path, module: str, *words: str) -> str:
    """Run a program of bench/ to its end, with a folder of its own, and give what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{module}", *words],
        cwd=ROOT,
        env={**os.environ, "BENCH_OUT": str(out)},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_benchmark_runs_and_is_reported(name: str, tmp_path: Path) -> None:
    run(tmp_path, name, "--quick", *PROGRAMS[name])
    found = json.loads((tmp_path / f"{name}.json").read_text())
    assert found["about"]["machine"]["cores"] == os.cpu_count()
    report = run(tmp_path, "report", str(tmp_path))
    assert report.count("Not measured yet.") == len(PROGRAMS)  # the other four, and the parts
    assert found["about"]["command"] in report
    if name == "slow":
        assert found["others"]["behind_s"] > 0
        assert found["others"]["evicted_s"] > 0
        assert "(control: " in report


def test_what_a_test_costs_is_told(tmp_path: Path) -> None:
    lines = run(tmp_path, "fixture", "--quick").splitlines()
    assert len(lines) == 8
    assert [line.split(",")[0] for line in lines[-2:]] == ["10 tests"] * 2


@pytest.mark.parametrize("row", PEERS)
def test_a_peer_goes_at_the_rate_it_is_told(row: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(PEERS[row]) is None:
        pytest.skip(f"{PEERS[row]} isn't installed")
    run(tmp_path, "latency", "--quick", "--only", row, "--rates", "0.02")
    (cell,) = json.loads((tmp_path / "latency.json").read_text())["medians"]
    assert cell["row"] == row
    assert cell["error"] == ""
    assert cell["delivered"] > 0
