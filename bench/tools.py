"""What is made at run time, under bench/out: the C programs, npm's packages, the load files."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import Scenario, write_floor, write_load

__all__ = ["BENCH", "OUT", "Tools", "prepare"]

BENCH = Path(__file__).parent
OUT = Path(os.environ.get("BENCH_OUT") or BENCH / "out")
"""Where all that is made goes; the environment may name another folder."""

_NPM_PACKAGES = ("ws@8", "socket.io@4")
_NPM_TIMEOUT_S = 180
_CC_TIMEOUT_S = 60


@dataclass(slots=True)
class Tools:
    """What there is to measure with, and why the rest isn't there."""

    drain: tuple[str, ...]
    """The load client's command."""
    missing: dict[str, str] = field(default_factory=dict)
    """The reason for each of "cc", "node" that can't be had."""
    versions: dict[str, str] = field(default_factory=dict)

    def words(self, scenario: Scenario) -> dict[str, str]:
        """Return what stands for the placeholders of a row's command."""
        return {
            "python": sys.executable,
            "out": str(OUT),
            "peers": str(BENCH / "peers"),
            "node_modules": str(OUT / "node"),
            "load": str(OUT / f"load-{scenario.name}.json"),
            "turns": str(OUT / f"turns-{scenario.name}.bin"),
            "scenario": scenario.name,
            "clients": str(scenario.clients),
            "symbols": str(scenario.symbols),
        }


def prepare(scenarios: Sequence[Scenario], *, node: bool) -> Tools:
    """Compile, install and write all that the run needs; what fails is noted, not raised."""
    OUT.mkdir(parents=True, exist_ok=True)
    for scenario in scenarios:
        write_load(scenario, OUT / f"load-{scenario.name}.json")
        write_floor(scenario, OUT / f"turns-{scenario.name}.bin")
    tools = Tools(drain=(sys.executable, "-m", "bench.drain"))
    _compile(tools)
    if node:
        _install(tools)
    return tools


def _compile(tools: Tools) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        tools.missing["cc"] = "no C compiler"
        return
    for name in ("drain", "floor", "latency"):
        # Not -march=native: on one machine tried it halved the speed of counting.
        made = OUT / f"{name}.{os.getpid()}"
        command = [compiler, "-O3", "-o", str(made), str(BENCH / f"{name}.c")]
        failed = _run(command, _CC_TIMEOUT_S)
        if failed:
            tools.missing["cc"] = failed
            return
        made.replace(OUT / name)  # at once: another run may be using it
    tools.drain = (str(OUT / "drain"),)
    tools.versions["compiler"] = _first_line([compiler, "--version"])


def _install(tools: Tools) -> None:
    if not shutil.which("node") or not shutil.which("npm"):
        tools.missing["node"] = "no Node.js with npm"
        return
    tools.versions["node"] = _first_line(["node", "--version"])
    folder = OUT / "node"
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text('{"private":true}\n')
    packages = [folder / "node_modules" / spec.split("@")[0] for spec in _NPM_PACKAGES]
    if not all((package / "package.json").exists() for package in packages):
        options = ["--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
        failed = _run(["npm", "install", *options, *_NPM_PACKAGES], _NPM_TIMEOUT_S)
        if failed:
            tools.missing["node"] = f"npm install failed: {failed}"
            return
    for package in packages:
        found = json.loads((package / "package.json").read_text())
        tools.versions[f"npm {package.name}"] = found["version"]


def _run(command: Sequence[str], timeout_s: float) -> str | None:
    """Run a command to its end; return what went wrong, or None."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, cwd=OUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {done.returncode}"


def _first_line(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    return done.stdout.partition("\n")[0]
