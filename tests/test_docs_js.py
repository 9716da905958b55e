"""The documents' blocks of JavaScript run: modules under Node and in a browser, as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import ROOT, Block, in_language
from node_scripts import NODE, flags
from playwright.sync_api import Browser, Page
from terminal import environment, served
from test_page import TIMEOUT_MS
from test_page import browser as browser

BLOCKS = in_language("js")
MODULES = [param for param in BLOCKS if "import {" in param.values[0].text]
FOR_PAGES = [param for param in BLOCKS if "node" not in param.values[0].document]


@pytest.fixture(scope="module")
def feed() -> Iterator[dict[str, Any]]:
    """The server that blocks connect to."""
    with served("--rate", "50") as ready:
        yield ready


GOES_ON = """
import { TickerClient } from "./ticker-client.js";
const client = new TickerClient("ws://localhost:8765/ws");
const printed = new Promise((resolve) => {
  const log = console.log;
  console.log = (...values) => { log(...values); resolve(); };
});
"""
"""What a block that only goes on with a `client` goes on from; it ends when something was printed."""


def complete(text: str) -> str:
    """Give a block as a program: most are one as they stand."""
    if "new TickerClient" in text or not re.search(r"^(await )?client\.", text, re.MULTILINE):
        return text
    return f"{GOES_ON}{text}\nawait printed;\nclient.close();"


def on_port(text: str, feed: dict[str, Any]) -> str:
    return text.replace("localhost:8765", f"127.0.0.1:{feed['port']}")


@pytest.mark.node
@pytest.mark.parametrize("block", MODULES)
def test_a_module_runs_under_node(block: Block, feed: dict[str, Any], tmp_path: Path) -> None:
    """Beside the files that its document says to copy, and nothing else; to its end, without a complaint."""
    folder = (ROOT / block.document).parent
    for path in (*folder.glob("ticker-*.js"), *folder.glob("feed.mjs"), *folder.glob("*.json")):
        shutil.copy(path, tmp_path)
    (tmp_path / "example.mjs").write_text(on_port(complete(block.text), feed))
    done = subprocess.run(
        [NODE or "node", *flags(), "example.mjs"],
        cwd=tmp_path,
        env=environment(PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"\w", done.stdout)


@pytest.fixture
def page(browser: Browser, feed: dict[str, Any]) -> Iterator[Page]:
    """The server's own page, which lets scripts in that are not its own."""
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{feed['url']}/")
    yield page
    context.close()
    assert errors == []


@pytest.mark.browser
@pytest.mark.parametrize("block", FOR_PAGES)
def test_a_block_runs_in_a_page(block: Block, feed: dict[str, Any], page: Page) -> None:
    """As a module of a page of the same server; `show`, where it is named, is the page's."""
    shown = "globalThis.show = (event) => { globalThis.shown = event.type; };\n"
    text = on_port(complete(block.text), feed).replace('"./ticker-', '"/static/ticker-')
    imports = "\n".join(line for line in text.splitlines() if line.startswith("import "))
    rest = "\n".join(line for line in text.splitlines() if not line.startswith("import "))
    script = f"{imports}\n{shown}{rest}\nglobalThis.atEnd = true;"
    page.add_script_tag(content=script, type="module")
    page.wait_for_function("globalThis.atEnd")
    if "show" in block.text:
        page.wait_for_function("globalThis.shown === 'trade' || globalThis.shown === 'quote'")
