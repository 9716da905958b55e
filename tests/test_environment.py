"""Variables of the environment that are called like options: one that is none is refused, like an unknown option."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import click
import pytest
from command_line import refusal, run, served
from terminal import TIMEOUT_S, process

from feeds.cli import cli
from feeds.cli.environment import check_environment

__all__ = ["served"]

RULE = (
    "an option --soft-limit is TICKERPLANT_SOFT_LIMIT, and the options are in the command's --help"
)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("TICKERPLANT_SYMBOL", "did you mean TICKERPLANT_SYMBOLS?"),
        ("TICKERPLANT_TOKN", "did you mean TICKERPLANT_TOKEN?"),
        ("TICKERPLANT_TOKENS", "did you mean TICKERPLANT_TOKEN?"),
        ("TICKERPLANT_HEARTBEAT", "did you mean TICKERPLANT_HEARTBEAT_S?"),
        ("TICKERPLANT_MAX_CONNECTION", "did you mean TICKERPLANT_MAX_CONNECTIONS?"),
        ("TICKERPLANT_CONFI", "did you mean TICKERPLANT_CONFIG?"),
        ("TICKERPLANT_FOO_BAR", RULE),
        ("TICKERPLANT_", RULE),
    ],
)
@pytest.mark.parametrize("command", ["serve", "symbols", "cassette play"])
def test_a_variable_that_is_no_option_is_refused_with_the_one_that_was_meant(
    name: str, hint: str, command: str
) -> None:
    line = refusal(*command.split(), **{name: "1"})
    assert line == f"tickerplant: the variable {name} is no option; {hint}"


def test_its_value_is_not_shown() -> None:
    assert "s3cret" not in refusal("serve", TICKERPLANT_TOKN="s3cret")


def test_one_that_another_command_has_is_no_mistake(served: list[Any]) -> None:
    """A shell may have the variables of a server, and of what connects to it."""
    variables = {"TICKERPLANT_URL": "ws://127.0.0.1:1/ws", "TICKERPLANT_TIMING": "max"}
    run("serve", TICKERPLANT_JSON="1", TICKERPLANT_INPUT="tape.csv", **variables)
    assert len(served) == 1


def test_so_is_what_tests_and_orchestrators_set(served: list[Any]) -> None:
    run(
        "serve",
        TICKERPLANT_REQUIRE="browser",
        TICKERPLANT_SERVICE_HOST="10.0.0.1",
        TICKERPLANT_SERVICE_PORT="8765",
        TICKERPLANT_SERVICE_PORT_HTTP="8765",
        TICKERPLANT_PORT_8765_TCP="tcp://10.0.0.1:8765",
        TICKERPLANT_PORT_8765_TCP_PROTO="tcp",
    )
    assert len(served) == 1


def test_a_port_that_is_a_service_is_explained() -> None:
    assert refusal("serve", TICKERPLANT_PORT="tcp://10.0.0.1:8765") == (
        "tickerplant: TICKERPLANT_PORT is 'tcp://10.0.0.1:8765', which Kubernetes sets where a service is called"
        " tickerplant: give the pod enableServiceLinks: false, or the variable a port"
    )


@pytest.mark.parametrize("args", ["", "--help", "--version", "serve --help", "serve -h"])
def test_help_comes_whatever_is_set(args: str) -> None:
    out, err = run(*args.split(), code=0 if args else 2, TICKERPLANT_SYMBOL="x")
    assert "Usage: " in out + err or "tickerplant 0." in out


def test_every_option_has_a_variable_that_is_its_name() -> None:
    """Whatever it is called in Python: the README says so of all of them."""

    def options(group: click.Group) -> list[tuple[click.Command, click.Option]]:
        found = []
        for command in group.commands.values():
            if isinstance(command, click.Group):
                found += options(command)
            else:
                found += [(command, p) for p in command.params if isinstance(p, click.Option)]
        return found

    for command, option in options(cli):
        name = max(option.opts, key=len).removeprefix("--").replace("-", "_").upper()
        context = command.make_context("x", [], resilient_parsing=True)
        value = "1"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(f"TICKERPLANT_{name}", value)
            check_environment(cli)
            assert option.resolve_envvar_value(context) == value, (command.name, name)


def test_a_server_doesnt_start_with_a_misspelt_variable() -> None:
    with process("serve", TICKERPLANT_PORT="0", TICKERPLANT_TOKN="s3cret") as running:
        out, err = running.communicate(timeout=TIMEOUT_S)
    assert (running.returncode, out) == (2, "")
    assert err == (
        "tickerplant: the variable TICKERPLANT_TOKN is no option; did you mean TICKERPLANT_TOKEN?\n"
    )


@pytest.mark.parametrize(
    ("host", "named", "bound"),
    [("0.0.0.0", "127.0.0.1", "0.0.0.0"), ("0", "127.0.0.1", "0.0.0.0")],
)
def test_what_listens_everywhere_says_where_it_can_be_reached(
    host: str, named: str, bound: str
) -> None:
    """To people, and to programs: the address of nobody in particular can't be clicked everywhere."""
    with process("serve", "--host", host, "--port", "0", "--ready-json") as running:
        assert running.stdout is not None
        ready = json.loads(running.stdout.readline())
        assert ready["url"] == f"http://{named}:{ready['port']}"
        assert ready["ws"] == f"ws://{named}:{ready['port']}/ws"
        with urllib.request.urlopen(f"{ready['url']}/health", timeout=TIMEOUT_S) as answer:  # noqa: S310
            assert json.load(answer)["status"] == "ok"
        running.terminate()
        assert running.wait(TIMEOUT_S) == 0
    with process("serve", "--host", host, "--port", "0") as running:
        assert running.stdout is not None
        lines = [running.stdout.readline().rstrip("\n") for _ in range(4)]
        assert lines[1].startswith(f"  page       http://{named}:")
        assert lines[2].startswith(f"  websocket  ws://{named}:")
        assert lines[3] == f"  listens    on all addresses of this machine ({bound})"
        running.terminate()
        assert running.wait(TIMEOUT_S) == 0
