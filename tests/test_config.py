"""Options are checked where they are made, and the error names the option, its value and what is allowed."""

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from feeds.config import FeedConfig
from feeds.errors import ConfigError
from feeds.wire.backlog import BacklogPolicy, Slow


def test_the_defaults_are_safe() -> None:
    """Reachable from this machine only, in real time, with limits."""
    config = FeedConfig()
    assert (config.host, config.port, config.clock) == ("127.0.0.1", 8765, "wall")
    assert config.backlog == BacklogPolicy()
    assert len(config.universe()) == 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": -1}, "port -1 is out of range: 0 to 65535 is allowed"),
        ({"port": 65_536}, "port 65536 is out of range: 0 to 65535 is allowed"),
        ({"rate": -0.5}, "rate -0.5 is out of range: 0 to 10000 is allowed"),
        ({"rate": 10_001}, "rate 10001 is out of range: 0 to 10000 is allowed"),
        ({"rate": float("nan")}, "rate nan is out of range: 0 to 10000 is allowed"),
        ({"rate": float("inf")}, "rate inf is out of range: 0 to 10000 is allowed"),
        (
            {"seed": 2**63},
            "seed 9223372036854775808 is out of range: -9.22337e+18 to 9.22337e+18 is allowed",
        ),
        ({"turn_ms": 0.5}, "turn-ms 0.5 is out of range: 1 to 1000 is allowed"),
        ({"turn_ms": 1_001}, "turn-ms 1001 is out of range: 1 to 1000 is allowed"),
        ({"turn_events": 0}, "turn-events 0 is out of range: 1 to 4000 is allowed"),
        ({"turn_events": 4_001}, "turn-events 4001 is out of range: 1 to 4000 is allowed"),
        ({"heartbeat_s": 0}, "heartbeat-s 0 is out of range: 0.1 to 3600 is allowed"),
        ({"seed": "7"}, "seed '7' is no number: -9.22337e+18 to 9.22337e+18 is allowed"),
        ({"rate": True}, "rate True is no number: 0 to 10000 is allowed"),
        ({"turn_ms": None}, "turn-ms None is no number: 1 to 1000 is allowed"),
        ({"heartbeat_s": 3_601}, "heartbeat-s 3601 is out of range: 0.1 to 3600 is allowed"),
    ],
)
def test_a_value_out_of_range_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        FeedConfig(**options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "options",
    [
        {"port": 0},
        {"port": 65_535},
        {"rate": 0},
        {"rate": 10_000},
        {"seed": -(2**63)},
        {"seed": 2**63 - 1},
        {"turn_ms": 1},
        {"turn_events": 4_000},
        {"heartbeat_s": 0.1},
    ],
)
def test_the_ends_of_the_ranges_are_allowed(options: dict[str, Any]) -> None:
    FeedConfig(**options)


def test_symbols_can_be_a_number_a_list_or_a_file(tmp_path: Path) -> None:
    assert len(FeedConfig(symbols="7").universe()) == 7
    assert FeedConfig(symbols="AAPL, MSFT").universe().symbols == ("AAPL", "MSFT")
    path = tmp_path / "mine.csv"
    path.write_text("symbol,price\nABC,10\n")
    assert FeedConfig(symbols=str(path)).universe().symbols == ("ABC",)


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ("0", "symbols: 0 symbols: 1 to 100000 are allowed"),
        ("AAPL,AAPL", "symbols: symbol 'AAPL' is there twice"),
        ("", "symbols: a universe needs at least one symbol"),
    ],
)
def test_symbols_that_make_no_universe_are_refused_when_it_is_built(
    symbols: str, message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        FeedConfig(symbols=symbols).universe()
    assert str(error.value) == message


def test_a_config_cant_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        FeedConfig().port = 1  # type: ignore[misc]


@pytest.mark.parametrize("slow", ["conflate", "drop", "disconnect"])
def test_what_is_done_for_slow_consumers_is_given_by_name(slow: str) -> None:
    assert FeedConfig(slow=slow).slow is Slow(slow)  # type: ignore[arg-type]


def test_another_name_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        FeedConfig(slow="queue")  # type: ignore[arg-type]
    assert str(error.value) == "slow 'queue' is unknown; conflate, drop and disconnect are allowed"
