"""The command that judges: what it prints, where from, and how it ends."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from terminal import exit_code

from ticker.batch import QUOTES, TRADES
from ticker.market import Market
from ticker.universe import Universe

run = partial(exit_code, "validate")
FACTS = ["1", "1b", *(str(n) for n in range(2, 17))]


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve minutes of a market, one event a line, as the recorder writes them."""
    universe = Universe.of_size(6)
    market = Market(universe, seed=3, rate=4.0)
    batch = market.step(market.now_us + 725_000_000)
    path = tmp_path_factory.mktemp("tape") / "tape.ndjson"
    with path.open("wb") as file:
        file.write(b'{"type":"hello","seed":3}\n')
        for row in range(len(batch)):
            channel, symbol = int(batch.channel[row]), int(batch.symbol[row])
            if channel not in (TRADES, QUOTES):
                continue
            event: dict[str, Any] = {
                "type": "quote" if channel == QUOTES else "trade",
                "symbol": universe.symbols[symbol],
                "seq": int(batch.seq[row]),
                "time": int(batch.time[row]) / 1000,
            }
            names = ("bid", "bid_size") if channel == QUOTES else ("price", "size")
            event |= {names[0]: int(batch.price[row]) / 100, names[1]: int(batch.size[row])}
            if channel == QUOTES:
                event |= {"ask": int(batch.ask[row]) / 100, "ask_size": int(batch.ask_size[row])}
            file.write(orjson.dumps(event) + b"\n")
    return path


