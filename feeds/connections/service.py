"""What the connections of one feed need of their plant."""

from dataclasses import dataclass

from feeds.clock import Clock
from feeds.config import FeedConfig
from feeds.engine.desk import Desk
from feeds.engine.feed import Feed
from feeds.engine.pump import Pump
from feeds.http.access import Access
from feeds.observation.clientele import Clientele

__all__ = ["Service"]


@dataclass(frozen=True, slots=True)
class Service:
    """What serves the connections of one feed, over WebSocket and plain HTTP."""

    feed: Feed
    """What they are served."""
    pump: Pump
    """Tells when no turn is under way."""
    desk: Desk
    """Where answers are made."""
    clock: Clock
    """Gives the time."""
    config: FeedConfig
    """The limits."""
    access: Access
    """Who may read, and who has shown a token."""
    clientele: Clientele | None = None
    """Notes what they do; None: nobody does."""
