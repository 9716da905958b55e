"""What the terminal table knows."""

import pytest

from clients.events import (
    Bar,
    Connected,
    Disconnected,
    Event,
    Gap,
    Hello,
    Instrument,
    Quote,
    Snapshot,
    Status,
    Trade,
)
from clients.terminal.board import Board, Row, decimals, sparkline

HELLO = Hello(1, "fake/1", "e1", 7, 2, (), (), 5000, False, True)


def trade(seq: int, price: float, size: int = 10, merged: int = 0) -> Trade:
    return Trade("AAPL", seq, 0.0, price, size, merged)


def snapshot(seq: int = 5, volume: int = 1000, last: float = 187.0) -> Snapshot:
    return Snapshot(
        "AAPL", 0.0, {"trades": seq}, last, 100, 186.99, 300, 187.01, 200,
        186.1, 188.0, 185.9, 186.0, volume, "trading",
    )  # fmt: skip


def board(*events: Event, now: float = 0.0, wall_ms: float = 0.0) -> Board:
    made = Board()
    made.apply(events, now, wall_ms)
    return made


@pytest.mark.parametrize(
    ("tick_size", "places"), [(0.01, 2), (0.05, 2), (0.1, 1), (1.0, 0), (5, 0), (0.0001, 4), (1e-8, 8), (float("nan"), 2)]
)  # fmt: skip
def test_prices_have_as_many_decimals_as_their_tick(tick_size: float, places: int) -> None:
    """No more, so that columns line up, and no less, so that nothing is hidden."""
    assert decimals(tick_size) == places


@pytest.mark.parametrize(
    ("values", "width", "line"),
    [
        ([], 4, "    "),
        ([1], 3, "  ▄"),
        ([2, 2, 2], 3, "▄▄▄"),
        ([1, 2, 3, 4, 5, 6, 7, 8], 8, "▁▂▃▄▅▆▇█"),
        ([9, 1, 2], 2, "▁█"),
        ([1, 2], 0, ""),
    ],
)
def test_a_sparkline_shows_the_newest_values_at_its_right_edge(
    values: list[float], width: int, line: str
) -> None:
    """From the lowest to the highest of those that are shown."""
    assert sparkline(values, width) == line


def test_trades_and_quotes_show_in_their_row() -> None:
    """The change is from the previous close, the volume that of the day."""
    made = board(snapshot(), Quote("AAPL", 1, 0.0, 187.4, 1, 187.5, 1), trade(6, 187.45, 30))
    row = made.rows["AAPL"]
    assert (row.last, row.bid, row.ask, row.volume) == (187.45, 187.4, 187.5, 1030)
    assert row.change == pytest.approx(1.45)
    assert row.percent == pytest.approx(1.45 / 186 * 100)
    assert made.events == 2


def test_a_row_without_news_has_no_change() -> None:
    """Neither in money nor in per cent."""
    row = Row("AAPL")
    assert (row.change, row.percent, row.flash(0.0)) == (None, None, 0)
    assert Row("AAPL", last=1.0, prev_close=0.0).percent is None


def test_a_changed_price_flashes_for_a_moment() -> None:
    """Up or down; the same price again is no change."""
    made = board(trade(1, 10.0), now=1.0)
    row = made.rows["AAPL"]
    assert row.flash(1.0) == 0
    made.apply([trade(2, 10.5)], 2.0, 0.0)
    assert (row.flash(2.0), row.flash(2.3), row.flash(2.4)) == (1, 1, 0)
    made.apply([trade(3, 10.5)], 3.0, 0.0)
    assert row.flash(3.0) == 0
    made.apply([trade(4, 10.1)], 4.0, 0.0)
    assert row.flash(4.0) == -1


def test_an_odd_lot_has_shares_and_no_price() -> None:
    """As its condition says."""
    made = board(trade(1, 10.0, 100))
    made.apply([Trade("AAPL", 2, 0.0, 99.0, 5, conditions=("I",))], 2.0, 0.0)
    row = made.rows["AAPL"]
    assert (row.last, row.volume, row.flash(2.0)) == (10.0, 105, 0)


