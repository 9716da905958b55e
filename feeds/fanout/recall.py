"""What is still known of a symbol's events: the history, and before that the past from before the market started."""

from feeds.dialects.native import NativeEncoder
from feeds.fanout.history import History
from ticker.batch import QUOTES, TRADES, TickBatch
from ticker.venue import Venue

__all__ = ["Recall"]


class Recall:
    """
    The events of one market, as far back as they are known.

    Those from before the start have sequences of 0 and below. They are made each time, in some milliseconds.

    Args:
        market: whose.
        encoder: encodes its events.
        history: keeps the newest ones.
    """

    def __init__(self, market: Venue, encoder: NativeEncoder, history: History) -> None:
        self._market, self._encoder, self._history = market, encoder, history
        self.pasts = 0
        """How often events from before the start were made."""

    def newest(self, symbol: int, channel: int, count: int) -> list[bytes]:
        """Give the newest events, oldest first, at most ``count``."""
        slot = channel * len(self._market.universe) + symbol
        found = self._history.last(slot, count)
        if len(found) == count or len(found) < self.seq(symbol, channel):
            return found
        before = self._before(symbol, channel)
        return self._encoder.encode(before[len(before) - (count - len(found)) :]) + found

    def after(self, symbol: int, channel: int, since: int) -> list[bytes] | None:
        """Give exactly the events after a sequence, oldest first; None if one of them isn't there, or still to come."""
        newest, slot = self.seq(symbol, channel), channel * len(self._market.universe) + symbol
        if since > newest:
            return None
        found = self._history.after(slot, max(0, since), newest)
        if since >= 0 or found is None:
            return found
        before = self._before(symbol, channel)
        if len(before) < -since:
            return None
        return self._encoder.encode(before[len(before) + since :]) + found

    def seq(self, symbol: int, channel: int) -> int:
        """Give the newest sequence."""
        return int(self._market.sequences()[channel, symbol])

    def _before(self, symbol: int, channel: int) -> TickBatch:
        if channel not in (TRADES, QUOTES):
            return TickBatch.empty()
        self.pasts += 1
        batch = self._market.recent(symbol)
        return batch[batch.channel == channel]
