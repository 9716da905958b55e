"""The samples of tests in JavaScript pass: with Node's own runner, and with Playwright in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from node_scripts import CLIENTS, NODE, flags
from terminal import environment

pytestmark = pytest.mark.node

SAMPLES = CLIENTS / "node"
SCRIPTS = Path(sys.executable).parent
CHROMIUM = Path(os.environ.get("CHROMIUM") or "/usr/bin/chromium")
ENVIRONMENT = environment(PATH=f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}")


def give_up(reason: str) -> None:
    """Skip, or fail where that isn't allowed."""
    if "node" in os.environ.get("TICKERPLANT_REQUIRE", ""):
        pytest.fail(f"TICKERPLANT_REQUIRE wants node, and {reason}")
    pytest.skip(reason)


def test_the_sample_with_nodes_own_runner_passes() -> None:
    done = subprocess.run(
        [NODE or "node", *flags(), str(SAMPLES / "feed.test.mjs")],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"pass 4$", done.stdout, re.MULTILINE)


def start_feed(folder: Path, options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script that starts a feed with options, written as in JavaScript, and prints why it can't."""
    script = folder / "script.mjs"
    module = (SAMPLES / "feed.mjs").as_uri()
    script.write_text(
        f'import {{ startFeed }} from "{module}";\n'
        f"await startFeed({options}).catch(({{ message }}) => console.log(message));\n"
    )
    return subprocess.run(
        [NODE or "node", *flags(), str(script)],
        env=ENVIRONMENT | variables,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_a_feed_that_does_not_start_is_told(tmp_path: Path) -> None:
    """And none is left behind when the test is killed, as `tests/test_parent.py` shows."""
    done = start_feed(tmp_path, '"--clock", "slow"')
    assert done.stdout == "tickerplant ended with 2\n"
    assert "unknown clock 'slow'" in done.stderr


def test_a_command_that_isnt_there_is_told(tmp_path: Path) -> None:
    """With what would help: it is what everybody meets first who has tickerplant in a virtual environment."""
    done = start_feed(tmp_path, "", TICKERPLANT="nowhere")
    assert done.stdout == (
        "can't start nowhere (ENOENT): put it on the PATH, or its path into TICKERPLANT\n"
    )


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_sample_with_playwright_passes(tmp_path: Path) -> None:
    """As its page says, but for the browser, which is the system's."""
    flags()
    npm = shutil.which("npm")
    if npm is None:
        give_up("npm is not installed")
    if not CHROMIUM.exists():
        give_up(f"there is no Chromium at {CHROMIUM}")
    assert npm is not None
    sample = tmp_path / "node"
    shutil.copytree(SAMPLES, sample, ignore=shutil.ignore_patterns("node_modules", "test-results"))
    variables = ENVIRONMENT | {"CHROMIUM": str(CHROMIUM), "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=sample, env=variables, capture_output=True, text=True, timeout=200
        )

    installed = run(npm, "install", "--no-save", "--no-audit", "--no-fund", "@playwright/test")
    if installed.returncode:
        give_up(f"npm can't install @playwright/test: {installed.stderr[-500:]}")
    done = run(
        npm, "exec", "--", "playwright", "test", "--config", "playwright", "--reporter", "line"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
