"""An option that is a number of seconds."""

import math
from typing import Any

import click

__all__ = ["Seconds"]

_MOST = 1e9


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
        if not math.isfinite(seconds) or seconds > _MOST:
            self.fail(f"{seconds:g} is not a number of seconds up to {_MOST:,.0f}.", param, ctx)
        return seconds
