"""The command line in this process, for tests: run to its end, or with serving noted instead of done."""

from __future__ import annotations

import asyncio
import os

import click
import pytest
from click.testing import CliRunner

from feeds.cli import main, serve
from feeds.config import FeedConfig
from feeds.server import FeedServer

__all__ = ["refusal", "run", "served"]


def run(*args: str, code: int = 0, **environment: str) -> tuple[str, str]:
    """Run the command line in this process; give its stdout and stderr."""
    outside = dict.fromkeys(k for k in os.environ if k.startswith("TICKERPLANT_"))
    result = CliRunner(env=outside | environment).invoke(
        click.Command("tickerplant", callback=lambda: main(list(args))), []
    )
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout, result.stderr


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[FeedConfig, bool, str]]:
    """
    Notes what would be served, how it would be announced, and on which loop, instead of serving.

    As on a system that lets a process open as many files as it likes.
    """
    noted: list[tuple[FeedConfig, bool, str]] = []

    async def run_feed(server: FeedServer, *, ready_json: bool, parent: int | None) -> int:
        assert parent in (None, 0)
        loop = type(asyncio.get_running_loop()).__module__.split(".")[0]
        noted.append((server.config, ready_json, loop))
        return 0

    monkeypatch.setattr(serve, "run_feed", run_feed)
    monkeypatch.setattr(serve, "raise_file_limit", lambda *_: None)
    return noted


def refusal(*args: str, **environment: str) -> str:
    """Run what isn't allowed; give the one line that it says."""
    out, err = run(*args, code=2, **environment)
    assert out == ""
    (line,) = err.splitlines()
    return line
