"""What a signal does: the first, its echo, and a second one."""

from __future__ import annotations

import signal

import pytest

from feeds.cli.signals import ECHO_S, SIGNALS, Stopper, signals


class Noted:
    """A stopper whose deeds are noted, at times of ours."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[str] = []
        self.stopper = Stopper(
            lambda: self.done.append("stop"),
            lambda code: self.done.append(f"leave {code}"),
            lambda: self.now,
        )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_stops_and_a_second_one_leaves_at_once(number: int, code: int) -> None:
    noted = Noted()
    noted.stopper(number)
    assert noted.done == ["stop"]
    noted.now = 1.0
    noted.stopper(number)
    assert noted.done == ["stop", f"leave {code}"]


def test_the_exit_code_is_that_of_the_second() -> None:
    noted = Noted()
    noted.stopper(signal.SIGTERM)
    noted.now = 1.0
    noted.stopper(signal.SIGINT)
    assert noted.done == ["stop", "leave 130"]


def test_an_echo_is_no_second_signal() -> None:
    """As of timeout(1), which signals the process and then its group."""
    noted = Noted()
    noted.stopper(signal.SIGTERM)
    noted.now = ECHO_S
    noted.stopper(signal.SIGTERM)
    assert noted.done == ["stop"]


def test_the_handlers_of_before_are_put_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    called: list[int] = []
    with signals(lambda: called.append(1)):
        signal.raise_signal(signal.SIGTERM)
        assert called == [1]
    assert [signal.getsignal(number) for number in SIGNALS] == before
