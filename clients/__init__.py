"""
Clients of the feed. They import nothing of the market and the server: copy what you need.

* :class:`clients.client.TickerClient`: asynchronous, typed, comes back after failures and proves that nothing was lost.
* :class:`clients.sync.SyncTickerClient`: the same for scripts and notebooks.
* :mod:`clients.events`: what they give. Times are Unix milliseconds with a microsecond fraction, prices decimals.
* :mod:`clients.failures`: what they raise, all of it a :class:`clients.failures.TickerError`.
* :mod:`clients.minimal`: the protocol in 25 lines, to paste.
* :mod:`clients.watch`, :mod:`clients.record`, :mod:`clients.load`: the commands of these names.
"""
