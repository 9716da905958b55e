"""`tickerplant record`, against a scripted feed."""

import asyncio
import io
import os
import signal
from pathlib import Path
from typing import Any

import orjson
import pytest
from fake_feed import (
    TIME,
    FakeFeed,
    Peer,
    bar,
    feed_in_thread,
    hello,
    plays,
    quote,
    snapshot,
    status,
    trade,
)
from hypothesis import given
from hypothesis import strategies as st

from clients.record import Recorder, record, run_record, split

Item = dict[str, Any]


def read(path: Path) -> list[Item]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_a_recording_holds_what_the_market_did_one_object_a_line(tmp_path: Path) -> None:
    """The hello first, then snapshots and events; no replies and no heartbeats."""
    path = tmp_path / "tape.ndjson"
    items = [trade("AAPL", 1), quote("AAPL", 1), {"type": "heartbeat", "time": TIME}]
    later = [status("AAPL", 1), bar("AAPL", 1, extra={"type": "x"}), trade("AAPL", 2)]
    with feed_in_thread(plays(items, later)) as feed:
        code = run_record(
            feed.url, output=str(path), symbols=["AAPL"], channels=["trades"], count=5
        )
    assert code == 0
    assert read(path) == [hello(), snapshot("AAPL"), *items[:2], *later]
    assert list(tmp_path.iterdir()) == [path]
    assert feed.requests[0]["symbols"] == ["AAPL"]


def test_a_recording_ends_after_so_many_events_exactly(tmp_path: Path) -> None:
    """Also in the middle of a message; snapshots are no events."""
    path = tmp_path / "tape.ndjson"
    with feed_in_thread(plays([trade("AAPL", seq) for seq in range(1, 9)])) as feed:
        run_record(feed.url, output=str(path), symbols=["AAPL"], count=3)
    assert read(path)[2:] == [trade("AAPL", seq) for seq in (1, 2, 3)]


def test_a_recording_ends_after_its_duration(tmp_path: Path) -> None:
    """Whatever came until then."""
    path = tmp_path / "tape.ndjson"
    with feed_in_thread(plays()) as feed:
        assert run_record(feed.url, output=str(path), symbols=["AAPL"], duration=0.01) == 0
    assert read(path) == [hello(), snapshot("AAPL")]


def test_numbers_and_order_are_as_the_server_wrote_them(tmp_path: Path) -> None:
    """The text is kept, not what a parser makes of it."""
    path = tmp_path / "tape.ndjson"
    text = '{"type":"trade","time":1.50,"symbol":"AAPL","seq":1,"price":187.40,"size":1}'

    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        await peer.text(f"[{text},{text.replace('1,', '2,', 1)}]")
        await peer.serve()

    with feed_in_thread(script) as feed:
        run_record(feed.url, output=str(path), symbols=["AAPL"], count=1)
    assert path.read_text().splitlines()[-1] == text


def test_ctrl_c_leaves_a_complete_file(tmp_path: Path) -> None:
    """Under its own name, with whole lines."""
    path = tmp_path / "tape.ndjson"

    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        os.kill(os.getpid(), signal.SIGINT)
        await peer.serve()

    with feed_in_thread(script) as feed:
        assert run_record(feed.url, output=str(path), symbols=["AAPL"]) == 0
    assert read(path)[0] == hello()
    assert list(tmp_path.iterdir()) == [path]


