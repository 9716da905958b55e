"""The command that draws: a day, a crash, the verdicts; and the pictures of the README."""

from __future__ import annotations

import re
import shlex
import struct
import sys
from functools import partial
from pathlib import Path

import pytest
from terminal import exit_code

from feeds.cli import cli

ROOT = Path(__file__).parent.parent
README = ROOT / "ticker" / "README.md"
COMMAND = re.compile(r"^tickerplant (plot .+)$", re.MULTILINE)
run = partial(exit_code, "plot")


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a PNG, in pixels."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


@pytest.mark.parametrize(
    "what", [("day", "--symbols", "BAC"), ("crash",), ("verdicts", "--symbols", "3", "--sessions", "1")]
)  # fmt: skip
def test_each_picture_is_one(what: tuple[str, ...], tmp_path: Path) -> None:
    """A PNG that isn't too large for a page, of the same market the same."""
    pytest.importorskip("matplotlib")
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    assert run(what[0], str(one), *what[1:]) == 0
    width, height = size_of(one)
    assert 800 <= width <= 1_300
    assert 600 <= height <= 1_600
    assert 15_000 < one.stat().st_size < 150_000
    if what[0] == "crash":
        assert run(what[0], str(other), *what[1:]) == 0
        assert one.read_bytes() == other.read_bytes()


def test_a_crash_has_its_limit_state_its_pause_and_its_trades(tmp_path: Path) -> None:
    """As words and dots of a picture that can be read."""
    pytest.importorskip("matplotlib")
    path = tmp_path / "crash.svg"
    assert run("crash", str(path), "--symbols", "MSFT", "--seed", "3") == 0
    text = path.read_text(encoding="utf-8")
    words = re.findall(r"<!-- (.+?) -->", text)
    assert any(word.startswith("MSFT: a fall that runs into") for word in words)
    assert {"limit state", "trades", "bid and ask", "the limit state"} <= set(words)
    assert [word for word in words if word in ("paused", "LUDP")]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("day", "day.gif"), "plot 'day.gif' doesn't end in .png, .svg or .pdf"),
        (("night", "x.png"), "Invalid value for '{day|crash|verdicts}': 'night' is not one of"),
        (("day", "x.png", "--symbols", "7"), "7 symbols; at most 6 can be told apart"),
        (("crash", "x.png", "--symbols", "7"), "7 symbols; at most 6 can be told apart"),
        (("crash", "x.png", "--symbols", "none.csv"), "none.csv"),
        (("crash", "nowhere/x.png"), "can't write 'nowhere/x.png': No such file or directory"),
    ],
)
def test_what_cant_be_drawn_is_one_clear_line(
    args: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    assert run(*args) == 2
    told = capsys.readouterr().err
    assert told.startswith("tickerplant: ")
    assert message in told
    assert told.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run("day", "day.png") == 2
    expected = "tickerplant: pictures need matplotlib: pip install 'tickerplant[plot]'\n"
    assert capsys.readouterr().err == expected


def test_the_pictures_of_the_readme_are_those_of_its_commands() -> None:
    """Each is there, is small, and stands below a command that names it and that there is."""
    text = README.read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]{20,}\]\(([\w-]+\.png)\)", text)
    commands = [shlex.split(line, comments=True) for line in COMMAND.findall(text)]
    assert shown == ["day.png", "crash.png", "verdicts.png"]
    for picture, words in zip(shown, commands, strict=True):
        plot = cli.commands["plot"]
        context = plot.make_context("plot", words[1:])
        assert context.params["file"] == Path("ticker") / picture
        assert size_of(README.parent / picture) > (800, 600)
        assert (README.parent / picture).stat().st_size < 150_000
