"""
The feed: serves a market over WebSocket and HTTP, as ``PROTOCOL.md`` in this folder says.

* :class:`feeds.server.FeedServer` with a :class:`feeds.config.FeedConfig`: a server in the running event loop.
* :class:`feeds.testing.TickerFeed`, :class:`feeds.testing.AsyncTickerFeed` and the fixture ``ticker_feed`` of
  :mod:`feeds.pytest_plugin`: the same for tests, which direct its market, its time and its faults.
* :mod:`feeds.cassette`: records any WebSocket feed, and plays it back.
* :mod:`feeds.cli`: the command ``tickerplant``.

What can't be served as asked raises :class:`feeds.errors.ConfigError`, with the option, its value and what is allowed.
On the wire times are Unix milliseconds with a microsecond fraction, and prices decimals; inside, they are what
:mod:`ticker` has: microseconds, and ticks.
"""
