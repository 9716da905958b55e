"""How the terminal table looks."""

import io
from zoneinfo import ZoneInfoNotFoundError

import pytest
from rich.console import Console

from clients.events import (
    Connected,
    Disconnected,
    Event,
    Gap,
    Hello,
    Instrument,
    Snapshot,
    Status,
    Trade,
)
from clients.terminal import view
from clients.terminal.board import Board
from clients.terminal.view import capacity, render

HELLO = Hello(1, "fake/1", "e1", 7, 2, (), (), 5000, False, True)


def snapshot(symbol: str, last: float, prev_close: float) -> Snapshot:
    return Snapshot(
        symbol, 0.0, {"trades": 5}, last, 100, last - 0.01, 300, last + 0.01, 200,
        None, None, None, prev_close, 1_234_567, "trading",
    )  # fmt: skip


@pytest.fixture
def board() -> Board:
    """Three symbols: up, down, and not heard of yet."""
    board = Board()
    instruments = [Instrument(symbol, "", "", 0.01, 100) for symbol in ("AAPL", "MSFT", "NEWS")]
    board.add(instruments)
    states: list[Event] = [Connected(HELLO, 0), snapshot("AAPL", 187.43, 186.0), snapshot("MSFT", 1412.1, 1415.0)]  # fmt: skip
    board.apply(states, 0.0, 0.0)
    for second in range(4):
        board.tick(float(second))
        board.apply([Trade("AAPL", 6 + second, 0.0, 187.43 + second, 0)], float(second), 2.0)
    return board


def lines(
    board: Board, width: int, height: int = 9, total: int | None = None, *, ended: bool = False
) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    console.print(render(board, 9.0, width=width, height=height, total=total, ended=ended))
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_the_table_has_a_title_the_rows_and_the_state(board: Board) -> None:
    """All of it, on a wide terminal, to the last line of it."""
    assert lines(board, 100, total=30) == [
        "tickerplant  3 of 30 symbols  synthetic market e1, seed 7",
        "",
        "symbol      last    change   change %       bid       ask      volume                   trend 14.5 s",
        "────────────────────────────────────────────────────────────────────────────────────────────────────",
        "AAPL      190.43     +4.43   ▲ 2.38 %    187.42    187.44   1,234,567                           ▁▁▅█",
        "MSFT    1,412.10     -2.90   ▼ 0.20 %  1,412.09  1,412.11   1,234,567                           ▄▄▄▄",
        "NEWS           -         -          -         -         -           0",
        "",
        "● connected   1 events/s   latency 2.0 ms   0 reconnects   Ctrl-C quits",
    ]  # fmt: skip


def test_a_table_that_has_ended_is_the_rows_and_says_nothing_of_the_connection(
    board: Board,
) -> None:
    whole = lines(board, 100, height=30, total=30)
    assert lines(board, 100, height=30, total=30, ended=True) == whole[:7]
    assert len(whole) == 30


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (200, ["symbol", "last", "change", "change %", "bid", "ask", "volume", "trend 30 s"]),
        (80, ["symbol", "last", "change", "change %", "bid", "ask", "volume", "4.5 s"]),
        (72, ["symbol", "last", "change", "change %", "bid", "ask", "volume"]),
        (68, ["symbol", "last", "change", "change %", "bid", "ask", "4.5 s"]),
        (60, ["symbol", "last", "change", "change %", "bid", "ask"]),
        (50, ["symbol", "last", "change", "change %", "5.5 s"]),
        (40, ["symbol", "last", "change", "change %"]),
        (34, ["symbol", "last", "change %"]),
        (20, ["symbol", "last"]),
    ],
)
def test_columns_give_way_on_a_narrow_terminal(
    board: Board, width: int, columns: list[str]
) -> None:
    """The least important first, and no line is wider than the terminal."""
    shown = lines(board, width)
    header = shown[2]
    for title in columns:
        assert title in header
        header = header.replace(title, "", 1)
    assert not header.strip()
    assert max(map(len, shown)) <= width
    assert len(shown) == 9