def test_a_trade_that_the_snapshot_includes_adds_no_volume() -> None:
    """A snapshot that was asked for may overtake events on their way."""
    made = board(snapshot(seq=5), trade(5, 187.0, 50), trade(6, 187.0, 7))
    assert made.rows["AAPL"].volume == 1007


@pytest.mark.parametrize(
    ("event", "missing", "merged"),
    [(trade(9, 1.0, merged=3), 0, 3), (Gap("AAPL", "trades", 2, 6, "reconnect"), 5, 0)],
)
def test_trades_that_did_not_come_one_by_one_make_the_volume_doubtful(
    event: Event, missing: int, merged: int
) -> None:
    """So the state is to be asked for."""
    made = board(event)
    assert made.incomplete == {"AAPL"}
    assert (made.missing, made.merged) == (missing, merged)


def test_merged_quotes_are_counted_and_leave_the_volume_alone() -> None:
    """Only the newest quote matters anyway."""
    made = board(Quote("AAPL", 9, 0.0, 1.0, 1, 2.0, 1, merged=4))
    assert (made.merged, made.incomplete) == (4, set())


def test_a_halt_shows() -> None:
    """Until trading resumes."""
    made = board(Status("AAPL", 1, 0.0, "halted", "LUDP"))
    assert made.rows["AAPL"].status == "halted"
    made.apply([Status("AAPL", 2, 0.0, "trading", "")], 0.0, 0.0)
    assert made.rows["AAPL"].status == "trading"


def test_the_state_of_the_connection_shows() -> None:
    """What is wrong, when it will be tried again, and how often it was."""
    made = board(Connected(HELLO, 0))
    assert (made.state, made.hello, made.reconnects) == ("connected", HELLO, 0)
    made.apply([Disconnected("Connection refused", 1006, 1.25)], 0.0, 0.0)
    assert made.state == "offline, trying again in 1.2 s"
    assert made.trouble == "Connection refused"
    made.apply([Connected(HELLO, 1)], 0.0, 0.0)
    assert (made.state, made.trouble, made.reconnects) == ("connected", "", 1)


def test_bars_count_and_change_nothing() -> None:
    """The table has no place for them."""
    made = board(Bar("AAPL", 1, 0.0, "1s", 1, 1, 1, 1, 1, 1, 1))
    assert (made.events, made.rows) == (1, {})


def test_rows_are_in_the_order_of_the_instruments() -> None:
    """With their decimals; news of a symbol that is there keeps its place."""
    made = board(trade(1, 10.0))
    made.add(
        [Instrument("MSFT", "", "", 0.01, 100), Instrument("AAPL", "", "", 0.001, 100)],
    )
    assert [(row.symbol, row.decimals) for row in made.rows.values()] == [("AAPL", 3), ("MSFT", 2)]


def test_the_history_has_a_point_every_half_second() -> None:
    """Also while the price rests; before the first price there is none."""
    made = board(trade(1, 10.0))
    made.add([Instrument("MSFT", "", "", 0.01, 100)])
    for tenth in range(21):
        made.tick(tenth / 10)
        made.apply([trade(tenth + 2, 10.0 + tenth)], tenth / 10, 0.0)
    assert list(made.rows["AAPL"].points) == [10.0, 14.0, 19.0, 24.0, 29.0]
    assert not made.rows["MSFT"].points


def test_figures_are_those_of_the_last_second() -> None:
    """Events a second, and the median age of what arrived."""
    made = Board()
    made.tick(100.0)
    for late in (2.0, 3.0, 700.0):
        made.apply([trade(1, 1.0), trade(2, 1.0)], 100.5, late)
    made.tick(100.9)
    assert made.latency_ms is None
    made.tick(102.0)
    assert (made.rate, made.latency_ms) == (3.0, 3.0)
    made.tick(103.0)
    assert (made.rate, made.latency_ms) == (0.0, 3.0)


def test_a_market_on_another_clock_has_no_latency() -> None:
    """Hours are no latency."""
    made = board(trade(1, 1.0), wall_ms=7_200_000.0)
    made.tick(1000.0)
    assert made.latency_ms is None
    made.apply([trade(2, 1.0)], 1000.0, -5.0)
    made.tick(1001.0)
    assert made.latency_ms == 0.0
