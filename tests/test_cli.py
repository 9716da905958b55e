"""The command line: options, where they come from, and what is said of those that can't be."""

from __future__ import annotations

import builtins
import csv
import json
import os
import shutil
import sys
import urllib.request
from pathlib import Path
from typing import Any

import click
import pytest
import uvloop
from command_line import refusal, run, served
from wire import TIMEOUT_S

import feeds.__main__
from feeds.admission.limits import Limits
from feeds.cli import cli, serve, tools
from feeds.config import FeedConfig
from feeds.errors import ConfigError
from feeds.wire.backlog import BacklogPolicy
from ticker import __version__
from ticker.universe import Universe

__all__ = ["served"]


# Where options come from.


def test_without_options_the_defaults_are_served(served: list[Any]) -> None:
    assert run("serve") == ("", "")
    ((config, ready_json, loop),) = served
    defaults = FeedConfig()
    assert config.web_root is not None
    assert (config.web_root / "index.html").is_file()
    for name in FeedConfig.__dataclass_fields__:
        if name != "web_root":
            assert getattr(config, name) == getattr(defaults, name)
    assert (ready_json, loop) == (False, "uvloop")


def test_every_option_can_be_given_on_the_command_line(served: list[Any]) -> None:
    args = "--host ::1 --port 0 --symbols 7 --rate 2.5 --seed -3 --clock x10 --turn-ms 20"
    args += " --turn-events 9 --heartbeat-s 1.5 --history-mb 3 --loop asyncio --ready-json -v"
    args += " --shutdown-timeout 2 --stall-timeout 9 --slow-turn-ms 0 --log-level info"
    run("serve", *args.split())
    ((config, ready_json, loop),) = served
    assert (config.host, config.port, config.symbols) == ("::1", 0, "7")
    assert (config.rate, config.seed, config.clock) == (2.5, -3, "x10")
    assert (config.turn_ms, config.turn_events) == (20, 9)
    assert (config.heartbeat_s, config.history_mb) == (1.5, 3)
    assert (config.shutdown_timeout, config.stall_timeout, config.slow_turn_ms) == (2, 9, 0)
    assert (ready_json, loop) == (True, "asyncio")


def test_the_start_is_a_moment(served: list[Any]) -> None:
    for text in ("2026-01-05T14:30:00Z", "2026-01-05T09:30:00", "2026-01-05T15:30+01:00"):
        run("serve", "--start", text, "--clock", "x60")
    assert {config.start_us for config, _, _ in served} == {1_767_623_400_000_000}


def test_an_option_comes_from_the_line_else_the_environment_else_the_file_else_the_default(
    served: list[Any], tmp_path: Path
) -> None:
    path = tmp_path / "feed.toml"
    path.write_text(
        '[serve]\nseed = 1\nrate = 11\nturn-ms = 12\nheartbeat_s = 13\nsymbols = "AAPL"\n'
    )
    run(
        "--config",
        str(path),
        "serve",
        "--seed",
        "3",
        TICKERPLANT_SEED="2",
        TICKERPLANT_RATE="22",
    )
    ((config, _, _),) = served
    assert config.seed == 3, "the line"
    assert config.rate == 22, "the environment"
    assert (config.turn_ms, config.heartbeat_s, config.symbols) == (12, 13, "AAPL"), "the file"
    assert config.port == 8765, "the default"


