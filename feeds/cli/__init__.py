"""
The command line: the one place that puts market, feed and clients together.

An option's value comes from the command line, else from ``TICKERPLANT_<OPTION>``, else from the command's table in the
TOML file of ``--config``, else it is the default.
"""

import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import click

# One thread is all we use. A second one, even asleep, makes each system call on a socket dearer: 2 % of the fan-out.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from feeds.cli import cassette, plot, serve, tools, validate
from feeds.cli.environment import check_environment
from ticker import __version__

__all__ = ["cli", "main"]


def _read_config(context: click.Context, _: click.Parameter, path: Path | None) -> Path | None:
    """Make the file's tables the defaults of the commands."""
    if path is None:
        return None
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise click.BadParameter(f"can't read {str(path)!r}: {why}") from error
    group = context.command
    assert isinstance(group, click.Group)
    context.default_map = _tables(path, group, tables, "")
    return path


def _tables(
    path: Path, group: click.Group, tables: dict[str, Any], above: str
) -> dict[str, dict[str, Any]]:
    """Give the defaults of a group's commands; a group among them has tables of its own, such as `[cassette.play]`."""
    found = {}
    for name, table in tables.items():
        command = group.commands.get(name)
        if command is None or not isinstance(table, dict):
            known = ", ".join(above + name for name in group.commands)
            raise click.BadParameter(
                f"{path}: {above + name!r} is no command; the tables are {known}"
            )
        if isinstance(command, click.Group):
            found[name] = _tables(path, command, table, f"{above}{name}.")
        else:
            found[name] = _defaults(path, command, table, above + name)
    return found


def _defaults(
    path: Path, command: click.Command, table: dict[str, Any], name: str
) -> dict[str, Any]:
    """Give the values of a table by the names of the options; one value for what may be repeated is a list of one."""
    options = {p.name: p.multiple for p in command.params if isinstance(p, click.Option)}
    for key in table:
        if key.replace("-", "_") not in options:
            known = ", ".join(sorted(k.replace("_", "-") for k in options if k))
            raise click.BadParameter(
                f"{path}: {name!r} has no option {key!r}; its options are {known}"
            )
    values = {key.replace("-", "_"): value for key, value in table.items()}
    return {k: [v] if options[k] and isinstance(v, str) else v for k, v in values.items()}


_HELP = {"help_option_names": ["-h", "--help"]}
_ABOUT_US = {*_HELP["help_option_names"], "--version"}


class _Group(click.Group):
    """Looks at the environment, unless all that is wanted is to be told what may be in it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and _ABOUT_US.isdisjoint(args):
            check_environment(self)
        return super().parse_args(ctx, args)


@click.group(cls=_Group, context_settings=_HELP)
@click.version_option(__version__, message="tickerplant %(version)s")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="TICKERPLANT_CONFIG",
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    help="TOML file with a table of options for each command.",
)
def cli() -> None:
    """Invent a stock market and stream it: trades, quotes and bars over WebSocket."""


cli.add_command(serve.serve)
cli.add_command(validate.validate)
cli.add_command(plot.plot)
cli.add_command(cassette.cassette)
for _command in tools.COMMANDS:
    cli.add_command(_command)


def main(args: list[str] | None = None) -> Any:
    """
    Run the command line.

    Exits with 0; with 1 when the work failed; with 2 and one line on stderr when an option isn't allowed;
    with 130 when interrupted.
    """
    try:
        code = cli.main(args, prog_name="tickerplant", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"tickerplant: {error.format_message()}", err=True)
        sys.exit(2)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
