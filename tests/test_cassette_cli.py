"""`tickerplant cassette`: options, exit codes, and both commands as programs of their own."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import run
from taping import Exchange, asking, lines_of, received, write_tape
from terminal import process

from feeds.cassette.lines import Message, Opened
from feeds.cassette.proxy import Recorder
from feeds.cli import cassette


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return write_tape(
        tmp_path / "tape.ndjson", [Opened(0.0, 1, "/ws"), Message(0.0, 1, False, "hello")]
    )


@contextmanager
def program(*args: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a command; give it and its first line."""
    with process("cassette", *args) as running:
        assert running.stdout is not None
        yield running, running.stdout.readline()


def ended(running: subprocess.Popen[str], number: int) -> tuple[int, str, str]:
    """Send a signal; give the exit code and the rest of both outputs."""
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    return running.returncode, out, err


def test_what_one_command_records_the_other_plays(tmp_path: Path) -> None:
    """Through the real programs, stopped by the two signals."""
    tape = tmp_path / "tape.ndjson"
    said = '{"op":"subscribe","args":["A"]}'

    async def ask(url: str) -> list[str | bytes]:
        async with asking(f"{url}/v1", said) as ws:
            return await received(ws, 5)

    async def record() -> list[str | bytes]:
        async with Exchange() as feed:
            options = ("--upstream", feed.url, "-o", str(tape), "--port", "0", "--ready-json")
            with program("record", *options) as (process, line):
                heard = await ask(json.loads(line)["ws"])
                end = await asyncio.to_thread(ended, process, signal.SIGINT)
        assert end[:2] == (0, "")
        assert end[2].startswith("1 connections, 6 messages, 0.0 MB in ")
        return heard

    heard = asyncio.run(record())
    with program("play", str(tape), "--port", "0", "--ready-json") as (process, line):
        ready = json.loads(line)
        assert list(ready) == ["event", "url", "ws", "port", "pid", "version"]
        assert ready["ws"] == f"ws://127.0.0.1:{ready['port']}"
        assert asyncio.run(ask(ready["ws"])) == heard
        assert ended(process, signal.SIGTERM) == (0, "", "")


def test_people_are_told_where_it_listens(tape: Path) -> None:
    with program("play", str(tape), "--port", "0") as (process, line):
        assert ": playing at ws://127.0.0.1:" in line
        assert process.stdout is not None
        assert process.stdout.readline() == "Ctrl-C stops it.\n"
        assert ended(process, signal.SIGINT) == (0, "", "")


def test_a_recording_ends_after_its_duration(tmp_path: Path) -> None:
    tape = tmp_path / "tape.ndjson"
    options = ["--output", str(tape), "--port", "0", "--duration", "0.01", "--redact", "session"]
    out, err = run("cassette", "record", "--upstream", "wss://feed.example", *options)
    assert ": recording at ws://127.0.0.1:" in out
    assert err.startswith("0 connections, 0 messages")
    (head,) = lines_of(tape)
    assert (head["upstream"], head["redact"]) == ("wss://feed.example", ["session"])


def test_a_disk_that_is_full_ends_it_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(self: Recorder) -> Recorder:
        self.failure = OSError(28, "No space left on device")
        self.failed.set()
        return self

    async def nothing(*_: object) -> None:
        pass

    monkeypatch.setattr(Recorder, "__aenter__", fails)
    monkeypatch.setattr(Recorder, "__aexit__", nothing)
    monkeypatch.setattr(cassette, "_tell", lambda *_: None)
    options = ["--upstream", "ws://feed.example", "-o", str(tmp_path / "tape")]
    out, err = run("cassette", "record", *options, code=1)
    assert (out, err) == ("", "tickerplant: can't write: No space left on device\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["record", "--upstream", "http://x", "-o", "x"], "upstream 'http://x' is no address"),
        (["record", "-o", "x"], "Missing option '--upstream'"),
        (["record", "--upstream", "ws://x"], "Missing option '--output'"),
        (
            ["record", "--upstream", "ws://x", "-o", "x", "--cafile", "missing.pem"],
            "cafile: can't read certificates from 'missing.pem': No such file",
        ),
        (["play", "missing.ndjson"], "can't read 'missing.ndjson': No such file or directory"),
        (["play", "TAPE", "--timing", "slow"], "unknown timing 'slow'; original, max, manual, and"),
        (["play", "TAPE", "--timing", "manual"], "timing 'manual' is for programs"),
        (["play", "TAPE", "--origin", "x"], "origin 'x' is no origin"),
        (["play", "TAPE", "--host", "192.0.2.1"], "can't listen on 192.0.2.1"),
    ],
)
def test_what_is_not_allowed_is_one_line(args: list[str], said: str, tape: Path) -> None:
    args = [str(tape) if arg == "TAPE" else arg for arg in args]
    out, err = run("cassette", *args, code=2)
    assert out == ""
    assert err.startswith(f"tickerplant: {said}")
    assert err.count("\n") == 1


def test_a_group_has_tables_of_its_own_in_the_file(tmp_path: Path, tape: Path) -> None:
    path = tmp_path / "tickerplant.toml"
    path.write_text('[cassette.play]\ntiming = "soon"\norigin = "https://a.example"\n')
    _, err = run("--config", str(path), "cassette", "play", str(tape), code=2)
    assert err.startswith("tickerplant: unknown timing 'soon'")
    for text, said in (
        ("[cassette.rewind]", "'cassette.rewind' is no command; the tables are cassette.record, "),
        ("[cassette.play]\nx = 1", "'cassette.play' has no option 'x'; its options are host, "),
        ("[cassette]\nplay = 1", "'cassette.play' is no command"),
    ):
        path.write_text(text)
        _, err = run("--config", str(path), "cassette", "play", str(tape), code=2)
        assert f"{path}: {said}" in err
