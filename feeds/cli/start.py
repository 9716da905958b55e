"""An option that is the market's starting time."""

import time
from typing import Any

import click

from feeds.errors import CommandError
from feeds.notation.times import moment_us

__all__ = ["Start"]

_LATEST_US = 4_102_444_800_000_000  # 2100


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