def test_every_option_can_come_from_the_environment(served: list[Any]) -> None:
    (command,) = [c for c in cli.commands.values() if c.name == "serve"]
    values = {
        "host": "0.0.0.0",
        "port": "1234",
        "symbols": "5",
        "rate": "1.5",
        "seed": "99",
        "model": "gbm",
        "rules": "us",
        "clock": "manual",
        "turn_ms": "5",
        "turn_events": "6",
        "heartbeat_s": "7",
        "history_mb": "8",
        "shutdown_timeout": "9",
        "stall_timeout": "10",
        "slow_turn_ms": "11",
        "slow": "drop",
    }
    limits = {
        "soft_limit": "900",
        "low_water": "90",
        "hard_limit": "9000",
        "no_progress_s": "3",
        "soft_seconds": "4",
    }
    guards = {
        "max_connections": "11",
        "max_per_address": "12",
        "max_requests_s": "1.5",
        "max_burst": "13",
        "max_symbols": "14",
        "handshake_s": "2.5",
    }
    lists = {"token": "one,two", "origin": "https://a.example http://b.example:81"}
    lists["scenario"] = "calm microburst"
    tls = {"tls_self_signed": "1"}
    flags = {"loop": "asyncio", "ready_json": "1", "verbose": "1", "compress": "1"}
    flags |= {"log_level": "info", "control": "1", "exit_with_parent": "1"}
    flags["start"] = "2026-01-05T14:30:00Z"
    others = {"tls_cert", "tls_key"}  # they exclude the certificate that is made
    replays = ("", "_map", "_loop", "_rename", "_scale", "_size_scale")
    others |= {f"replay{name}" for name in replays}  # see test_replaying: they exclude a market's
    given = values | limits | guards | lists | tls | flags
    assert set(given) | others >= {p.name for p in command.params if isinstance(p, click.Option)}
    environment = {f"TICKERPLANT_{k.upper()}": v for k, v in given.items()}
    run("serve", **environment)
    ((config, ready_json, loop),) = served
    assert {k: type(getattr(config, k))(v) for k, v in values.items()} == {
        k: getattr(config, k) for k in values
    }
    assert config.backlog == BacklogPolicy(900, 90, 9000, 3.0, 4.0)
    assert config.limits == Limits(11, 12, 2.5, 1.5, 13, 14)
    assert {k: list(getattr(config, k)) for k in lists} == {
        k: v.replace(",", " ").split() for k, v in lists.items()
    }
    assert config.tls_self_signed
    assert config.start_us == 1_767_623_400_000_000
    assert (ready_json, loop) == (True, "asyncio")
    assert config.compress


@pytest.mark.parametrize("value", ['"https://a.example"', '["https://a.example"]'])
def test_what_may_be_repeated_is_one_or_a_list_in_the_file(
    value: str, served: list[Any], tmp_path: Path
) -> None:
    path = tmp_path / "feed.toml"
    path.write_text(f'[serve]\norigin = {value}\ntoken = "s3cret"\n')
    run("--config", str(path), "serve")
    ((config, _, _),) = served
    assert (config.origin, config.token) == (("https://a.example",), ("s3cret",))


@pytest.mark.parametrize("command", ["serve", "watch"])
def test_help_shows_no_token(command: str, tmp_path: Path) -> None:
    path = tmp_path / "feed.toml"
    path.write_text(f'[{command}]\ntoken = "s3cret"\n')
    out, _ = run("--config", str(path), command, "--help", TICKERPLANT_TOKEN="s3cret")
    assert "--token" in out
    assert "s3cret" not in out


