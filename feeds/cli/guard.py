"""The options of ``serve`` that say who may read, and how much; and the system's limit on open files."""

import logging
import math
import os
from bisect import bisect_right
from dataclasses import fields, replace
from functools import partial
from typing import Any

import click

from feeds.admission.limits import Limits
from feeds.cli.options import of_field, together

__all__ = ["fit_file_limit", "guard_options", "take_limits"]

log = logging.getLogger("feeds")

_FILES_EACH = 2  # a connection, and our duplicate of it
_OTHER_FILES = 64


class _Tokens(click.types.StringParamType):
    """Tokens; several in the environment are separated by commas."""

    name = "token"
    envvar_list_splitter = ","


class _TokenOption(click.Option):
    """Refuses a variable that is set to nothing: it would let everybody in where somebody forgot to fill it."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        name = f"{ctx.auto_envvar_prefix}_TOKEN"
        value = os.environ.get(name)
        if value is not None and not value.strip(" ,"):
            raise click.UsageError(
                f"{name} is set, but has no token; unset it to let everybody read"
            )
        return super().resolve_envvar_value(ctx)


_limit = partial(of_field, Limits())

guard_options = together(
    click.option("--tls-cert", metavar="FILE", help="Serve TLS, with this certificate (PEM)."),
    click.option("--tls-key", metavar="FILE", help="The certificate's key (PEM)."),
    click.option(
        "--tls-self-signed", is_flag=True, help="Serve TLS, with a certificate for this run."
    ),
    click.option(
        "--token",
        cls=_TokenOption,
        type=_Tokens(),
        multiple=True,
        metavar="TOKEN",
        show_default=False,  # it could be in a file
        help="Clients must show this; may be repeated. Others on this machine see it here, but not in"
        " TICKERPLANT_TOKEN.",
    ),
    click.option(
        "--origin",
        multiple=True,
        metavar="ORIGIN",
        help="Let web pages from elsewhere read; * is all; may be repeated.",
    ),
    _limit("--max-connections", "Connections in all."),
    _limit("--max-per-address", "Connections from one address."),
    _limit("--max-requests-s", "Requests a second of one connection."),
    _limit("--max-burst", "Requests of one connection at once."),
    _limit("--max-symbols", "Symbols of one connection."),
    _limit("--handshake-s", "Seconds for TLS, for a request's head, and for a token, each."),
)


def take_limits(options: dict[str, Any]) -> Limits:
    """
    Take the limits out of a command's options.

    Raises:
        ConfigError: one is out of range.
    """
    return Limits(**{field.name: options.pop(field.name) for field in fields(Limits)})


def fit_file_limit(limits: Limits) -> Limits:
    """
    Let this process open as many files as it may need; where the system doesn't allow that, give limits that fit.

    So who is one too many is told so, instead of waiting for a connection that can't be accepted.
    """
    files = _raise_file_limit(_files(limits))
    if files >= _files(limits):
        return limits
    fitting = bisect_right(
        range(1, limits.max_connections),
        files,
        key=lambda n: _files(replace(limits, max_connections=n)),
    )
    fitted = replace(limits, max_connections=max(1, fitting))
    log.info(
        "the system lets this process open %d files: enough for %d connections, not for --max-connections %d",
        files,
        fitted.max_connections,
        limits.max_connections,
    )
    return fitted


def _files(limits: Limits) -> int:
    return _FILES_EACH * limits.max_connections + limits.max_waiting + _OTHER_FILES


def _raise_file_limit(wanted: int) -> float:
    """Raise the limit of open files as far as it goes; give it."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return math.inf
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, wanted):  # macOS calls it unlimited, and means less
        if resource.RLIM_INFINITY in (soft, limit) or limit <= soft:
            continue
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        except (OSError, ValueError):
            continue
        soft = limit
    return math.inf if soft == resource.RLIM_INFINITY else soft
