"""The door before aiohttp, where no socket is needed to see what it does."""

import asyncio

from feeds.admission.door import Doors
from feeds.admission.limits import Limits
from feeds.counters.stats import ServerStats
from feeds.wire.backlog import BacklogPolicy


class Cut(asyncio.Transport):
    """Tells whether it was aborted."""

    aborted = False

    def abort(self) -> None:
        self.aborted = True


def nobody() -> asyncio.Protocol:
    raise AssertionError("there is nobody behind the door any more")


def test_who_is_accepted_too_late_to_be_closed_with_the_others_is_cut_off() -> None:
    """Nobody looks after it: it would stay open, without an answer, until the process ends."""
    doors = Doors(nobody, Limits(), BacklogPolicy(), ServerStats())
    doors.shut = True
    door, transport = doors(), Cut()
    door.connection_made(transport)
    assert transport.aborted
    door.connection_lost(None)
    assert doors.waiting == 0
