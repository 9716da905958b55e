"""The documents: every code block in them runs, and the output shown is what comes out."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ticker.scenes import read_scenes

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    *sorted(ROOT.glob("*/README.md")),
    *sorted(ROOT.glob("clients/*/README.md")),
]
DEFAULT_PORT = "127.0.0.1:8765"
SERVER_LINES = 4  # of what an example prints that never ends


def blocks(path: Path) -> Iterator[tuple[str, str]]:
    """Give the language and the text of each fenced block."""
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL):
        yield match[1], match[2]


def of_language(language: str) -> list[pytest.param]:
    """Give the blocks of a language in all documents, with names for the report."""
    return [
        pytest.param(text, id=f"{path.relative_to(ROOT)}-{n}")
        for path in DOCUMENTS
        for n, (found, text) in enumerate(blocks(path))
        if found == language
        and "\ndef test_" not in text  # what is a test runs in test_fixture_example
    ]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server that was started as the README says."""
    command = [sys.executable, "-m", "feeds", "serve", "--port", "0", "--ready-json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["port"]
        server.terminate()
        server.stdout.read()


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
    return [re.sub(r"'[0-9a-f]{16}'|None|-?\d[\d.]*", "0", line) for line in text.splitlines()]


@pytest.mark.parametrize("text", of_language("python"))
def test_python_blocks_run(text: str, port: int) -> None:
    """Every Python block runs as it stands; one that never ends prints something."""
    run_python(text, port, 1 if DEFAULT_PORT in text else None)


def test_the_first_example_prints_what_the_readme_shows(port: int) -> None:
    """The output of the six-line client has the shape that is shown below it."""
    found = list(blocks(ROOT / "README.md"))
    at = next(n for n, (language, _) in enumerate(found) if language == "python")
    language, shown = found[at + 1]
    assert language == "text"
    printed = run_python(found[at][1], port, SERVER_LINES)
    assert len(shown.splitlines()) == SERVER_LINES
    assert shape(printed)[:2] == shape(shown)[:2]
    kinds = {line.split("(")[0] for line in shown.splitlines()}
    assert kinds == {line.split("(")[0] for line in printed.splitlines()}


@pytest.mark.parametrize("text", of_language("console"))
def test_console_blocks_show_the_real_output(text: str) -> None:
    """What is shown under a `$ tickerplant ...` is what that prints."""
    command, _, shown = text.partition("\n")
    words = shlex.split(command.removeprefix("$ "))
    assert words[0] == "tickerplant"
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-m", "feeds", *words[1:]],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=True,
    )
    assert done.stdout.splitlines() == shown.splitlines()


@pytest.mark.parametrize("text", of_language("toml"))
def test_toml_blocks_are_taken_by_the_command_line(text: str, tmp_path: Path) -> None:
    """A configuration, or a file of scenes, that a document shows is accepted."""
    file = tmp_path / "market.toml"
    file.write_text(text)
    if "scene" in tomllib.loads(text):
        assert read_scenes(str(file))
        return
    subprocess.run(
        [sys.executable, "-m", "feeds", "--config", str(file), "serve", "--help"],
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_files_lead_somewhere(path: Path) -> None:
    """A relative link in a document names a file that is there."""
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", path.read_text()):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("text", of_language("sh"))
def test_shell_blocks_name_real_commands(text: str) -> None:
    """A shell block runs make targets, commands of ours, and standard tools that exist under these names."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    help_text = subprocess.run(
        [sys.executable, "-m", "feeds", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] == "make":
            assert words[1] in targets
        elif words[0] == "tickerplant":
            assert re.search(rf"^  {words[1]} ", help_text, re.MULTILINE), words[1]
        else:
            assert words[0] in {"python", "node", "pip", "cd", "curl", "npm"}, line
