"""How order books look in the terminal."""

import io
from zlib import crc32

import pytest
from rich.console import Console

from clients.events import Connected, Depth, Hello, Instrument, Snapshot, Status
from clients.order_book import OrderBook
from clients.terminal.board import Board
from clients.terminal.ladder import across, levels_in, render

HELLO = Hello(1, "fake/1", "e1", 7, 2, (), (), 5000, False, True)
Levels = tuple[tuple[float, int], ...]


def state(symbol: str) -> Snapshot:
    return Snapshot(
        symbol, 0.0, {"trades": 5}, 187.43, 100, 187.42, 300, 187.44, 200,
        None, None, None, 186.0, 1_234_567, "trading",
    )  # fmt: skip


def book(bids: Levels, asks: Levels) -> OrderBook:
    book = OrderBook("AAPL")
    text = ",".join(f"{round(price * 100)},{size}" for price, size in bids + asks)
    checksum = crc32(text.encode())
    book.apply(Depth("AAPL", 9, 0.0, bids, asks, checksum, snapshot=True, tick_size=0.01))
    return book


@pytest.fixture
def board() -> Board:
    board = Board()
    board.add([Instrument(symbol, "", "", 0.01, 100) for symbol in ("AAPL", "MSFT")])
    board.apply([Connected(HELLO, 0), state("AAPL")], 0.0, 0.0)
    return board


@pytest.fixture
def books() -> dict[str, OrderBook]:
    """One book, and one that has not come yet."""
    bids, asks = ((187.42, 300), (187.4, 700)), ((187.44, 200), (187.45, 1_800), (187.5, 20))
    return {"AAPL": book(bids, asks), "MSFT": OrderBook("MSFT")}


def lines(
    board: Board, books: dict[str, OrderBook], width: int, height: int, *, ended: bool = False
) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    size = {"width": width, "height": height, "total": 30}
    console.print(render(board, books, 9.0, **size, ended=ended))
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_books_are_side_by_side_to_the_last_line(board: Board, books: dict[str, OrderBook]) -> None:
    """Asks above the spread, bids below, the best next to it; what hasn't come has room."""
    assert lines(board, books, 80, 12) == [
        "tickerplant  2 of 30 symbols  synthetic market e1, seed 7",
        "",
        "AAPL  187.43  ▲ 0.77 %                    MSFT  -  -",
        "price                 size      total     price                 size      total",
        "187.50                  20      2,020",
        "187.45               1,800      2,000",
        "187.44                 200        200",
        "spread                0.02     1.1 bp     spread                   -",
        "187.42                 300        300",
        "187.40                 700      1,000",
        "",
        "● connected   0 events/s   latency n/a   0 reconnects   Ctrl-C quits",
    ]


def test_a_narrow_terminal_has_fewer_books_and_a_low_one_fewer_levels(
    board: Board, books: dict[str, OrderBook]
) -> None:
    """The best levels stay."""
    shown = lines(board, books, 40, 8)
    assert shown[0].startswith("tickerplant  1 of 30 symbols")
    assert [line.split()[0] for line in shown[2:7]] == [
        "AAPL",
        "price",
        "187.44",
        "spread",
        "187.42",
    ]
    assert shown[-1].startswith("● connected")
    assert max(map(len, shown)) <= 40
    assert [across(width) for width in (10, 67, 68, 103, 104)] == [1, 1, 2, 2, 3]
    assert [levels_in(height) for height in (3, 24, 30, 100)] == [1, 9, 12, 20]


def test_books_that_have_ended_are_all_shown_whole(
    board: Board, books: dict[str, OrderBook]
) -> None:
    """Below each other where they don't fit beside each other, without a word of the connection."""
    shown = lines(board, books, 40, 8, ended=True)
    words = [line.split()[0] for line in shown if line]
    assert words == [
        *(
            "tickerplant",
            "AAPL",
            "price",
            "187.50",
            "187.45",
            "187.44",
            "spread",
            "187.42",
            "187.40",
        ),
        *("MSFT", "price", "spread"),
    ]


def test_a_status_and_huge_sizes_stay_within_the_line(board: Board) -> None:
    """A total that would need more room is in millions."""
    board.apply([Status("AAPL", 1, 0.0, "limit_state", None)], 9.0, 0.0)
    books = {"AAPL": book(((187.42, 5),), ((187.43, 987_654), (187.44, 12_345_678_901)))}
    books["MSFT"] = OrderBook("MSFT")
    assert lines(board, books, 32, 10, ended=True)[2:7] == [
        "AAPL limit_state  187.43  ▲ 0.77",
        "price             size    total",
        "187.44         12,346M  12,347M",
        "187.43         987,654  987,654",
        "spread            0.01   0.5 bp",
    ]


def test_bars_are_as_long_as_sizes_and_totals(board: Board, books: dict[str, OrderBook]) -> None:
    """From the right edge: half the width for the largest size, all of it for the largest total."""
    console = Console(file=io.StringIO(), width=46, color_system="truecolor", force_terminal=True)
    segments = list(console.render(render(board, books, 9.0, width=46, height=12, total=2)))
    grounds: list[dict[str, int]] = [{}]
    for segment in segments:
        if segment.text == "\n":
            grounds.append({})
        elif segment.style is not None and segment.style.bgcolor is not None:
            name = segment.style.bgcolor.name
            grounds[-1][name] = grounds[-1].get(name, 0) + len(segment.text)
    strong, faint = "#5f1f1f", "#3a1a1a"
    assert grounds[4:7] == [{faint: 46}, {strong: 23, faint: 23}, {faint: 2, strong: 3}]
