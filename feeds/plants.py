"""The plants of one server, by the key of their session: ``""`` is the one that is always there."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from feeds.config import FeedConfig, check_names
from feeds.dialects.native import NativeEncoder
from feeds.errors import CloseCode, CommandError, ConfigError, UnknownSession
from feeds.http.access import Access
from feeds.plant import Plant
from ticker.venue import Venue

__all__ = ["CHANGES", "MAX_SESSIONS", "Plants", "most_sessions"]

MAX_SESSIONS = 256
"""The most plants of one server."""

CHANGES = (
    "symbols",
    "rate",
    "seed",
    "model",
    "rules",
    "clock",
    "start_us",
    "turn_ms",
    "turn_events",
    "heartbeat_s",
    "history_mb",
    "compress",
    "slow",
    "backlog",
)
"""The options in which a plant may differ from others of its server."""

_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def most_sessions(config: FeedConfig) -> int:
    """Give how many sessions a server may come to have: one, unless somebody may begin others."""
    return MAX_SESSIONS if config.control else 1


class Plants:
    """
    Makes, finds, replaces and stops plants.

    Args:
        config: the options of all that don't differ.
        access: who may read.
        market: the market of the first plant, instead of one that the options describe.
        encoder: the first plant's.
        progress: is told how far a tape was gone through, from 0 to 1.
    """

    def __init__(
        self,
        config: FeedConfig,
        access: Access,
        *,
        market: Venue | None = None,
        encoder: NativeEncoder | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self._access, self._given = access, market is not None or encoder is not None
        self._configs: dict[str, FeedConfig] = {"": config}
        first = Plant(config, access, market=market, encoder=encoder, progress=progress)
        self._plants: dict[str, Plant] = {"": first}
        self._retiring: set[asyncio.Task[None]] = set()
        self._failed = asyncio.Event()
        self._failure: Exception | None = None
        self._started = False

    @property
    def default(self) -> Plant:
        """The plant without a key."""
        return self._plants[""]

    @property
    def sessions(self) -> tuple[str, ...]:
        """The keys of all plants; the first is ``""``."""
        return tuple(self._plants)

    def __getitem__(self, session: str) -> Plant:
        """
        Give a plant.

        Raises:
            UnknownSession: there is none with this key; the message names those that there are.
        """
        if (plant := self._plants.get(session)) is None:
            named = ", ".join(
                repr(key) if key else "'' (the default)" for key in [*self._plants][:20]
            )
            raise UnknownSession(f"unknown session {session[:64]!r}; there is {named}")
        return plant

    def open(self, session: str, changes: Mapping[str, Any] | None = None) -> Plant:
        """
        Begin one more session.

        Args:
            session: its key: 1 to 64 letters, digits or any of ``_ . -``.
            changes: options in which it differs: some of :data:`CHANGES`.

        Raises:
            CommandError: the key isn't allowed or is taken, or there are too many.
            ConfigError: a change isn't allowed.
        """
        if not _KEY.fullmatch(session):
            raise CommandError(
                f"session {session[:80]!r}: 1 to 64 letters, digits or any of _ . - are allowed"
            )
        if session in self._plants:
            raise CommandError(f"session {session!r} is there already; reset it, or choose another")
        if len(self._plants) >= MAX_SESSIONS:
            raise CommandError(
                f"{len(self._plants)} sessions are open; at most {MAX_SESSIONS} are allowed: end one"
            )
        config = _changed(self._configs[""], changes)
        plant = self._plants[session] = Plant(config, self._access, session=session)
        self._configs[session] = config
        if self._started:
            plant.start(self._fail)
        return plant

    def reset(self, session: str = "", changes: Mapping[str, Any] | None = None) -> Plant:
        """
        Replace a plant by a fresh one: the same options and seed, so the same market from its start.

        Connections to the old one are closed with 1012, by and by; whoever connects from now on gets the new one.

        Args:
            session: which.
            changes: options in which this run differs, until the next reset.

        Raises:
            UnknownSession: there is no such session.
            ConfigError: a change isn't allowed.
            CommandError: its market was handed in, so another of the kind can't be made.
        """
        old = self[session]
        if not session and self._given:
            raise CommandError("a market or encoder that was handed in can't be made again")
        new = Plant(_changed(self._configs[session], changes), self._access, session=session)
        self._plants[session] = new
        if self._started:
            new.start(self._fail)
            self._retire(old, "the session was reset")
        return new

    def close(self, session: str) -> None:
        """
        End a session; its connections are closed with 1012, by and by.

        Raises:
            UnknownSession: there is none with this key.
            CommandError: it is the one that is always there.
        """
        plant = self[session]
        if not session:
            raise CommandError("the session '' is always there; it can be reset")
        del self._plants[session], self._configs[session]
        if self._started:
            self._retire(plant, "the session is over")

    def start(self) -> None:
        """Turn the pumps, in the running event loop."""
        self._started = True
        for plant in self._plants.values():
            plant.start(self._fail)

    async def stop(self) -> None:
        """Stop all plants, those that are being replaced as well; see :meth:`feeds.plant.Plant.stop`."""
        self._started = False
        stops = [
            plant.stop(CloseCode.GOING_AWAY, "the server is stopping", settle=True)
            for plant in self._plants.values()
        ]
        await asyncio.gather(*stops, *self._retiring)

    async def failure(self) -> Exception:
        """Wait until a pump fails, which none should; gives what it failed with, once clients are told."""
        await self._failed.wait()
        assert self._failure is not None
        return self._failure

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._failed.set()

    def _retire(self, plant: Plant, reason: str) -> None:
        stop = plant.stop(CloseCode.SERVICE_RESTART, reason, settle=False)
        task = asyncio.create_task(stop, name="retire")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


_OF_A_MARKET = ("symbols", "rate", "seed", "model", "rules")


def _changed(config: FeedConfig, changes: Mapping[str, Any] | None) -> FeedConfig:
    """Give options with some changes, which are checked as all options are."""
    check_names(changes or ())
    for name in changes or ():
        if name not in CHANGES:
            raise ConfigError(
                f"{name!r} can't differ between sessions; what can is {', '.join(CHANGES)}"
            )
        if config.replay is not None and name in _OF_A_MARKET:
            raise ConfigError(f"what plays is a tape: {name!r} has no effect on it")
    return replace(config, **(changes or {}))
