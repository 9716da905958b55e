"""
Shared compression: permessage-deflate (RFC 7692), once per group and turn, whatever the number of its members.

A stateful stream compresses several times better than messages one by one, but only a client that has everything
since the stream began can read it. In a group, all live members have that, except those who have just joined. So a
stream starts over (a full flush: no reference goes behind it) with the first message after somebody joined, or came
back after conflation. What goes to one member alone, replies and catching up, isn't compressed; the extension
allows that for any message, and it doesn't touch the stream.

A group of one has nobody to share the cost with. It is compressed only while that pays: see :class:`Budget`.
"""

import zlib
from collections.abc import Iterable

from feeds.wire.envelope import WEBSOCKET, Envelope, Stateless
from feeds.wire.frame import COMPRESSED_TEXT, build_frame
from feeds.wire.transport import Data

__all__ = ["Budget", "DeflatedInWebSocket", "Deflation", "agreement"]

_LEVEL = 1
"""zlib's fastest: 24 bytes an event of 115 at 500 events a message; level 6 makes 19 of it, at three times the cost."""
_ALONE = {"wbits": 12, "memory": 5}
"""A smaller window for groups of one: 40 KB instead of 270."""
_WORTH_BYTES = 256
"""Shorter messages of a group of one aren't compressed."""
_WORTH_SHARE = 0.6
"""A group of one is compressed while the compressed size is less than this share of the plain one."""
_TRIAL_MESSAGES = 32
_PAUSE_MESSAGES = 1_024


_PARAMETERS = frozenset(
    f"{side}_{name}"
    for side in ("client", "server")
    for name in ("no_context_takeover", "max_window_bits")
)
_WINDOW = "server_max_window_bits"


def agreement(offers: str, agreed: str) -> str:
    """
    Give the header that accepts an offer, with the server's window wherever the offer limits it.

    An offer that does is accepted only by naming a window (RFC 7692, 7.1.2.1). aiohttp leaves out the largest one, and then
    clients hang up that keep to the RFC.

    Args:
        offers: the header ``Sec-WebSocket-Extensions`` of the request.
        agreed: that of the answer, as aiohttp made it: it has accepted the first offer that it can.
    """
    if _WINDOW in agreed:
        return agreed
    for offer in offers.split(","):
        name, *parameters = (part.strip() for part in offer.split(";"))
        given = dict(parameter.partition("=")[::2] for parameter in parameters)
        if name == "permessage-deflate" and _PARAMETERS.issuperset(given):
            if _WINDOW not in given:
                return agreed
            if given[_WINDOW] == "15":
                return f"{agreed}; {_WINDOW}=15"
    return agreed


class Budget:
    """
    How many groups of one may be compressed at a time: bounds their memory and time.

    Args:
        most: so many.
    """

    def __init__(self, most: int = 100) -> None:
        self.most = most
        self.used = 0


class DeflatedInWebSocket(Stateless):
    """
    A JSON array in a compressed WebSocket text frame.

    Args:
        wbits: the window that was agreed on, as a power of two: 9 to 15.
        budget: for groups of one.
    """

    shareable = False
    wrap = staticmethod(WEBSOCKET.wrap)

    def __init__(self, wbits: int, budget: Budget) -> None:
        self._wbits, self._budget = wbits, budget

    def open(self) -> Envelope:
        """Give the stream of a group."""
        return _Stream(self._wbits, self._budget)

    def seal(self, pieces: Iterable[bytes]) -> Data:
        """Make one message, uncompressed."""
        return WEBSOCKET.seal(pieces)


class _Stream(DeflatedInWebSocket):
    """The compressed stream of one group."""

    def __init__(self, wbits: int, budget: Budget) -> None:
        super().__init__(wbits, budget)
        self._zlib: zlib._Compress | None = None
        self._fresh = True
        self._alone = self._charged = False
        self._messages = self._plain = self._deflated = 0
        self._pause = 0

    def restart(self) -> None:
        """Let the next message need no earlier one."""
        self._fresh = True

    def audience(self, members: int) -> None:
        """Note how many live members the group has."""
        if not members:
            self._stop()
        alone = members < 2
        if alone != self._alone:
            self._alone = alone
            self._stop()
            self._pause = 0

    def seal(self, pieces: Iterable[bytes]) -> Data:
        """Make one message. About 6 ns a byte, whatever the number of members."""
        frame = WEBSOCKET.seal(pieces)
        self.saved = 0
        if not frame or (self._alone and not self._worth(len(frame))):
            return frame
        compressor = self._zlib or self._start()
        head = b""
        if self._fresh:
            head = compressor.flush(zlib.Z_FULL_FLUSH)
            self._fresh = False
        payload = memoryview(frame)[_header(len(frame)) :]
        body = head + compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)[:-4]
        self._messages += 1
        self._plain += len(frame)
        self._deflated += len(body)
        data = build_frame(COMPRESSED_TEXT, body)
        self.saved = len(frame) - len(data)
        return data

    def _worth(self, size: int) -> bool:
        """Tell whether to compress a message of a group of one; give up for a while what doesn't pay."""
        if self._pause:
            self._pause -= 1
            return False
        if size < _WORTH_BYTES:
            return False
        if not self._charged:
            if self._budget.used >= self._budget.most:
                return False
            self._charged = True
            self._budget.used += 1
        if self._messages >= _TRIAL_MESSAGES:
            if self._deflated > _WORTH_SHARE * self._plain:
                self._stop()
                self._pause = _PAUSE_MESSAGES
                return False
            self._messages = self._plain = self._deflated = 0
        return True

    def _start(self) -> "zlib._Compress":
        wbits, memory = self._wbits, 8
        if self._alone:
            wbits, memory = min(wbits, _ALONE["wbits"]), _ALONE["memory"]
        self._zlib = zlib.compressobj(_LEVEL, zlib.DEFLATED, -wbits, memory)
        self._fresh = False
        self._messages = self._plain = self._deflated = 0
        return self._zlib

    def _stop(self) -> None:
        self._zlib = None
        if self._charged:
            self._charged = False
            self._budget.used -= 1


def _header(length: int) -> int:
    return 2 if length < 128 else 4 if length < 65540 else 10


class Deflation:
    """The envelopes of one feed's WebSockets: what each has agreed on, one object for all who agreed on the same."""

    def __init__(self) -> None:
        self._budget = Budget()
        self._envelopes: dict[int, Envelope] = {}

    def envelope(self, wbits: int, agreed: str) -> Envelope:
        """
        Give what was agreed on. A client that wants each message compressed by itself gets them plain, which is allowed too.

        Args:
            wbits: the window, as a power of two; 0: nothing was agreed on.
            agreed: the header ``Sec-WebSocket-Extensions`` of the answer.
        """
        if not wbits or "server_no_context_takeover" in agreed:
            return WEBSOCKET
        if wbits not in self._envelopes:
            self._envelopes[wbits] = DeflatedInWebSocket(wbits, self._budget)
        return self._envelopes[wbits]
