"""
Resuming: what a client that comes back gets of a symbol, so that it can prove that nothing was lost.

For each channel that is either exactly the events that it missed, or a ``gap`` that says which ones it won't get and why,
with a snapshot after it. It never gets only a part of them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from feeds.fanout.history import History
from feeds.fanout.snapshots import gap_object
from ticker.batch import DEPTH, channel_name

__all__ = ["OUTCOMES", "Resume"]

OUTCOMES = ("replayed", "too_old", "epoch", "ahead")
"""What can come of a symbol and channel: all that was missed, or a gap, by its reason."""


@dataclass(frozen=True, slots=True)
class Resume:
    """
    What a client says that it has.

    Args:
        history: the events that are still there.
        same_epoch: whether its sequences are of this run of the market.
        since: by symbol and channel name, its last sequence.
        outcomes: counts what came of it: ``replayed``, or the reason of a gap.
        counted: whether it said so itself; else ``since`` was worked out from a cursor, and a gap has no beginning.
    """

    history: History
    same_epoch: bool
    since: Mapping[str, Mapping[str, int]]
    counted: bool = True
    outcomes: Counter[str] = field(default_factory=Counter)

    def of(
        self, name: str, symbol: int, symbols: int, channels: Sequence[int], newest: Sequence[int]
    ) -> tuple[list[bytes], bool]:
        """
        Give what to send of one symbol.

        Args:
            name: the symbol.
            symbol: its id.
            symbols: how many symbols the market has.
            channels: the channel numbers that are asked for.
            newest: the newest sequence of each of them.

        Returns:
            Missed events and gaps, as objects, and whether a snapshot has to follow.
        """
        told: list[bytes] = []
        had = self.since.get(name)
        if had is None:
            return told, True
        snapshot = False
        for channel, last in zip(channels, newest, strict=True):
            since = had.get(channel_name(channel))
            if since is None:
                snapshot = True  # a channel that the client didn't have before
                continue
            missed = None
            if self.same_epoch and since <= last:
                missed = self.history.after(channel * symbols + symbol, since, last)
            if missed is None:
                told.append(self._gap(name, channel, since, last))
                snapshot = True
            else:
                told += [fragment[:-1] for fragment in missed]
                self.outcomes["replayed"] += 1
        return told, snapshot

    def tells(self, name: str, channel: int) -> bool:
        """Tell whether the client says what it has of a channel, and so is told all after that, or a gap."""
        return channel_name(channel) in self.since.get(name, ())

    def weight(self, name: str, channels: Sequence[int], newest: Sequence[int]) -> int:
        """Give about how many events there are to send of one symbol, for cutting an answer into pieces."""
        had = self.since.get(name, {})
        missed = (n - had.get(channel_name(c), n) for c, n in zip(channels, newest, strict=True))
        weights = (2 if channel == DEPTH else 1 for channel in channels)  # a book's are longer
        return sum(
            w * min(self.history.length, max(0, n)) for n, w in zip(missed, weights, strict=True)
        )

    def _gap(self, name: str, channel: int, since: int, last: int) -> bytes:
        reason = "ahead" if since > last else "too_old"
        reason = reason if self.same_epoch else "epoch"
        self.outcomes[reason] += 1
        return gap_object(name, channel, since + 1 if self.counted else None, last, reason)
