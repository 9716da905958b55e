"""
The market: seeded, vectorised, in integer ticks. Imports numpy and nothing else.

Start with :class:`ticker.universe.Universe` (what is traded) and :class:`ticker.market.Market` (what happens to it):
``Market(Universe.of_size(500), seed=7).step(until_us)`` gives a :class:`ticker.batch.TickBatch`, a struct of arrays of
the shape (events,). Everywhere in here times are Unix microseconds, prices whole ticks of the instrument's
``tick_size``, sizes shares, and symbols and channels numbers; ``seq`` counts the events of one symbol on one channel
from 1. What isn't allowed raises ValueError, or a subclass of it, that names the value.

* :mod:`ticker.model`: the parts of the default model, each with its source, and plain geometric Brownian motion.
* :mod:`ticker.scenarios`, :mod:`ticker.script`: what is laid over it: crashes, halts, single trades.
* :mod:`ticker.replay`: a recorded tape as a market; :class:`ticker.venue.Venue` is what it has in common with an invented one.
* :mod:`ticker.facts`: whether a tape has the stylised facts of the literature.
"""

__version__ = "0.1.0"
