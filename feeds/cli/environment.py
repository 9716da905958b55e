"""
Variables of the environment that look like options and are none: refused, as an unknown option is.

Otherwise a misspelt ``TICKERPLANT_TOKEN`` would let everybody read, and say nothing.
"""

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches

import click

__all__ = ["check_environment"]

_PREFIX = "TICKERPLANT_"
_OF_OTHERS = re.compile(r"REQUIRE|SERVICE_(HOST|PORT.*)|PORT_\d+_.*")
"""What our tests read, and what Kubernetes sets in each container for a service that is called tickerplant."""
_OF_A_SERVICE = "tcp://"
_RULE = (
    "an option --soft-limit is TICKERPLANT_SOFT_LIMIT, and the options are in the command's --help"
)


def check_environment(group: click.Group) -> None:
    """
    Check that each variable is an option of some command: a shell may have set some for several of them.

    Raises:
        UsageError: one isn't; the message names the one that was meant, or says what is allowed.
    """
    known = sorted(set(_variables(group)))
    for name in sorted(os.environ):
        if not name.startswith(_PREFIX) or name in known:
            continue
        if _OF_OTHERS.fullmatch(name.removeprefix(_PREFIX)):
            continue
        own = [variable.removeprefix(_PREFIX) for variable in known]
        near = get_close_matches(name.removeprefix(_PREFIX), own, 1, 0.75)
        hint = f"did you mean {_PREFIX}{near[0]}?" if near else _RULE
        raise click.UsageError(f"the variable {name} is no option; {hint}")
    port = os.environ.get(f"{_PREFIX}PORT", "")
    if port.startswith(_OF_A_SERVICE):
        raise click.UsageError(
            f"{_PREFIX}PORT is {port!r}, which Kubernetes sets where a service is called tickerplant: give"
            " the pod enableServiceLinks: false, or the variable a port"
        )


def _variables(group: click.Group) -> Iterator[str]:
    for command in [group, *group.commands.values()]:
        if isinstance(command, click.Group) and command is not group:
            yield from _variables(command)
            continue
        for option in command.params:
            if isinstance(option.envvar, str):
                yield option.envvar
            elif isinstance(option, click.Option) and option.name:
                yield f"{_PREFIX}{option.name.upper()}"
