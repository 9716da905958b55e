"""The journal: the newest entries, as objects and as text for people."""

from __future__ import annotations

from itertools import count

from feeds.observation.journal import Journal
from feeds.wire.frame import describe_frame, ping_frame, pong_frame, text_frame


def journal(most: int = 3) -> Journal:
    """A journal in which every entry is half a second after the one before."""
    halves = count()
    return Journal(most, lambda: 1_000_500, lambda: next(halves) / 2)


def test_the_newest_are_kept() -> None:
    kept = journal()
    for n in range(5):
        kept.note("command", command="advance", by=n)
    assert (kept.count, len(kept)) == (5, 3)
    assert [entry.detail["by"] for entry in kept.entries()] == [2, 3, 4]
    assert repr(kept) == "<Journal of 5, 3 kept>"


def test_entries_are_found_by_kind_and_client() -> None:
    kept = journal(9)
    kept.note("open", 1, path="/ws")
    kept.note("open", 2, path="/ws")
    kept.note("in", 1, message={"action": "ping"})
    assert [entry.number for entry in kept.entries("open")] == [1, 2]
    assert [entry.number for entry in kept.entries(client=1)] == [1, 3]
    assert [entry.number for entry in kept.entries("in", 2)] == []


def test_it_is_json() -> None:
    kept = journal()
    kept.note("open", 1, path="/ws")
    kept.note("command", command="step", n=1)
    assert kept.as_json() == [
        {"number": 1, "at": 0.5, "time": 1000.5, "kind": "open", "client": 1, "path": "/ws"},
        {"number": 2, "at": 1.0, "time": 1000.5, "kind": "command", "command": "step", "n": 1},
    ]


def test_the_tail_is_for_people() -> None:
    """Long values are cut, and what isn't shown is counted."""
    kept = journal(9)
    assert kept.tail() == "the journal is empty: no client came, and nothing was commanded"
    kept.note("open", 1, path="/ws")
    kept.note("in", 1, message={"action": "ping"})
    kept.note("out", 1, text="x" * 1000)
    assert kept.tail(2).splitlines() == [
        "... 1 earlier entries",
        '    1.000s client 1  in      {"action":"ping"}',
        "    1.500s client 1  out     " + "x" * 157 + "...",
    ]
    assert len(kept.tail().splitlines()) == 3


def test_frames_are_described() -> None:
    """What is written at once: a frame, or a piece of a response."""
    assert describe_frame(text_frame(b'[{"type":"pong"}]')) == '[{"type":"pong"}]'
    assert describe_frame(text_frame(b"x" * 200)) == "x" * 200
    assert describe_frame(text_frame(b"x" * 70_000)) == "x" * 400
    assert describe_frame(ping_frame(b"sync 1")) == "ping sync 1"
    assert describe_frame(pong_frame(b"")) == "pong"
    assert describe_frame(b"\xc1\x05abcde") == "text, 5 bytes, compressed"
    assert describe_frame(b"\x88\x02\x03\xe8") == "close \x03�"
    assert describe_frame(b"\x83\x00") == "unknown"
    assert describe_frame(b"1a\r\ndata: []\n\n\r\n") == "1a\r\ndata: []\n\n\r\n"
    assert describe_frame(b"") == ""