def test_a_dash_is_stdout(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """For pipes; the summary goes to stderr."""
    with feed_in_thread(plays([trade("AAPL", 1)])) as feed:
        assert run_record(feed.url, output="-", symbols=["AAPL"], count=1) == 0
    out, err = capfdbinary.readouterr()
    assert list(map(orjson.loads, out.splitlines())) == [
        hello(),
        snapshot("AAPL"),
        trade("AAPL", 1),
    ]
    assert err.startswith(b"1 events, 0.0 MB in 0 s")


def test_gaps_and_reconnects_are_told_and_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new hello in the file marks the new connection."""
    monkeypatch.setattr("clients.core.backoff.Backoff.delay", lambda *_: 0.0)
    path = tmp_path / "tape.ndjson"
    gap = {"type": "gap", "symbol": "AAPL", "channel": "trades", "from": 3, "to": 4}
    announced = gap | {"reason": "too_old"}

    async def breaks(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(trade("AAPL", 2))
        await peer.send(announced)
        peer.abort()

    async def returns(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(trade("AAPL", 9), seq=8)
        await peer.serve()

    with feed_in_thread(breaks, returns) as feed:
        assert run_record(feed.url, output=str(path), symbols=["AAPL"], count=2) == 0
    kinds = [item["type"] for item in read(path)]
    assert kinds == ["hello", "snapshot", "trade", "gap", "hello", "snapshot", "trade"]
    first, second, down, third, summary = capsys.readouterr().err.splitlines()
    assert first == "gap: 1 trades of AAPL missing (sequence)"
    assert second == "gap: 2 trades of AAPL missing (too_old)"
    assert down.startswith("disconnected: the connection broke")
    assert third == "gap: 4 trades of AAPL missing (reconnect)"
    assert summary.startswith("2 events, ")
    assert summary.endswith(", 7 missing")


def test_a_server_that_cannot_be_reached_leaves_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, and exit code 1."""
    assert run_record("ws://127.0.0.1:1/ws", output=str(tmp_path / "tape")) == 1
    assert "start a feed with: tickerplant serve" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the reason of the system."""
    path = tmp_path / "missing" / "tape"
    with feed_in_thread(plays()) as feed:
        assert run_record(feed.url, output=str(path)) == 1
    assert capsys.readouterr().err == f"error: cannot write {path}: No such file or directory\n"


def test_a_server_that_closes_for_good_leaves_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recording is kept, and the exit code tells."""
    path = tmp_path / "tape.ndjson"

    async def expels(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        await peer.send(trade("AAPL", 1))
        await peer.close(1008, "too many errors")

    with feed_in_thread(expels) as feed:
        assert run_record(feed.url, output=str(path), symbols=["AAPL"]) == 1
    assert read(path)[-1] == trade("AAPL", 1)
    assert "closed with 1008" in capsys.readouterr().err


@pytest.mark.asyncio
async def test_progress_is_for_terminals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that is written again and again; a log file gets none."""
    monkeypatch.setattr("clients.record.PROGRESS_S", 0)
    for terminal in (False, True):
        monkeypatch.setattr("sys.stderr.isatty", lambda terminal=terminal: terminal)
        async with FakeFeed(plays([trade("AAPL", 1)])) as feed:
            path = str(tmp_path / "tape")
            options: Item = {"channels": ["trades"], "stop": asyncio.Event(), "duration": 0.05}
            await record(feed.url, output=path, symbols=["AAPL"], **options)
        assert ("\r" in capsys.readouterr().err) is terminal


# Cutting messages.

TEXTS = st.sampled_from(["x", ',{"type":"', '"', "]", "\\", "a\nb", "Ü", "}"])


@given(
    st.lists(
        st.builds(
            lambda kind, values, first: (
                {"type": kind, **values} if first else {**values, "type": kind}
            ),
            st.sampled_from(["trade", "gap", "x", "y"]),
            st.dictionaries(
                st.sampled_from("abc"),
                st.one_of(
                    TEXTS, st.integers(0, 9), st.lists(st.fixed_dictionaries({"type": TEXTS}))
                ),
            ),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_message_is_cut_into_its_objects(items: list[Item]) -> None:
    """Whatever is in the strings, and wherever the type is."""
    text = orjson.dumps(items).decode()
    lines = split(text, items)
    assert [orjson.loads(line) for line in lines] == items
    assert all("\n" not in line for line in lines)
    pretty = orjson.dumps(items, option=orjson.OPT_INDENT_2).decode()
    assert [orjson.loads(line) for line in split(pretty, items)] == items


def test_after_its_end_a_recorder_writes_nothing() -> None:
    """Messages may still be on their way."""
    file = io.BytesIO()
    recorder = Recorder(file, asyncio.Event(), 1)
    for seq in (1, 2):
        item = trade("AAPL", seq)
        recorder.take(orjson.dumps([item]).decode(), [item])
    assert orjson.loads(file.getvalue()) == trade("AAPL", 1)
