"""One WebSocket connection, and what faults may do to it. Everything here is done between turns."""

import asyncio
import socket
import struct
from collections.abc import Callable

import orjson

from feeds.admission.inbound import Inbound
from feeds.fanout.group import Member
from feeds.fanout.hub import Hub
from feeds.faults.envelope import Tap
from feeds.faults.fault import Fault
from feeds.faults.frames import close_frame, frames, half_a_frame
from feeds.faults.plan import Armed
from feeds.faults.valve import OPEN, Setting, Valve
from feeds.observation.visit import NOBODY, Visit, Watched
from feeds.protocol.gate import Gate
from feeds.wire.transport import Line

__all__ = ["Link", "reset"]

_ANSWER_S = 2.0
"""How long a client may take to answer a close frame, in real seconds."""


def reset(transport: asyncio.Transport) -> None:
    """Drop a connection with a reset (RFC 9293, section 3.10.7), whatever is unread."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Link:
    """
    A connection in the hub.

    Args:
        number: its number among all that were tried.
        hub: where it is a member.
        member: its place there.
        transport: what the hub writes to.
        raw: the connection's own transport.
        gate: what it may do.
        visit: is told why it ends, and says by which id it is known.
        seconds: gives the feed's time.
        later: calls something back at a time of the feed.
    """

    __slots__ = (
        "_hub",
        "_later",
        "_raw",
        "_seconds",
        "_tap",
        "_timer",
        "_transport",
        "_valve",
        "_visit",
        "gate",
        "id",
        "inbound",
        "lasting",
        "member",
        "number",
        "over",
    )

    def __init__(
        self,
        number: int,
        hub: Hub,
        member: Member,
        transport: Line,
        raw: asyncio.Transport,
        gate: Gate,
        seconds: Callable[[], float],
        later: Callable[[float, Callable[[], object]], object],
        visit: Visit = NOBODY,
    ) -> None:
        self.id, self.number = visit.id or number, number
        self.member, self.gate = member, gate
        self.lasting: dict[int, Armed] = {}
        """What holds it up, by the fault's id."""
        self.inbound: Inbound | None = None
        """What its frames pass through."""
        self.over = False
        """Whether a fault has ended it; nothing is to be written any more, not even a close frame."""
        self._hub, self._transport, self._raw, self._visit = hub, transport, raw, visit
        self._seconds, self._later = seconds, later
        self._valve: Valve | None = None
        self._tap: Tap | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """Whether it is in the hub."""
        return self.member.group is not None

    def hits(self, name: str) -> bool:
        """Tell whether a lasting fault of this name is on."""
        return any(armed.fault.name == name for armed in self.lasting.values())

    # Once.

    def do(self, fault: Fault, time_ms: float) -> None:
        """Do what a fault does to a connection once; nothing if it has gone."""
        if not self.open:
            return
        params = fault.params
        match fault.name:
            case "close":
                self._close(params["code"], params["reason"])
            case "close_without_code":
                self._close(None, "")
            case "abort":
                self.abort()
            case "truncated":
                self._write(half_a_frame())
                self._let_go(1006, "truncated")
                self._raw.close()
            case "auth_expiry":
                self._expire(params["code"], params["reason"])
            case _:
                if self.inbound is not None:
                    self.inbound.pongs += params.get("pings", 0)
                for frame in frames(fault, time_ms):
                    self._write(frame)

    def abort(self) -> None:
        """Reset the connection."""
        self.over = True
        self._visit.closing("server", 1006, "reset")
        self._hub.leave(self.member)
        self._transport.release()
        reset(self._raw)

    def _expire(self, code: int | None, reason: str) -> None:
        error = {"type": "error", "code": "unauthorized", "message": reason}
        self._hub.reply(self.member, orjson.dumps([error]), self._seconds())
        if code is None:
            self.gate.expire()
        else:
            self._close(code, reason)

    def _close(self, code: int | None, reason: str) -> None:
        self._write(close_frame(code, reason))
        self._let_go(1005 if code is None else code, reason)
        self._timer = asyncio.get_running_loop().call_later(_ANSWER_S, self._raw.abort)

    def _write(self, frame: bytes) -> None:
        self._hub.control(self.member, frame, self._seconds())

    def _let_go(self, code: int, reason: str) -> None:
        """Take it out of the hub; what is held up goes out."""
        self.over = True
        self._visit.closing("server", code, reason)
        self._hub.leave(self.member)
        self.settle()
        self._transport.release()

    # Lasting.

    def hold(self, tap: Callable[[], Tap] | None) -> None:
        """Give the connection the transport and the envelope that the faults on it ask for, or its own."""
        setting = self._setting()
        if setting.hole and self._raw.is_reading():
            self._raw.pause_reading()
        changed = False
        if setting != OPEN and self._valve is None:
            self._valve = self._make_valve()
            self.member.transport, changed = self._valve, True
        if self._valve is not None:
            self._valve.set(setting)
            if setting == OPEN:
                self.member.transport, self._valve, changed = self._transport, None, True
        envelope = self.member.envelope
        if tap is not None and self._tap is None:
            envelope = self._tap = tap()
            changed = True
        elif tap is None and self._tap is not None:
            if (held := self._tap.release()) and self.open:
                self._hub.control(self.member, held, self._seconds())
            envelope, self._tap, changed = self._tap.inner, None, True
        if changed and self.open:
            self._hub.repack(self.member, envelope, self._seconds())

    def _make_valve(self) -> Valve:
        soon, line = asyncio.get_running_loop().call_soon, self._transport
        if isinstance(line, Watched):  # it is to see messages, not pieces of them
            return Valve(line.line, self._seconds, soon, self._later, line.tell)
        return Valve(line, self._seconds, soon, self._later)

    def settle(self) -> None:
        """Let out what is held up, because its transport goes to somebody else."""
        if self._valve is not None:
            self._valve.flush()
            self.member.transport, self._valve = self._transport, None

    def go_on(self) -> None:
        """Write what came after the last event that was let out, if the connection is still there."""
        if self._tap is None:
            return
        for message in self._tap.deferred():
            if self.open:
                self._hub.control(self.member, message, self._seconds())

    def ended(self) -> None:
        """Note that the connection's own task has ended."""
        if self._timer is not None:
            self._timer.cancel()

    def end(self) -> None:
        """Close what a fault has closed, now that the client has answered, or gone."""
        self._raw.close()

    def _setting(self) -> Setting:
        faults = [armed.fault for armed in self.lasting.values()]
        names = {fault.name for fault in faults}
        rates = [f.params["bytes_per_s"] for f in faults if f.name == "slow"]
        sizes = [f.params["size"] for f in faults if f.name == "sliced"]
        return Setting(
            shut="stall" in names,
            hole="half_open" in names,
            bytes_per_s=min(rates, default=None),
            piece=min(sizes, default=None),
        )
