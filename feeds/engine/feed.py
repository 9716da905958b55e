"""What all connections to one market share, and what they are told of it."""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from feeds.admission.budget import COMPARED
from feeds.counters.stats import FeedStats
from feeds.dialects.fields import CHANNEL_NAMES, Id, show
from feeds.dialects.native import NativeEncoder
from feeds.dialects.patterns import LONGEST, WORK, Patterns
from feeds.dialects.requests import Subscribe
from feeds.errors import Code, RequestError
from feeds.fanout.cursor import Cursor, Place, Since
from feeds.fanout.hub import Hub
from feeds.fanout.resume import Resume
from feeds.fanout.snapshots import ALWAYS, MarketSnapshots
from ticker import __version__
from ticker.batch import DEPTH, INTERVALS
from ticker.instruments import Instrument
from ticker.ladder import LEVELS
from ticker.venue import Venue

__all__ = ["ALWAYS", "Feed", "instrument_object"]

_MOST_PLACES = 4
_BOOK_WEIGHT = 10  # with which 100 books are long enough for a message

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Feed:
    """What all sessions share."""

    market: Venue
    encoder: NativeEncoder
    hub: Hub
    epoch: str
    heartbeat_ms: int
    stats: FeedStats = field(default_factory=FeedStats)
    looked_up: dict[Place, dict[int, int]] = field(default_factory=dict)
    """For the places that clients came back to lately, what they have of each slot."""
    patterns: Patterns = field(init=False)

    def __post_init__(self) -> None:
        self.patterns = Patterns(self.market.universe)

    def hello(self, *, auth: bool = False) -> bytes:
        """Give the first message of a connection; ``auth``: whether it wants a token before anything else."""
        hello = {
            "type": "hello",
            "protocol": 1,
            "server": f"tickerplant/{__version__}",
            "epoch": self.epoch,
            "seed": self.market.seed,
            "synthetic": self.market.synthetic,
            "symbols": len(self.market.universe),
            "channels": CHANNEL_NAMES,
            "intervals": list(INTERVALS),
            "depth_levels": LEVELS,
            "heartbeat_ms": self.heartbeat_ms,
            "auth": auth,
        }
        if self.market.rules != "open":
            hello["rules"] = self.market.rules
        return orjson.dumps([hello])

    def resolve(
        self,
        names: Iterable[str],
        request_id: Id = None,
        spend: Callable[[float], object] = bool,
    ) -> Sequence[int]:
        """
        Turn symbols and patterns into symbol ids, each once, in the order asked for; spends as :meth:`resolving` does.

        Raises:
            RequestError: one of them is no symbol, or matches none.
        """
        steps = self.resolving(names, None, request_id, spend)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found: Sequence[int] = end.value
                return found

    def resolving(
        self,
        names: Iterable[str],
        pause: T,
        request_id: Id = None,
        spend: Callable[[float], object] = bool,
    ) -> Generator[T, None, Sequence[int]]:
        """
        Do as :meth:`resolve`; where it yields ``pause``, it has worked for about 10 ms, and others may.

        Args:
            names: what to look up.
            pause: what to give then.
            request_id: the ``id`` of the request.
            spend: is told what it costs, in symbols (see :mod:`feeds.admission.budget`).
        """
        universe, patterns = self.market.universe, self.patterns
        found: dict[int, None] = {}
        paused = patterns.work
        for name in names:
            if (number := universe.find(name)) is not None:
                found[number] = None
                continue
            before, pattern = patterns.work, "*" in name or "?" in name
            if pattern and len(name) > LONGEST:
                text = f"a pattern of {len(name)} characters, {show(name)}; at most {LONGEST} are allowed"
                raise RequestError(Code.INVALID_VALUE, text, request_id)
            matches = patterns.match(name) if pattern else ()
            spend((patterns.work - before) * COMPARED)
            if not matches:
                raise RequestError(Code.UNKNOWN_SYMBOL, self._unknown(name), request_id)
            found.update(dict.fromkeys(matches))
            if patterns.work - paused >= WORK:
                yield pause
                paused = patterns.work
        return patterns.keep(found)

    def wanted(
        self, request: Subscribe, pause: T, spend: Callable[[float], object] = bool
    ) -> Generator[T, None, Sequence[int]]:
        """
        Give the symbol ids that a subscription is for; yields ``pause``, and spends, as :meth:`resolving` does.

        Raises:
            RequestError: one of its symbols is none, or it says what it has of one that it doesn't subscribe to.
        """
        every = yield from self.resolving(request.symbols, pause, request.id, spend)
        among, same = set(every if request.since else ()), request.epoch == self.epoch
        for name in request.since or ():
            number = self.market.universe.find(name)
            if number is None and not same:
                continue  # of another market, which may have had it
            if number not in among:
                text = f"'since' has {show(name)}, which is not among the symbols of the request"
                raise RequestError(Code.INVALID_VALUE, text, request.id)
        return every

    def _unknown(self, name: str) -> str:
        shown = repr(name if len(name) <= 40 else name[:37] + "...")
        if "*" in name or "?" in name:
            return f"the pattern {shown} matches no symbol"
        near = self.market.universe.suggest(name[:40])
        return f"unknown symbol {shown}; " + (
            f"did you mean {near!r}?" if near else "ask for the list with 'symbols'"
        )

    def snapshots(
        self, symbols: Sequence[int], channels: Iterable[int], request_id: Id = None
    ) -> list[bytes]:
        """Encode the snapshots of some symbols, with the sequences of the channels that every snapshot tells and more."""
        maker = MarketSnapshots(self.market, self.encoder, self.hub.depth)
        return maker.snapshots(symbols, channels, request_id)

    def resume(
        self, resume: Resume, symbols: Sequence[int], channels: Sequence[int], *, fresh: bool
    ) -> tuple[list[bytes], list[int]]:
        """
        Give what a client that comes back has missed of some symbols.

        Args:
            resume: what it says that it has.
            symbols: the symbol ids.
            channels: the channel numbers that it asks for.
            fresh: whether symbols that it didn't have before get a snapshot.

        Returns:
            Missed events and gaps, as objects, and the symbols whose snapshot has to follow.
        """
        total = len(self.market.universe)
        seq = self.market.sequences()[list(channels)]
        objects: list[bytes] = []
        wanting: list[int] = []
        for symbol in symbols:
            name = self.market.universe.symbols[symbol]
            told, snapshot = resume.of(name, symbol, total, channels, seq[:, symbol].tolist())
            objects += told
            if snapshot and (fresh or told):
                wanting.append(symbol)
        return objects, wanting

    def resumed(self, resume: Resume, symbols: Sequence[int], channel: int) -> list[int]:
        """Give the symbols for which a client says what it has of a channel; it gets everything after that, or a gap."""
        names = self.market.universe.symbols
        return [i for i in symbols if resume.tells(names[i], channel)]

    def resuming(self, cursor: Cursor, channels: Sequence[int]) -> Resume:
        """Give what a client with a cursor has of some channels."""
        hub, place = self.hub, cursor.place
        if hub.depth is not None:
            hub.depth.align(hub.seq)
        if place not in self.looked_up and len(self.looked_up) >= _MOST_PLACES:
            del self.looked_up[next(iter(self.looked_up))]
        found = self.looked_up.setdefault(place, {})
        universe = self.market.universe
        since = Since(place, hub.place, hub.history, universe, channels, hub.seq, found)
        return Resume(
            hub.history,
            cursor.epoch == self.epoch,
            since,
            outcomes=self.stats.resumed,
            counted=False,
        )

    def weigher(self, resume: Resume | None, channels: Sequence[int]) -> Callable[[int], int]:
        """Give what tells, for a symbol id, about how many events a client that comes back has missed."""
        book = _BOOK_WEIGHT if DEPTH in channels else 0
        if resume is None:
            return lambda _: book
        names, seq, wanted = self.market.universe.symbols, self.market.sequences(), list(channels)
        return lambda i: book + resume.weight(names[i], channels, seq[wanted, i].tolist())


def instrument_object(instrument: Instrument) -> dict[str, Any]:
    """Give an instrument as an object for JSON."""
    return {
        "symbol": instrument.symbol,
        "name": instrument.name,
        "sector": instrument.sector,
        "tick_size": instrument.tick_size,
        "round_lot": instrument.round_lot,
        "exchange": instrument.exchange or None,
        "tape": instrument.tape or None,
    }
