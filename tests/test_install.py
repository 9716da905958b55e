"""What `pip install .` puts into place is all that is needed, from any directory."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from documents import ROOT
from terminal import Terminal


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as pip builds it, but with the hatchling that is here."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "wheel", "-q", *options, "-w", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("tickerplant-*.whl")
    return found


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in an empty folder, where Python finds the wheel's packages and nothing of the clone."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "elsewhere").mkdir()
    with Terminal(tmp_path / "elsewhere") as terminal:
        terminal.variables = {"PYTHONPATH": str(tmp_path / "site")}
        terminal.without = "COVERAGE_"  # these are other files than those that are measured
        yield terminal


def test_it_serves_the_page_from_any_directory(installed: Terminal, tmp_path: Path) -> None:
    """With everything that the page asks for."""
    found = installed.start("python -c 'import feeds; print(feeds.__file__)'").end()
    assert found.out.startswith(str(tmp_path)), found
    installed.serve("python -m feeds serve")
    page = httpx.get(installed.ready["url"], timeout=60).text
    needed = re.findall(r'(?:src|href)="(/[^"#:]+\.(?:js|css))"', page)
    assert len(needed) >= 2
    for path in needed:
        assert httpx.get(installed.ready["url"] + path, timeout=60).status_code == 200
    installed.stop_server()


def test_it_has_the_packages_and_nothing_else(wheel: Path) -> None:
    """No tests, no benchmarks; the command, the plugin, and the marks of typed packages."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entries,) = [archive.read(n).decode() for n in names if n.endswith("entry_points.txt")]
    assert {name.split("/")[0].partition("-")[0] for name in names} == {
        "clients",
        "feeds",
        "ticker",
        "tickerplant",
    }
    assert {f"{p}/py.typed" for p in ("clients", "feeds", "ticker")} <= set(names)
    assert {"feeds/PROTOCOL.md", "feeds/grafana.json", "clients/web/index.html"} <= set(names)
    assert not [name for name in names if "node_modules" in name or name.endswith(".pyc")]
    assert "tickerplant = feeds.__main__:main" in entries
    assert "ticker_feed = feeds.pytest_plugin" in entries
