"""The documents' blocks of shell run, line by line, as a newcomer would type them."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import orjson
import pytest
from documents import DOCUMENTS, ROOT, Block, blocks, in_language
from node_scripts import flags
from shown_commands import COMMANDS, Helps, Line, NotRun, Serves
from tapes import market_tape
from terminal import TIMEOUT_S, Ended, Terminal, served
from websockets.sync.client import connect

from ticker.market import Market
from ticker.universe import Universe

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="there is no bash"),
    pytest.mark.timeout(4 * TIMEOUT_S),
]


def lines(block: Block) -> list[str]:
    """The commands of a block, without comments; a backslash at the end of a line goes on."""
    text = block.text.replace("\\\n", " ")
    found = [re.sub(r"(^|\s+)# .*$", "", line).strip() for line in text.splitlines()]
    return [re.sub(r" +", " ", line) for line in found if line]


@pytest.fixture(scope="module")
def feed() -> Iterator[dict[str, Any]]:
    """The server that documents mean where they start none: busy, so that nothing has to be waited for."""
    with served("--rate", "40") as ready:
        yield ready


@pytest.fixture
def terminal(feed: dict[str, Any], tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in a folder with the files that lines name."""
    with Terminal(tmp_path, feed) as terminal:
        yield terminal


def put_files(folder: Path, block: Block) -> None:
    """Put there what a block takes to be there, as far as it names it."""
    if "tape.ndjson" in block.text:
        market_tape(Market(Universe.of_size(4), seed=3, rate=4.0), 725, folder / "tape.ndjson")
    if "AAPL.csv.gz" in block.text:
        rows = ["ts,px,qty", *(f"{1_767_623_400 + n},187.{43 + n},100" for n in range(9))]
        with gzip.open(folder / "AAPL.csv.gz", "wt") as file:
            file.write("\n".join(rows))
    if "mine.toml" in block.text:
        scenes = [b.text for b in blocks(ROOT / block.document) if b.language == "toml"]
        (folder / "mine.toml").write_text("\n".join(scenes))
    if "make demo" in block.text:
        put_installation(folder)
    if "node watch.mjs" in block.text:
        for path in (*(ROOT / "clients").glob("web/*.js*"), ROOT / "clients/node/watch.mjs"):
            shutil.copy(path, folder / path.name)
        text = (folder / "watch.mjs").read_text()
        (folder / "watch.mjs").write_text(text.replace('"../web/', '"./'))


def put_installation(folder: Path) -> None:
    """A clone in which `make` has done its work: it would ask the package index."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("python", "tickerplant"):
        (folder / ".venv" / "bin" / name).symlink_to(Path(sys.executable).parent / name)
    (folder / ".venv" / "installed").touch()


@contextmanager
def subscriber(url: str, symbol: str) -> Iterator[None]:
    """A client that is subscribed to a symbol, and heard so."""
    with connect(url, open_timeout=TIMEOUT_S) as ws:
        ws.send(json.dumps({"action": "subscribe", "symbols": [symbol]}))
        while "subscribed" not in {item["type"] for item in orjson.loads(ws.recv(TIMEOUT_S))}:
            pass
        yield


def changed(text: str, expected: Line | Serves) -> str:
    for old, new in expected.changed:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def run(terminal: Terminal, text: str, expected: Line) -> None:
    """Run a line that is no server; what it does must be what is expected."""
    if expected.server:
        terminal.serve(expected.server)
        if "certificate" in terminal.ready:
            (terminal.folder / "feed.pem").write_text(terminal.ready["certificate"])
    text = changed(text, expected)
    wanted = expected.subscriber
    with subscriber(terminal.ready["ws"], wanted) if wanted else nullcontext():
        running = terminal.start(text)
        if expected.ends:
            ended, told = running.end(), None
        elif expected.prints:
            told = running.next_line()
            ended = running.interrupt()
        else:
            terminal.wait_for(f"{expected.makes}.part")
            ended, told = running.interrupt(), None
    check(text, expected, ended, ended.out if told is None else told)
    if expected.makes:
        assert (terminal.folder / expected.makes).stat().st_size > 0


def check(text: str, expected: Line, ended: Ended, told: str) -> None:
    if expected.code is not None:
        assert ended.code == expected.code, (text, ended)
    assert "Traceback" not in ended.err, (text, ended)
    assert re.search(expected.prints, told, re.MULTILINE), (text, ended)


@pytest.mark.parametrize("block", in_language("sh"))
def test_a_block_of_shell_does_what_it_is_shown_for(block: Block, terminal: Terminal) -> None:
    """Each line is run, servers beside what follows; `shown_commands` says which aren't, and why."""
    put_files(terminal.folder, block)
    terminal.variables = {"PYTHONPATH": str(ROOT), "BENCH_OUT": str(terminal.folder)}
    if "node watch.mjs" in block.text:
        terminal.variables["NODE_OPTIONS"] = " ".join(flags())
    for text in lines(block):
        match COMMANDS[text]:
            case Serves() as server:
                terminal.serve(changed(text, server), server.code)
                (hello,) = terminal.first_message()
                assert hello["type"] == "hello"
            case Helps():
                assert_options(terminal, text)
            case Line() as expected:
                run(terminal, text, expected)
    terminal.stop_server()


def assert_options(terminal: Terminal, text: str) -> None:
    """The program's own help has each option of the line."""
    words = shlex.split(text)
    ended = terminal.start(shlex.join([*words[:3], "--help"])).end()
    assert ended.code == 0, ended
    for word in words[3:]:
        assert not word.startswith("-") or f"{word} " in ended.out, word


def test_every_line_that_is_shown_is_known_and_no_other() -> None:
    """So that a new line is looked at, and an old one doesn't stay in the list."""
    found = [b for document in DOCUMENTS for b in blocks(document) if b.language == "sh"]
    shown = {line for block in found for line in lines(block)}
    assert sorted(shown) == sorted(COMMANDS)


def test_what_is_not_run_has_a_reason() -> None:
    for line, expected in COMMANDS.items():
        if isinstance(expected, NotRun):
            assert expected.why
        if isinstance(expected, Helps):
            name = line.split()[2].removeprefix("bench.")
            assert f'"{name}"' in (ROOT / "tests" / f"{expected.test}.py").read_text()
