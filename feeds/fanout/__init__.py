"""
The multicast core: who wants what, one encoded event to all of them, what slow clients missed, what a resume gives.

No sockets and no aiohttp in here. Start with :mod:`feeds.fanout.hub`.
"""
