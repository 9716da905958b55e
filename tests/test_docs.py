"""The documents: every block of code in them runs, and the output shown is what comes out."""

from __future__ import annotations

import pkgutil
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import DOCUMENTS, ROOT, Block, anchors, blocks, in_language, links, write
from terminal import COMMAND, environment, served

from ticker.staging.scenes import read_scenes

DEFAULT_PORT = "127.0.0.1:8765"
TESTS = Path(__file__).parent

RUN_BY = {
    "python": "test_docs",
    "console": "test_docs",
    "toml": "test_docs",
    "sh": "test_docs_shell",
    "js": "test_docs_js",
    "json": "test_protocol_examples",
    "html": "test_fixture_example",
}
"""By language, the test that runs the blocks; `text` is what a Python block before it prints, or one of these."""
OTHER_TEXT = {
    ("feeds/README.md", "What flows"): "a drawing",
    ("feeds/PROTOCOL.md", "Streams"): "test_protocol_doc",
    ("feeds/PROTOCOL.md", "Books"): "test_protocol_examples",
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server that was started as the README says."""
    with served() as ready:
        yield ready["port"]


def run_python(text: str, port: int, lines: int | None) -> str:
    """Run a block, its server being ours; give what it prints, or its first lines."""
    text = text.replace(DEFAULT_PORT, f"127.0.0.1:{port}")
    command = [sys.executable, "-u", "-W", "error", "-c", text]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as example:
        assert example.stdout is not None
        assert example.stderr is not None
        if lines is None:
            out, errors = example.communicate(timeout=60)
            assert example.returncode == 0, errors
            return out
        out = "".join(example.stdout.readline() for _ in range(lines))
        example.terminate()
        example.stdout.read()
        assert out.count("\n") == lines, example.stderr.read()
        return out


def shape(text: str) -> list[str]:
    """Give lines without their numbers, and without what depends on them."""
    return [re.sub(r"'[0-9a-f]{16}'|None|-?\d[\d.,]*", "0", line) for line in text.splitlines()]


def fields(text: str) -> dict[str, list[str]]:
    """Give the names of the fields of each kind of line, `Kind(name=..., ...)`."""
    found = {line.split("(")[0]: re.findall(r"\b(\w+)=", line) for line in shape(text)}
    assert all(found.values()), text
    return found


def output_of(block: Block) -> str | None:
    """Give the output that is shown below a block: a `text` that comes next, in the same section."""
    following = [b for b in blocks(ROOT / block.document) if b.line > block.line][:1]
    for found in following:
        if found.language == "text" and found.section == block.section:
            return found.text
    return None


@pytest.mark.parametrize("block", in_language("python"))
def test_python_blocks_run_and_print_what_is_shown(
    block: Block, port: int, pytestconfig: pytest.Config
) -> None:
    """As they stand. Of one that never ends, as many lines as are shown, or one; of the kinds, and with the fields, shown."""
    if block.is_test:
        return  # it is run by test_fixture_example
    shown = output_of(block)
    endless = DEFAULT_PORT in block.text
    wanted = len(shown.splitlines()) if shown is not None else 1
    printed = run_python(block.text, port, wanted if endless else None)
    if shown is None:
        return
    alike = fields(printed) == fields(shown) if endless else shape(printed) == shape(shown)
    if not alike and pytestconfig.getoption("--write-docs"):
        write(block, shown, printed)
        return
    assert alike, f"it prints\n{printed}"


@pytest.mark.parametrize("block", in_language("console"))
def test_console_blocks_show_the_real_output(block: Block, pytestconfig: pytest.Config) -> None:
    """What is shown under a `$ tickerplant ...` is what that prints."""
    commands = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert commands.pop(0) == ""
    for text in commands:
        command, _, shown = text.partition("\n")
        words = shlex.split(command)
        assert words[0] == "tickerplant"
        done = subprocess.run(
            [*COMMAND, *words[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=environment(),
        )
        if done.stdout != shown and pytestconfig.getoption("--write-docs"):
            write(block, shown, done.stdout)
            continue
        assert done.stdout.splitlines() == shown.rstrip().splitlines()


@pytest.mark.parametrize("block", in_language("toml"))
def test_toml_blocks_are_taken(block: Block, tmp_path: Path) -> None:
    """A file of scenes is read; a configuration is served, and what it says is so."""
    file = tmp_path / "market.toml"
    file.write_text(block.text)
    found = tomllib.loads(block.text)
    if "scene" in found:
        assert len(read_scenes(str(file))) == len(found["scene"])
        return
    with subprocess.Popen(
        [*COMMAND, "--config", str(file), "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as server:
        assert server.stdout is not None
        said = server.stdout.readline()
        server.terminate()
        server.stdout.read()
    table = found["serve"]
    symbols = table["symbols"].split(",")
    expected = f"{len(symbols)} invented symbols, {len(symbols) * table['rate']} events a second"
    assert expected in said
    assert f"clock {table['clock']}" in said


def test_every_block_of_code_is_run_by_a_test() -> None:
    """Each has a language, each language a test, and each output what prints it."""
    for document in DOCUMENTS:
        outputs = [output_of(b) for b in blocks(document) if b.language == "python"]
        for block in blocks(document):
            if block.language != "text":
                assert (TESTS / f"{RUN_BY[block.language]}.py").exists(), block
            elif block.text not in outputs:
                assert (block.document, block.section) in OTHER_TEXT, block


def test_there_are_blocks_of_every_language() -> None:
    """So that a parser that finds nothing is noticed."""
    found = [block.language for document in DOCUMENTS for block in blocks(document)]
    assert set(found) == {*RUN_BY, "text"}
    assert len(found) > 40


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_within_the_project_lead_somewhere(path: Path) -> None:
    """A relative link names a file that is there, and a heading in it if it names one."""
    for target in links(path):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_document_is_there() -> None:
    """Also one that somebody puts elsewhere: git knows of no other."""
    done = subprocess.run(["git", "ls-files", "*.md"], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        pytest.skip("this isn't a clone")
    assert sorted(done.stdout.split()) == sorted(p.relative_to(ROOT).as_posix() for p in DOCUMENTS)


REFERENCES = re.compile(
    r":(?:class|mod|func|meth|attr|data|exc):`~?((?:ticker|feeds|clients)\.[\w.]+)`"
)


def test_what_docstrings_refer_to_is_there() -> None:
    """A full name between backquotes can be imported: a module, or something in one."""
    sources = [
        p for package in ("ticker", "feeds", "clients") for p in (ROOT / package).rglob("*.py")
    ]
    names = {name for path in sources for name in REFERENCES.findall(path.read_text())}
    assert len(names) > 50
    for name in sorted(names):
        assert pkgutil.resolve_name(name) is not None
