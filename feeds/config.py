"""The options of a feed server, checked when they are made."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path

from feeds.admission.limits import Limits, check_ranges
from feeds.admission.origins import is_loopback
from feeds.engine.pump import MAX_TURN_EVENTS
from feeds.errors import ConfigError
from feeds.replay import ReplayOptions
from feeds.wire.backlog import BacklogPolicy, Slow
from ticker.instruments import UniverseError
from ticker.market import MAX_RATE, Market
from ticker.model import model_named
from ticker.regulation.us import rules_named
from ticker.staging.scenes import read_scenes
from ticker.universe import Universe

__all__ = ["FeedConfig", "check_names"]

_CONTROL_JOURNAL = 1_000


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
    rules: str = "open"
    """``open``: the market is always open, and has no rules; ``us``: sessions, halts and conditions of the US market."""
    scenario: str | Iterable[str] = ()
    """Scenarios from the start on: names of scenarios and TOML files, or one of them."""
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
    """Compress messages for clients that offer permessage-deflate: once per group and turn, at some cost in latency."""
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
    limits: Limits = field(default_factory=Limits)
    """What one client, and all of them together, may use."""
    tls_cert: Path | None = None
    """The server's certificate and its chain, as PEM; None: no TLS."""
    tls_key: Path | None = None
    """Its key, as PEM, without a password."""
    tls_self_signed: bool = False
    """Whether to make a certificate for this run."""
    token: str | Iterable[str] = field(default=(), repr=False)
    """Tokens, or one, that clients must show; none: everybody may read."""
    origin: str | Iterable[str] = ()
    """Origins, or one, of other web pages that may read, such as ``https://app.example``; ``*``: all."""
    journal: int = 0
    """Journal entries to keep, for tests: what clients do, and what is done with them; 0: none."""
    control: bool = False
    """Whether ``/control/*`` lets tests drive it; then there is a journal, of 1,000 entries unless told otherwise."""
    replay: ReplayOptions | None = None
    """The tape to play instead of a market; then ``symbols``, ``rate``, ``seed``, ``model`` and ``rules`` change no event."""
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
            "journal": (0, 1_000_000),
        }
        check_ranges(self, ranges)
        for name, lacks in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
            if getattr(self, name) is not None and getattr(self, lacks) is None:
                given, other = name.replace("_", "-"), lacks.replace("_", "-")
                raise ConfigError(f"{given} needs {other} as well: a certificate and its key")
        if self.tls_self_signed and self.tls_cert is not None:
            raise ConfigError("tls-self-signed and tls-cert exclude each other: choose one")
        for name in ("token", "origin", "scenario"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))

        if self.control:
            self._check_control()
        try:
            object.__setattr__(self, "slow", Slow(self.slow))
        except ValueError:
            raise ConfigError(
                f"slow {self.slow!r} is unknown; conflate, drop and disconnect are allowed"
            ) from None
        if self.scenario and self.replay is not None:
            raise ConfigError("scenario and replay exclude each other: choose one")
        try:
            rules_named(self.rules)
            model_named(self.model)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def _check_control(self) -> None:
        if not self.token and not is_loopback(self.host):
            raise ConfigError(
                f"control on {self.host!r}, which others can reach, needs a token, so that not everybody drives it"
            )
        object.__setattr__(self, "journal", self.journal or _CONTROL_JOURNAL)

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

    def market(self, start_us: int) -> Market:
        """
        Build the market.

        Args:
            start_us: its time at the start, Unix time in microseconds.

        Raises:
            ConfigError: ``symbols`` is no universe, a scenario can't be read or played, or it is too much for one market.
        """
        universe = self.universe()
        try:
            return Market(
                universe,
                seed=self.seed,
                rate=self.rate,
                start_us=start_us,
                model=self.model,
                rules=self.rules,
                scenes=[scene for text in self.scenario for scene in read_scenes(text)],
            )
        except ValueError as error:  # what only the market can know: too much for one symbol count
            raise ConfigError(str(error)) from error


def check_names(names: Iterable[str]) -> None:
    """
    Check the names of options.

    Raises:
        ConfigError: there is no such option; the message names the one that was meant, or all.
    """
    known = [option.name for option in fields(FeedConfig)] + ["market"]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"the options are {', '.join(known)}"
            raise ConfigError(f"unknown option {name!r}; {hint}")
