"""What faults do to an upgrade, before there is a WebSocket."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

import orjson

from feeds.faults.alarm import Alarm
from feeds.faults.fault import Fault
from feeds.faults.kinds import Layer
from feeds.faults.link import reset
from feeds.faults.plan import Armed, Faults

__all__ = ["Answer", "Upgrades"]

_LOOK_S = 0.25  # how often to look for clients that have gone; nothing announces it
_WRONG_ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"
)


class Answer(NamedTuple):
    """What to answer instead of the upgrade; if the connection is over, nobody reads it."""

    status: int = 503
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Upgrades:
    """
    The upgrades of one plant.

    Args:
        plan: the faults.
        alarm: for delays.
        now: gives the market's time in microseconds.
        fired: told of each fault that strikes.
    """

    def __init__(
        self,
        plan: Faults,
        alarm: Alarm,
        now: Callable[[], int],
        fired: Callable[[Armed, int | None], object],
    ) -> None:
        self._plan, self._alarm, self._now, self._fired = plan, alarm, now, fired
        self._held: dict[int, set[asyncio.Event]] = {}

    def release(self, fault_id: int) -> None:
        """Let those go on that a fault holds up."""
        for held in self._held.pop(fault_id, ()):
            held.set()

    async def meet(self, number: int, raw: asyncio.Transport) -> Answer | None:
        """Do to an upgrade what faults there are for it, one after the other; None: it goes on."""
        for armed in self._plan.of(Layer.HANDSHAKE):
            if armed.aims_at(0, number) and armed.strikes(self._now()):
                self._fired(armed, None)
                if (answer := await self._spoil(armed, raw)) is not None:
                    return answer
        return None

    async def _spoil(self, armed: Armed, raw: asyncio.Transport) -> Answer | None:
        fault = armed.fault
        match fault.name:
            case "refuse":
                reset(raw)
            case "bad_accept":
                raw.write(_WRONG_ACCEPT)
                raw.close()
            case "status":
                return _status(fault)
            case "delay":
                await self._hold(armed.id, raw, fault.params["seconds"])
            case "silence":
                await self._hold(armed.id, raw, None)
        return Answer() if raw.is_closing() else None

    async def _hold(self, fault_id: int, raw: asyncio.Transport, seconds: float | None) -> None:
        """Wait until the fault is cleared, the time has passed, or the client has gone."""
        over = asyncio.Event()
        self._held.setdefault(fault_id, set()).add(over)
        if seconds is not None:
            self._alarm.after(seconds, over.set)
        while not over.is_set() and not raw.is_closing():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await over.wait()
        self._held.get(fault_id, set()).discard(over)


def _status(fault: Fault) -> Answer:
    code, retry_after = fault.params["code"], fault.params["retry_after"]
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    body = {"type": "error", "code": "fault", "message": f"a fault answers with {code}"}
    return Answer(code, headers, b"" if code in (204, 304) else orjson.dumps(body))