def test_the_file_can_be_named_in_the_environment(served: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "feed.toml"
    path.write_text("[serve]\nport = 4321\nready-json = true\n")
    run("serve", TICKERPLANT_CONFIG=str(path))
    ((config, ready_json, _),) = served
    assert (config.port, ready_json) == (4321, True)


# What isn't allowed: exit code 2, one line.


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ("serve --port 70000", "port 70000 is out of range: 0 to 65535 is allowed"),
        ("serve --rate -1", "rate -1.0 is out of range: 0 to 10000 is allowed"),
        ("serve --turn-events 0", "turn-events 0 is out of range: 1 to 4000 is allowed"),
        (
            "serve --no-progress-s nan",
            "no-progress time nan s must be positive, and at most 1000000",
        ),
        (
            "serve --soft-seconds inf",
            "soft seconds inf must be positive, and at most 1000000; or 0: for any time",
        ),
        ("serve --heartbeat-s nan", "heartbeat-s nan is out of range: 0.1 to 3600 is allowed"),
        (
            "load --duration nan",
            "Invalid value for '--duration': nan is not a number of seconds up to 1,000,000,000.",
        ),
        (
            "load --ramp inf",
            "Invalid value for '--ramp': inf is not a number of seconds up to 1,000,000,000.",
        ),
        (
            "record --duration 0",
            "Invalid value for '--duration': 0.0 is not in the range x>0.",
        ),
        (
            "serve --start soon",
            "Invalid value for '--start': 'soon' is no moment; one is written 09:45 or 09:45:30",
        ),
        (
            "serve --start 2026-01-05T14:30:00.5Z",
            "'2026-01-05T14:30:00.5Z' is not a whole second from 1970 to 2100",
        ),
        ("serve --start 1815-01-05T14:30:00Z", "is not a whole second from 1970 to 2100"),
        ("serve --port x", "Invalid value for '--port': 'x' is not a valid integer."),
        (
            "serve --clock fast",
            (
                "unknown clock 'fast'; the clocks are wall, manual, max, and xN with N up to 100000,"
                " such as x10"
            ),
        ),
        ("serve --symbols 0", "symbols: 0 symbols: 1 to 100000 are allowed"),
        ("serve --symbols A,A", "symbols: symbol 'A' is there twice"),
        ("serve --speed 3", "No such option '--speed'."),
        ("serve now", "Got unexpected extra argument (now)"),
        ("server", "No such command 'server'."),
        ("symbols --symbols A,A", "symbols: symbol 'A' is there twice"),
        (
            "load --clients 0",
            "Invalid value for '--clients': 0 is not in the range 1<=x<=100000.",
        ),
        (
            "watch --channels trades,prices",
            (
                "Invalid value for '--channels': unknown channel 'prices';"
                " the channels are trades, quotes, bars, status, depth"
            ),
        ),
        (
            "serve --symbols none.csv",
            "symbols: can't read the universe file 'none.csv': No such file or directory",
        ),
        (
            "symbols --symbols none.toml",
            "symbols: can't read the universe file 'none.toml': No such file or directory",
        ),
        (
            "record --channels ,",
            (
                "Invalid value for '--channels': unknown channel ',';"
                " the channels are trades, quotes, bars, status, depth"
            ),
        ),
    ],
)
def test_an_option_that_isnt_allowed_is_one_line(args: str, line: str) -> None:
    said = refusal(*args.split())
    assert said.startswith("tickerplant: ")
    assert line.rstrip(".") in said


def test_a_value_of_the_environment_that_isnt_allowed_is_one_line() -> None:
    assert refusal("serve", TICKERPLANT_PORT="x") == (
        "tickerplant: Invalid value for '--port': 'x' is not a valid integer."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[serve\n", "can't read"),
        ("[server]\n", "'server' is no command; the tables are serve, "),
        ("port = 1\n", "'port' is no command; the tables are serve, "),
        ("[serve]\nprot = 1\n", "'serve' has no option 'prot'; its options are clock, "),
        ("[serve]\nport = 'x'\n", "'x' is not a valid integer"),
        ("[serve]\nport = -5\n", "port -5 is out of range: 0 to 65535 is allowed"),
    ],
)
def test_a_file_with_what_isnt_allowed_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "feed.toml"
    path.write_text(text)
    assert said in refusal("--config", str(path), "serve")


def test_a_file_that_isnt_there_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    said = refusal("--config", str(path), "serve")
    expected = f"can't read {str(path)!r}: No such file or directory"
    assert said == f"tickerplant: Invalid value for '--config': {expected}"


def test_uvloop_where_it_isnt_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "find_spec", lambda _: None)
    assert refusal("serve", "--loop", "uvloop") == (
        "tickerplant: loop 'uvloop' isn't installed here: pip install uvloop, or choose asyncio"
    )
    assert serve.loop_factory("auto") is None
    assert serve.loop_factory("asyncio") is None
    with pytest.raises(ConfigError):
        serve.loop_factory("uvloop")


def test_auto_is_uvloop_where_it_is_installed() -> None:
    assert serve.loop_factory("auto") is serve.loop_factory("uvloop") is uvloop.new_event_loop


# Help and version.


def test_the_version_is_the_packages() -> None:
    assert run("--version") == (f"tickerplant {__version__}\n", "")


def test_without_a_command_the_commands_are_listed() -> None:
    _, err = run(code=2)
    assert err.startswith("Usage: tickerplant [OPTIONS] COMMAND [ARGS]...")
    assert all(name in err for name in cli.commands)


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_has_help_and_every_option_says_what_it_does(name: str) -> None:
    out, _ = run(name, "-h")
    assert out.startswith(f"Usage: tickerplant {name} ")
    for option in cli.commands[name].params:
        if isinstance(option, click.Option):
            assert option.help, option.name
            assert option.help.endswith(".")


# Other commands.


