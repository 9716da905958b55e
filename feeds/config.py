"""The options of a feed server, checked when they are made."""

from dataclasses import dataclass, field
from pathlib import Path

from feeds.backlog import BacklogPolicy, Slow
from feeds.errors import ConfigError
from feeds.pump import MAX_TURN_EVENTS
from ticker.instruments import UniverseError
from ticker.market import MAX_RATE
from ticker.model import model_named
from ticker.universe import Universe

__all__ = ["FeedConfig"]


@dataclass(frozen=True, slots=True)
class FeedConfig:
    """
    How to serve what market.

    Raises:
        ConfigError: an option is out of range; the message names it, its value and what is allowed.
    """

    host: str = "127.0.0.1"
    """Address to listen on; the default is reachable from this machine only."""
    port: int = 8765
    """TCP port; 0: any free one."""
    symbols: str = "30"
    """A number, symbols with commas between, or a CSV or TOML file."""
    rate: float = 10.0
    """Events a second and symbol, trades and quotes together."""
    seed: int = 7
    """The same seed and options give the same events."""
    model: str = "full"
    """What the market is made of: ``full``, or ``gbm``, a plain random walk."""
    clock: str = "wall"
    """``wall``, ``manual``, ``max``, or ``x10``."""
    start_us: int | None = None
    """The market's time at the start, in microseconds; None: now, or, for ``max`` and ``manual``, a fixed day."""
    turn_ms: float = 5.0
    """The pace of turns on a clock that has one, in real milliseconds."""
    turn_events: int = 500
    """The events of one turn with ``max``."""
    heartbeat_s: float = 5.0
    """The longest silence of a connection, in seconds."""
    history_mb: float = 64.0
    """Memory for the newest events of all symbols, from which clients resume, in megabytes; 0: none."""
    compress: bool = False
    """Compress messages for clients that offer permessage-deflate: once a group and turn, at some cost of latency."""
    stall_timeout: float = 5.0
    """Seconds without a finished turn after which ``/health`` says that the feed is stalled."""
    shutdown_timeout: float = 5.0
    """Seconds that clients have to read what is pending when the server stops."""
    slow_turn_ms: float = 250.0
    """Turns, and pauses of the event loop, that are longer than this many milliseconds are logged; 0: none."""
    backlog: BacklogPolicy = field(default_factory=BacklogPolicy)
    """When a slow consumer is conflated and evicted."""
    slow: Slow = Slow.CONFLATE
    """What is done for a slow consumer: ``conflate``, ``drop`` or ``disconnect``."""
    web_root: Path | None = None
    """The folder of the page; None: no page."""

    def __post_init__(self) -> None:
        ranges = {
            "port": (0, 65_535),
            "rate": (0, MAX_RATE),
            "seed": (-(2**63), 2**63 - 1),
            "turn_ms": (1, 1_000),
            "turn_events": (1, MAX_TURN_EVENTS),
            "heartbeat_s": (0.1, 3_600),
            "history_mb": (0, 1_000_000),
            "stall_timeout": (0.1, 3_600),
            "shutdown_timeout": (0, 3_600),
            "slow_turn_ms": (0, 3_600_000),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                option = name.replace("_", "-")
                raise ConfigError(
                    f"{option} {value!r} is out of range: {low:g} to {high:g} is allowed"
                )

        try:
            object.__setattr__(self, "slow", Slow(self.slow))
        except ValueError:
            raise ConfigError(
                f"slow {self.slow!r} is unknown; conflate, drop and disconnect are allowed"
            ) from None
        try:
            model_named(self.model)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def universe(self) -> Universe:
        """
        Build the universe.

        Raises:
            ConfigError: ``symbols`` is no universe.
        """
        try:
            return Universe.parse(self.symbols)
        except UniverseError as error:
            raise ConfigError(f"symbols: {error}") from error
