"""What options of several commands have in common: groups of them, kinds of values, and where values come from."""

import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from feeds.errors import CommandError
from feeds.notation.times import moment_us

__all__ = ["CONTEXT", "Seconds", "Start", "of_field", "together"]

F = TypeVar("F", bound=Callable[..., Any])

CONTEXT = {"auto_envvar_prefix": "TICKERPLANT", "show_default": True}
"""Of every command."""

_MOST_S = 1e9
_LATEST_US = 4_102_444_800_000_000  # 2100


def together(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Give what adds several options to a command, in this order."""

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def of_field(defaults: object, option: str, about: str) -> Callable[[F], F]:
    """Give an option that has the default, and the type, of the field with its name."""
    default = getattr(defaults, option.removeprefix("--").replace("-", "_"))
    return click.option(option, type=type(default), default=default, help=about)


class Seconds(click.FloatRange):
    """
    A number of seconds from 0 on; unlike click's own range, it lets no ``nan`` pass, nor ``inf``.

    Args:
        min_open: whether 0 is too little.
    """

    def __init__(self, *, min_open: bool = False) -> None:
        super().__init__(0, min_open=min_open)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds) or seconds > _MOST_S:
            self.fail(f"{seconds:g} is not a number of seconds up to {_MOST_S:,.0f}.", param, ctx)
        return seconds


class Start(click.ParamType[int]):
    """A moment, as :func:`feeds.notation.times.moment_us` reads it; becomes Unix time in microseconds, whole seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            us = moment_us(value, time.time_ns() // 1_000)
        except CommandError as error:
            self.fail(str(error), param, ctx)
        if us % 1_000_000 or not 0 <= us <= _LATEST_US:
            self.fail(f"{value!r} is not a whole second from 1970 to 2100", param, ctx)
        return us
