"""
The server of `bench.slow`: `tickerplant serve`, with what no option of it sets.

    python -m bench.slow_server RATE NO_PROGRESS_SECONDS lowat|without
"""

import asyncio
import sys
from collections.abc import Sequence

from feeds.admission.limits import Limits
from feeds.cli import serve
from feeds.config import FeedConfig
from feeds.server import FeedServer
from feeds.wire import transport
from feeds.wire.backlog import BacklogPolicy

__all__ = ["main"]

_NO_LIMIT = 100_000
_HISTORY_MB = 2
"""Full within a second, so that what memory grows by is due to clients."""


def main(argv: Sequence[str] | None = None) -> None:
    """Serve 500 symbols until killed."""
    rate, no_progress_s, lowat = sys.argv[1:] if argv is None else argv
    if lowat == "without":
        transport.NOTSENT_LOWAT = 0
    config = FeedConfig(
        port=0,
        symbols="500",
        rate=float(rate),
        heartbeat_s=60,
        history_mb=_HISTORY_MB,
        backlog=BacklogPolicy(no_progress_s=float(no_progress_s)),
        limits=Limits(max_connections=_NO_LIMIT, max_per_address=_NO_LIMIT),
    )
    with asyncio.Runner(loop_factory=serve.loop_factory("auto")) as runner:
        runner.run(serve.run_feed(FeedServer(config), ready_json=True))


if __name__ == "__main__":
    main()
