"""The options of ``serve`` that say who may read, and how much."""

import os
from dataclasses import fields
from functools import partial
from typing import Any

import click

from feeds.admission.limits import Limits
from feeds.cli.options import of_field, together

__all__ = ["access_options", "take_limits"]


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

access_options = together(
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
    _limit(
        "--max-requests-s", "Requests a second of one connection; 20 times as many of one address."
    ),
    _limit("--max-burst", "Requests of one connection at once; 50 times as many of one address."),
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