@pytest.mark.parametrize(
    ("args", "where", "expected"),
    [
        (
            ["watch", "AAPL", "MSFT", "--count", "5", "--url", "ws://x/ws"],
            "clients.watch.run_watch",
            {
                "url": "ws://x/ws",
                "symbols": ("AAPL", "MSFT"),
                "channels": ["trades", "quotes", "status"],
                "book": False,
                "count": 5,
            },
        ),
        (["watch", "--book", "AAPL"], "clients.watch.run_watch", {"book": True}),
        (
            ["record", "--duration", "1.5", "--channels", "bars, trades", "--interval", "1s"],
            "clients.record.run_record",
            {
                "url": tools.URL,
                "symbols": ("*",),
                "channels": ["bars", "trades"],
                "interval": "1s",
                "duration": 1.5,
                "output": "-",
                "count": None,
            },
        ),
        (
            ["load", "--symbols-each", "0", "--clients", "7", "--json"],
            "clients.load.run_load",
            {
                "url": tools.URL,
                "symbols_each": None,
                "clients": 7,
                "json_output": True,
                "channels": ["trades", "quotes"],
                "duration": 10.0,
            },
        ),
    ],
)
def test_a_command_hands_its_options_to_the_client(
    args: list[str], where: str, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its exit code is the client's."""
    called: list[dict[str, Any]] = []

    def client(url: str, **options: Any) -> int:
        called.append({"url": url, **options})
        return 1

    monkeypatch.setattr(where, client)
    run(*args, code=1)
    assert called[0].items() >= expected.items()


@pytest.mark.parametrize("command", ["watch", "record", "load"])
def test_what_is_no_address_is_one_line(command: str) -> None:
    """And no advice to start a server."""
    _, said = run(command, "--url", "foo", code=1)
    assert said == "error: 'foo' is not a ws:// or wss:// address\n"


def test_symbols_are_listed_in_a_form_that_can_be_read_back(tmp_path: Path) -> None:
    out, _ = run("symbols", "--symbols", "AAPL,BRK.B,7203")
    assert [row["symbol"] for row in csv.DictReader(out.splitlines())] == ["AAPL", "BRK.B", "7203"]
    path = tmp_path / "universe.csv"
    path.write_text(out)
    assert Universe.parse(str(path)).instruments == Universe.parse("AAPL,BRK.B,7203").instruments


@pytest.mark.parametrize(
    ("each", "told"), [("0", "3 clients on all 12"), ("5", "3 clients on 5 each of 12")]
)
def test_bench_starts_a_server_of_its_own_and_stops_it(
    each: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says first what it measures."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    seen: list[Any] = []

    def run_load(url: str, **options: Any) -> int:
        health = url.replace("ws://", "http://").replace("/ws", "/health")
        with urllib.request.urlopen(health, timeout=TIMEOUT_S) as answer:  # noqa: S310
            seen.append((url, options, json.load(answer)))
        return 0

    monkeypatch.setattr("clients.load.run_load", run_load)
    try:
        _, err = run("bench", "--symbols", "12", "--clients", "3", "--symbols-each", each)
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
    ((url, options, health),) = seen
    assert (health["symbols"], health["clock"]) == (12, "max")
    assert err == f"{told} symbols, as fast as they read\n"
    assert options["symbols_each"] == (int(each) or None)
    assert options["clients"] == 3
    assert options["timed"] is False, "on that clock there is no latency to miss"
    with pytest.raises(OSError):  # noqa: PT011
        urllib.request.urlopen(url.replace("ws://", "http://"), timeout=TIMEOUT_S)  # noqa: S310


def test_bench_says_so_where_its_server_doesnt_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    _, err = run("bench", code=2)
    assert err == "tickerplant: the server didn't start; its reason is above\n"


def test_with_one_core_nothing_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: pytest.fail("pinned"), raising=False)
    tools._pin(os.getpid())


def test_an_interrupt_while_it_is_loaded_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which takes long enough to press Ctrl-C, and would end in a traceback."""
    load = builtins.__import__

    def interrupted(name: str, *args: Any, **options: Any) -> Any:
        if name == "feeds.cli":
            raise KeyboardInterrupt
        return load(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(SystemExit) as ended:
        feeds.__main__.main()
    assert ended.value.code == 130


def test_an_interrupt_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clients.load.run_load", interrupt)
    run("load", code=130)
