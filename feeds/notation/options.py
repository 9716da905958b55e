"""Options as tests write them: ``symbols=["AAPL"]``, ``market="quiet"``; turned into those of a feed."""

from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal, TypedDict

from feeds.admission.limits import Limits
from feeds.errors import ConfigError
from feeds.replay import ReplayOptions
from feeds.wire.backlog import BacklogPolicy, Slow

__all__ = ["FeedOptions", "MarketOptions", "Symbols", "as_changes"]

Symbols = int | str | PathLike[str] | Iterable[str]
"""A number of symbols, their names, or a CSV or TOML file."""


class MarketOptions(TypedDict, total=False):
    """The options in which one run of a market may differ from another on the same server."""

    symbols: Symbols
    seed: int
    clock: str
    market: Literal["walk", "quiet"]
    """``quiet``: nothing happens except what a test commands."""
    rate: float
    model: str
    rules: Literal["open", "us"]
    """``us``: sessions, halts and conditions of the US market."""
    start_us: int | None
    turn_ms: float
    turn_events: int
    heartbeat_s: float
    history_mb: float
    compress: bool
    slow: Slow
    backlog: BacklogPolicy


class FeedOptions(MarketOptions, total=False):
    """The options of a server and of its market; see :class:`feeds.config.FeedConfig`."""

    host: str
    port: int
    scenario: str | Iterable[str]
    control: bool
    journal: int
    replay: ReplayOptions | None
    limits: Limits
    token: str | Iterable[str]
    origin: str | Iterable[str]
    stall_timeout: float
    shutdown_timeout: float
    slow_turn_ms: float
    tls_cert: Path | None
    tls_key: Path | None
    tls_self_signed: bool
    web_root: Path | None


def as_changes(options: Mapping[str, Any]) -> dict[str, Any]:
    """
    Give options as a feed's configuration has them.

    Raises:
        ConfigError: ``market`` is neither ``walk`` nor ``quiet``, or ``quiet`` and there is a rate.
    """
    changes = dict(options)
    if "symbols" in changes:
        changes["symbols"] = _symbols(changes["symbols"])
    market = changes.pop("market", "walk")
    if market not in ("walk", "quiet"):
        raise ConfigError(f"market {market!r} is not one of walk, quiet")
    if market == "quiet":
        if changes.get("rate"):
            raise ConfigError(f"a quiet market has no rate, and {changes['rate']!r} was given")
        changes["rate"] = 0.0
    return changes


def _symbols(given: Symbols) -> str:
    if isinstance(given, str):
        return given
    if isinstance(given, int):
        return str(given)
    return fspath(given) if isinstance(given, PathLike) else ",".join(given)