def test_a_recorded_tape_is_judged(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As far as it is long enough; what it lacks is said."""
    assert run("--input", str(tape), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    facts = {fact["number"]: fact for fact in found["facts"]}
    assert list(facts) == FACTS
    assert (found["symbols"], found["sessions"], found["passed"]) == (6, 1, True)
    assert facts["1b"]["passed"] is facts["13"]["passed"] is True
    assert facts["14"]["missing"] == f"10000 trades, not {found['trades']}"
    assert facts["2"]["passed"] is None
    assert facts["2"]["missing"] == "300 minutes, not 12"
    assert facts["1b"]["measured"]["ACF lag 1"] < -0.02


def test_the_table_is_for_people(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One row a fact, and a line that sums up."""
    assert run("--input", str(tape)) == 0
    text = capsys.readouterr().out
    assert "order-sign memory" in text
    assert "needs 300 minutes, not 12" in text
    assert re.search(r"all \d+ gating facts pass, \d+ can't be judged", text)


def test_each_number_stands_beside_what_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    """On one line, so that a narrow terminal can't part them from each other; tiny bounds are said as what they mean."""
    assert run("--model", "gbm", "--symbols", "2", "--sessions", "1") == 1
    text = capsys.readouterr().out
    assert re.search(r"excess kurtosis: -?[\d.]+ \(3 to 40\)", text)
    assert re.search(r"corr\(spread, volatility\): \S+ \(> 0\)", text)
    assert "Wyart et al. 2008" in text


def test_a_tape_that_fails_ends_with_1(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same tape with its trades at every second's start in turn has no bursts and no bounce."""
    lines = []
    trades = 0
    for line in tape.read_bytes().splitlines():
        event = orjson.loads(line)
        if event["type"] == "trade":
            event["time"] = 1_767_623_400_000 + trades * 250
            event["price"] = 100 + trades // 6 % 2 / 100
            trades += 1
        lines.append(orjson.dumps(event))
    broken = tmp_path / "broken.ndjson"
    broken.write_bytes(b"\n".join(lines))
    assert run("--input", str(broken), "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["passed"]
    assert {f["number"] for f in found["facts"] if f["passed"] is False} >= {"13"}


def test_a_short_simulation_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Model, seed and counts are in the document; the control fails."""
    options = ("--model", "gbm", "--symbols", "3", "--sessions", "1", "--seed", "5", "--json")
    assert run(*options) == 1
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["model"], found["seed"], found["symbols"]) == ("gbm", 5, 3)
    failed = {f["number"] for f in found["facts"] if f["passed"] is False}
    assert {"2", "4", "10", "13", "14"} <= failed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"type":"hello"}\n', "there is no trade and no quote on the tape"),
        (b"nonsense\n", "line 1 is no JSON: b'nonsense\\n'"),
        (b"[1]\n", "line 1 is no JSON object: b'[1]\\n'"),
        (
            b'{"type":"trade","symbol":"A","time":1.5,"size":3}\n',
            "line 1: there is no 'price'",
        ),
        (
            b'{"type":"trade","symbol":"A","time":1.5,"size":3,"price":1.5}\n',
            "the tape lasts 0.0 s; at least a minute is needed",
        ),
    ],
)
def test_a_bad_tape_is_one_clear_line(
    content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the file's name, and the line's number."""
    path = tmp_path / "bad.ndjson"
    path.write_bytes(content)
    assert run("--input", str(path)) == 2
    assert capsys.readouterr().err == f"tickerplant: {path}: {message}\n"


def test_any_file_of_trades_and_quotes_is_judged(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same verdicts for the same events as CSV with other names; what can't be used is told."""
    events = [orjson.loads(line) for line in tape.read_bytes().splitlines()]
    names = ("symbol", "time", "price", "size", "bid", "bid_size", "ask", "ask_size")
    rows = [",".join(str(e.get(name, "")) for name in names) for e in events if "seq" in e]
    path = tmp_path / "real.csv"
    header = ",".join(names).replace("price", "px")
    path.write_text("\n".join([header, *rows, "AAPL,1767630000000,,,,,,"]))
    assert run("--input", str(path), "--input-map", "price=px", "--json") == 0
    captured = capsys.readouterr()
    assert captured.err.startswith(f"tickerplant: {path}: left out 1 rows without a price\n")
    assert run("--input", str(tape), "--json") == 0
    facts = json.loads(capsys.readouterr().out)["facts"]
    assert json.loads(captured.out)["facts"] == facts
    assert run("--input", str(path), "--input-map", "x=y") == 2
    assert "the column map 'x=y' is not FIELD=COLUMN" in capsys.readouterr().err


def test_prices_in_billionths_and_fractions_of_coins_are_judged(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same verdicts for the same trades and quotes; a scale that would leave the grid is refused."""
    events = [orjson.loads(line) for line in tape.read_bytes().splitlines()]
    rows = ["time,symbol,price,size,bid,ask"]
    for e in events:
        if "seq" in e:
            whole = [
                f"{e[name] * 1e9:.0f}" if name in e else "" for name in ("price", "bid", "ask")
            ]
            size = e["size"] / 1000 if "size" in e else ""
            rows.append(f"{e['time']},{e['symbol']},{whole[0]},{size},{whole[1]},{whole[2]}")
    path = tmp_path / "real.csv"
    path.write_text("\n".join(rows))
    scales = ["--input-scale", "1e-9", "--input-size-scale", "1000"]
    assert run("--input", str(path), *scales, "--json") == 0
    found = json.loads(capsys.readouterr().out)["facts"]
    assert run("--input", str(tape), "--json") == 0
    assert found == json.loads(capsys.readouterr().out)["facts"]
    assert run("--input", str(path), "--input-scale", "0.37") == 2
    assert capsys.readouterr().err == "tickerplant: input-scale 0.37 is no power of ten\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--input", "a.csv", "--model", "gbm"], "--input judges a tape as it is: --model has no effect on it"),
        (["--input", "a.csv", "--sessions", "5"], "--input judges a tape as it is: --sessions has no effect on it"),
        (["--input-map", "price=px"], "--input-map needs --input PATH"),
        (["--input-size-scale", "2"], "--input-size-scale needs --input PATH"),
        (["--input", "a.csv", "--input-hours", "x"], "hours 'x' are not written like 9:30-16:00 or 9:30-16:00@America/New_York"),
    ],
)  # fmt: skip
def test_options_that_have_no_effect_are_refused(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*options) == 2
    assert capsys.readouterr().err == f"tickerplant: {message}\n"


def test_a_column_of_another_name_is_told_with_the_option_that_maps_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And with the columns that there are."""
    path = tmp_path / "real.csv"
    path.write_text("timestamp,symbol,price\n1767623400,A,1.5\n")
    assert run("--input", str(path)) == 2
    told = capsys.readouterr().err
    assert "there is no column 'time'" in told
    assert "'timestamp', 'symbol', 'price'; --input-map FIELD=COLUMN,... maps them" in told


def test_a_missing_tape_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With its name."""
    assert run("--input", "nowhere.ndjson") == 2
    expected = "tickerplant: can't read 'nowhere.ndjson': No such file or directory\n"
    assert capsys.readouterr().err == expected


def test_a_tape_without_quotes_has_nothing_to_judge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Middle prices come from quotes."""
    path = tmp_path / "trades.ndjson"
    rows = [
        {"type": "trade", "symbol": "A", "time": t * 1e4, "price": 1.5, "size": 1}
        for t in range(20)
    ]
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    assert run("--input", str(path)) == 1
    assert "no symbol was quoted and moved" in capsys.readouterr().err


def test_a_plot_has_a_panel_a_fact(tape: Path, tmp_path: Path) -> None:
    """Also of facts that can't be judged."""
    pytest.importorskip("matplotlib")
    path = tmp_path / "facts.png"
    assert run("--input", str(tape), "--plot", str(path), "--json") == 0
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_plot_of_an_unknown_kind_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is simulated."""
    assert run("--plot", "facts.bmp") == 2
    assert (
        capsys.readouterr().err
        == "tickerplant: plot 'facts.bmp' doesn't end in .png, .svg or .pdf\n"
    )


def csv_of_days(path: Path, days: int, minutes: int, columns: str) -> None:
    """Several days of a market, with nights between them: the tape of a market that closes."""
    market = Market(Universe.parse("AAPL,XOM"), seed=5, rate=2.0)
    begun = market.now_us
    with path.open("w", encoding="utf-8") as file:
        file.write(f"time,symbol,{columns}\n")
        for day in range(days):
            batch = market.step(begun + (day + 1) * minutes * 60_000_000)
            night = day * (86_400 - minutes * 60) * 1_000_000
            for row in range(len(batch)):
                time, quote = int(batch.time[row]) + night, batch.channel[row] == QUOTES
                names = {
                    "price": "" if quote else batch.price[row] / 100,
                    "size": "" if quote else batch.size[row],
                    "bid": batch.price[row] / 100 if quote else "",
                    "ask": batch.ask[row] / 100 if quote else "",
                }
                values = [str(names[column]) for column in columns.split(",")]
                if any(values) and batch.channel[row] in (TRADES, QUOTES):
                    file.write(f"{time},{('AAPL', 'XOM')[batch.symbol[row]]},{','.join(values)}\n")


def test_nights_separate_the_sessions_of_a_tape(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The price moves over a night are in no minute's return: the tails are those of the same market without nights."""
    path = tmp_path / "days.csv"
    csv_of_days(path, 4, 90, "price,size,bid,ask")
    rows = path.read_text().splitlines()
    # From one day to the next, everything costs twice as much.
    first = int(rows[1].split(",")[0]) // 86_400_000_000
    doubled = [rows[0]]
    for row in rows[1:]:
        time, symbol, *prices = row.split(",")
        factor = 2 ** (int(time) // 86_400_000_000 - first)
        values = [
            p if not p or n == 1 else f"{float(p) * factor:.2f}" for n, p in enumerate(prices)
        ]
        doubled.append(",".join((time, symbol, *values)))
    path.write_text("\n".join(doubled))
    run("--input", str(path), "--json")
    found = json.loads(capsys.readouterr().out)
    assert (found["sessions"], found["minutes"]) == (4, 90)
    facts = {fact["number"]: fact for fact in found["facts"]}
    assert facts["2"]["measured"]["excess kurtosis"] < 30


def test_hours_leave_out_what_is_outside_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The days begin at 14:30 UTC; what isn't judged is counted."""
    path = tmp_path / "days.csv"
    csv_of_days(path, 2, 60, "price,size,bid,ask")
    run("--input", str(path), "--input-hours", "9:45-10:15@America/New_York", "--json")
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    rows = len(path.read_text().splitlines()) - 1
    assert (found["sessions"], found["minutes"]) == (2, 30)
    outside = rows - found["trades"] - found["quotes"]
    assert captured.err == (
        f"tickerplant: {path}: left out {outside} events outside of the sessions\n"
    )
    assert outside > rows / 3
    assert run("--input", str(path), "--input-hours", "9-10") == 2
    assert "hours '9-10' are not written like" in capsys.readouterr().err


def test_trades_alone_are_judged_by_their_prices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said; what only quotes can tell is left open."""
    path = tmp_path / "trades.csv"
    csv_of_days(path, 1, 60, "price,size")
    run("--input", str(path), "--json")
    captured = capsys.readouterr()
    assert "2 symbols have no quotes: their prices are those of trades" in captured.err
    facts = {fact["number"]: fact for fact in json.loads(captured.out)["facts"]}
    assert {n for n, fact in facts.items() if fact["missing"] == "quotes"} == {"15"}
    assert facts["1b"]["passed"] is facts["16"]["passed"] is True


def test_quotes_alone_fail_nothing_that_trades_would_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What needs trades can't be judged."""
    path = tmp_path / "quotes.csv"
    csv_of_days(path, 1, 60, "bid,ask")
    assert run("--input", str(path), "--json") == 0
    facts = {fact["number"]: fact for fact in json.loads(capsys.readouterr().out)["facts"]}
    assert facts["15"]["passed"] is True
    assert facts["16"]["missing"] == "100 trades a symbol, not 0"


def test_symbols_that_say_nothing_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that never moves is left out, and the others are judged."""
    path = tmp_path / "still.csv"
    csv_of_days(path, 1, 40, "price,size,bid,ask")
    rows = path.read_text().splitlines()
    still = [f"{row.split(',')[0]},STILL,,,9.99,10.01" for row in rows[1::200]]
    path.write_text("\n".join([rows[0], *sorted(rows[1:] + still)]))
    run("--input", str(path), "--json")
    captured = capsys.readouterr()
    assert "left out 1 symbols without a price or a move in a session: STILL\n" in captured.err
    assert json.loads(captured.out)["symbols"] == 3