def test_only_as_many_symbols_as_fit_are_shown(board: Board) -> None:
    """One line each; the state stays at the bottom."""
    shown = lines(board, 80, height=7)
    assert shown[0].startswith("tickerplant  2 of 3 symbols")
    assert [line.split()[0] for line in shown[4:6]] == ["AAPL", "MSFT"]
    assert shown[6].startswith("● connected")
    assert (capacity(24), capacity(3)) == (19, 1)


def test_a_halted_symbol_is_marked(board: Board) -> None:
    """Beside its name."""
    board.apply([Status("AAPL", 1, 0.0, "halted", "LUDP")], 9.0, 0.0)
    assert lines(board, 80)[4].startswith("AAPL halted")


def test_trouble_and_losses_are_told(board: Board) -> None:
    """In the status line."""
    board.apply([Gap("AAPL", "trades", 2, 6, "reconnect")], 9.0, 0.0)
    board.apply([Disconnected("Connection refused", 1006, 1.3)], 9.0, 0.0)
    assert lines(board, 140)[-1] == (
        "● offline, trying again in 1.3 s   1 events/s   latency 2.0 ms   0 reconnects"
        "   5 missing, 0 merged   Connection refused"
    )


def test_a_board_before_the_first_connection_can_be_drawn() -> None:
    """Without rows and without a market."""
    shown = lines(Board(), 80, height=6)
    assert shown[0] == "tickerplant  0 of 0 symbols"
    assert shown[2].split()[:2] == ["symbol", "last"]
    assert shown[-1].startswith("● connecting   0 events/s   latency n/a   0 reconnects")


@pytest.mark.parametrize(
    ("price", "colour"), [(195.0, "bold black on green3"), (180.0, "bold white on red1")]
)
def test_a_fresh_change_stands_out(board: Board, price: float, colour: str) -> None:
    """On green when the price went up, on red when it went down."""
    board.apply([Trade("AAPL", 99, 0.0, price, 1)], 9.0, 0.0)
    console = Console(file=io.StringIO(), width=80, color_system="256", force_terminal=True)
    segments = console.render(render(board, 9.1, width=80, height=9))
    (style,) = [segment.style for segment in segments if f"{price:.2f}" in segment.text][:1]
    assert str(style) == colour


def test_a_closed_market_says_when_it_opens(board: Board) -> None:
    """In New York, and in how long, if its clock is ours; the time goes on while nothing comes. In the regular session, nothing is said."""
    opens = 1_768_228_200_000.0  # Monday 2026-01-12, 9:30 in New York
    board.apply([Status("AAPL", 1, 0.0, "closed", None, opens=opens)], 5.0, opens - 11_460_000)
    assert "  closed, opens Mon 09:30 EST, in 3 h 11 min" in lines(board, 120)[0]
    board.tick(5 + 11_460 - 100)
    assert lines(board, 120)[0].endswith("opens Mon 09:30 EST, in 2 min")
    board.apply([Status("AAPL", 2, 0.0, "pre_market", None, opens=opens)], 6.0, opens + 1)
    assert lines(board, 120)[0].endswith("pre-market, opens Mon 09:30 EST")
    board.apply([Status("MSFT", 2, 0.0, "halted", "T1")], 7.0, opens + 2)
    assert "opens" in lines(board, 120)[0]
    board.apply([Status("AAPL", 3, 0.0, "trading", None)], 8.0, opens + 3)
    assert "opens" not in lines(board, 120)[0]


def test_without_time_zones_the_opening_is_told_in_universal_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a machine that has none."""

    def none(name: str) -> None:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr(view, "ZoneInfo", none)
    opens = 1_768_228_200_000.0
    assert view.session_text("closed", opens, 0.0) == "closed, opens Mon 14:30 UTC"
