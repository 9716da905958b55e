"""`tickerplant record`: write what the feed sends into a file, one JSON object a line, or as Parquet."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson

from clients.client import DEFAULT_URL, TickerClient
from clients.core.connection import trust
from clients.core.decode import Item
from clients.events import Disconnected, Gap
from clients.terminal.parquet import ParquetLines, needs
from clients.terminal.running import note_of, race, run_until_signal

__all__ = ["Recorder", "record", "run_record", "split"]

REPLIES = frozenset(
    {"subscribed", "unsubscribed", "symbols", "authenticated", "pong", "heartbeat", "error"}
)
"""What is between the client and the server only, and no part of the market's story."""
SEQUENCED = frozenset({"trade", "quote", "bar", "status", "depth"})
"""What counts as an event."""
PROGRESS_S = 1.0
PARQUET = ".parquet"


class Lines(Protocol):
    """Where lines are written to."""

    def write(self, data: bytes, /) -> int:
        """Take whole lines; give their length."""
        ...

    def flush(self) -> None:
        """Let readers of the file have them."""
        ...


def run_record(url: str = DEFAULT_URL, *, output: str, **options: Any) -> int:
    """Record into the file *output*, `-` for stdout; return the exit code. *options* are those of `record`.

    It ends on Ctrl-C, too. 1 if the server can't be reached or refuses, or the file can't be
    written.
    """
    if output.endswith(PARQUET) and (missing := needs()):
        print(f"error: cannot write {output}: {missing}", file=sys.stderr)
        return 1
    try:
        return run_until_signal(lambda stop: record(url, output=output, stop=stop, **options))
    except OSError as error:
        print(f"error: cannot write {output}: {error.strerror or error}", file=sys.stderr)
        return 1


async def record(
    url: str,
    *,
    output: str,
    stop: asyncio.Event,
    symbols: Sequence[str] = ("*",),
    channels: Sequence[str] = ("trades", "quotes"),
    interval: str | None = None,
    count: int | None = None,
    duration: float | None = None,
    token: str | None = None,
    cafile: str | None = None,
    verify: bool = True,
) -> int:
    """Record until *stop* is set, after *count* events, or *duration* seconds.

    Each line is one object as the server sent it: `hello` first, and again after a reconnect; then
    snapshots, events and gaps; in a file whose name ends in `.parquet`, a row (`ParquetLines`).
    A file appears under its name when it is complete, until then it is `output.part`; it replaces
    one of that name. Progress goes to stderr when that is a terminal, lost events in any case.
    Raises the errors of the client and of the file.
    """
    # What comes before the server has agreed is kept in memory: a refusal leaves no file behind.
    early = io.BytesIO()
    recorder = Recorder(early, stop, count)
    client = TickerClient(
        url, token=token, ssl=trust(cafile, verify=verify), on_message=recorder.take
    )
    async with client:
        await client.subscribe(*symbols, channels=channels, interval=interval)
        with _opened(output) as file:
            file.write(early.getvalue())
            file.flush()
            recorder.file = file
            if duration is not None:
                asyncio.get_running_loop().call_later(duration, stop.set)
            try:
                await race(stop, _follow(client, recorder), _progress(recorder))
            finally:
                print(f"{_begin()}{recorder.summary()}", file=sys.stderr)
    return 0


@contextmanager
def _opened(output: str) -> Iterator[Lines]:
    """Open *output*, and put the file in its place when the block is left."""
    if output == "-":
        yield sys.stdout.buffer
        return
    path = Path(output)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        try:
            if output.endswith(PARQUET):
                with closing(ParquetLines(file)) as lines:
                    yield lines
            else:
                yield file
        finally:
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)


def split(text: str, items: list[Item]) -> list[str]:
    """Cut the text of a message into the texts of its objects, one line each.

    The cut is at `,{"type":"`, which no JSON string can hold, as a quote is escaped there. Should
    the server write its messages otherwise, the objects are written again, with the same values.
    """
    start = '{"type":"'
    head, *tail = text[1:-1].split("," + start)
    lines = [head, *[start + part for part in tail]]
    if len(lines) == len(items) and "\n" not in text and all(map(_is_whole, lines, items)):
        return lines
    return [orjson.dumps(item).decode() for item in items]


def _is_state(item: Item) -> bool:
    """Tell whether it is a book as it stands, which is no event."""
    return item.get("snapshot") is True and "merged" not in item


def _is_whole(line: str, item: Item) -> bool:
    return line.startswith(f'{{"type":"{item["type"]}"') and line.endswith("}")


@dataclass(slots=True)
class Recorder:
    """Writes messages to a file, up to *count* events; then it sets *done*."""

    file: Lines
    done: asyncio.Event
    count: int | None = None
    events: int = 0
    written: int = 0
    """Bytes."""
    missing: int = 0
    """Events in gaps."""
    began: float = field(default_factory=time.monotonic)

    def take(self, text: str, items: list[Item]) -> None:
        """Write what belongs into a recording; OSError when the file can't be written."""
        lines = []
        for line, item in zip(split(text, items), items, strict=True):
            if self.done.is_set():
                break
            kind = item["type"]
            if kind not in REPLIES:
                lines.append(line)
                self.events += kind in SEQUENCED and not _is_state(item)
                if self.events == self.count:
                    self.done.set()
        if lines:
            self.written += self.file.write("".join(f"{line}\n" for line in lines).encode())
            # A line is in the file soon after it happened, also for who reads the file meanwhile.
            self.file.flush()

    def summary(self) -> str:
        """One line about what was recorded so far."""
        lost = f", {self.missing:,} missing" if self.missing else ""
        return (
            f"{self.events:,} events, {self.written / 1e6:,.1f} MB "
            f"in {time.monotonic() - self.began:,.0f} s{lost}"
        )


async def _follow(client: TickerClient, recorder: Recorder) -> None:
    """Tell on stderr what is not in the file."""
    while events := await client.batch():
        for event in events:
            if isinstance(event, Gap):
                recorder.missing += event.missing
            if isinstance(event, Gap | Disconnected):
                print(note_of(event), file=sys.stderr)


async def _progress(recorder: Recorder) -> None:
    """Overwrite one line every second, if somebody is there to see it."""
    while True:
        await asyncio.sleep(PROGRESS_S)
        if begin := _begin():
            print(f"{begin}{recorder.summary()} ", end="", file=sys.stderr, flush=True)


def _begin() -> str:
    """What takes the line of progress away, and the ^C behind it; nothing where there is no terminal."""
    return "\r\x1b[K" if sys.stderr.isatty() else ""
