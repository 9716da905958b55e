"""The faults of one plant: takes commands, and answers the plant's questions about what to spoil."""

import asyncio
from collections.abc import Callable
from hashlib import blake2b

import orjson

from feeds.clock import Clock
from feeds.engine.feed import Feed
from feeds.engine.pump import Pump
from feeds.errors import CloseCode, Code, UnknownSymbol
from feeds.fanout.group import Member
from feeds.faults import scripting
from feeds.faults.alarm import Alarm
from feeds.faults.fault import Fault, FaultError
from feeds.faults.kinds import Layer
from feeds.faults.link import Link
from feeds.faults.links import CONNECTION, Links
from feeds.faults.plan import Armed, Faults
from feeds.faults.upgrade import Answer, Upgrades
from feeds.notation.naming import symbol_id
from feeds.observation.journal import Journal
from feeds.observation.visit import NOBODY, Visit
from feeds.protocol.gate import Gate
from feeds.protocol.reply import Reply
from feeds.wire.transport import Line

__all__ = ["Injector"]


class Injector:
    """
    The faults of one plant. Without any, a turn costs what it costs without this.

    Args:
        feed: the plant's feed.
        pump: tells when no turn is under way.
        clock: gives the time.
        journal: where it is noted when a fault strikes; None: nowhere.
    """

    def __init__(
        self,
        feed: Feed,
        pump: Pump,
        clock: Clock,
        journal: Journal | None = None,
    ) -> None:
        self.plan = Faults()
        self.links = Links(self.plan, pump, self._now, journal)
        """The open connections."""
        self._feed, self._pump, self._clock = feed, pump, clock
        self._alarm = Alarm(clock.seconds, self._watch)
        self._upgrades = Upgrades(self.plan, self._alarm, self._now, self.links.fired)
        self._late: list[Armed] = []  # added during a turn
        self.restarted: Callable[[], object] = lambda: None
        """Called when a restart is made believe, to end what else is open."""

    # Commands.

    def add(self, fault: Fault) -> Armed:
        """
        Put a fault in force; what it does at once is done on return, or, during a turn, at its end.

        Raises:
            FaultError: there is no such symbol or client.
        """
        self._check(fault)
        armed = self.plan.add(fault)
        self._watch()
        if self._pump.idle:
            self._begin(armed)
        else:
            self._late.append(armed)
        return armed

    def clear(self, fault_id: int | None = None) -> None:
        """
        Take a fault out of force, or all: what it held up goes on.

        Raises:
            FaultError: there is no such fault.
        """
        for one in self.plan.ids if fault_id is None else [fault_id]:
            armed = self.plan.remove(one)
            if armed.fault.name == "halt" and armed.fired:
                scripting.lift(self._feed.market, armed.fault)
            self._late = [late for late in self._late if late is not armed]
            self.links.cleared(armed)
            self._upgrades.release(one)
            for link in self.links:
                if link.lasting.pop(one, None) is not None and armed.fault.name == "half_open":
                    link.abort()
        self._watch()
        if self._pump.idle:
            self.links.fit()

    # What the plant asks.

    def attempt(self) -> int:
        """Count a try to connect; gives its number."""
        self.plan.tried += 1
        return self.plan.tried

    async def handshake(self, number: int, raw: asyncio.Transport) -> Answer | None:
        """Do what there is to do to an upgrade; None: it goes on."""
        return await self._upgrades.meet(number, raw) if self.plan else None

    def opened(
        self,
        number: int,
        member: Member,
        transport: Line,
        raw: asyncio.Transport,
        gate: Gate,
        visit: Visit = NOBODY,
    ) -> Link:
        """Take in a connection; between turns."""
        hub, seconds, later = self._feed.hub, self._clock.seconds, self._alarm.at
        link = Link(number, hub, member, transport, raw, gate, seconds, later, visit)
        self.links.enter(link)
        return link

    def request(self, link: Link, data: bytes) -> Reply | None:
        """Do what there is to do when a request has come; gives what to answer instead. Between turns."""
        action = _action(data) if self.plan else None
        if action is None:
            return None
        for armed in self.plan.of(*CONNECTION):
            if armed.fault.on == action:
                self.links.occasion(link, armed)
        if action == "auth":
            for armed in self.plan.of(Layer.REQUEST):
                if armed.aims_at(link.id, link.number) and armed.strikes(self._now()):
                    self.links.fired(armed, link.id)
                    return self._rejection()
        return None

    def turned(self) -> None:
        """Do what was put off to the end of a turn."""
        self.plan.turned()
        self.links.perform()
        late, self._late = self._late, []
        for armed in self.plan:
            if armed in late or (armed.fault.at is not None and not armed.begun):
                self._begin(armed)
        self._alarm.ring()
        self.links.fit()
        if not self.plan and not self._alarm:
            self._pump.after_turn = None

    # How it is done.

    def _check(self, fault: Fault) -> None:
        universe, name = self._feed.market.universe, fault.name
        if fault.symbol is not None:
            try:
                symbol_id(universe, fault.symbol)
            except UnknownSymbol as error:
                raise FaultError(f"{name}: {error}") from None
        if fault.client is not None and fault.client not in self.links:
            known = ", ".join(str(link.id) for link in self.links) or "none"
            raise FaultError(
                f"{name}: no client {fault.client} is open over WebSocket; open: {known}"
            )
        scripting.check(self._feed.market, fault)
        waits = (fault.after, fault.at, fault.on, fault.nth)
        at_once = fault.layer is Layer.COMMAND and all(value is None for value in waits)
        if at_once and not len(self.links):
            raise FaultError(f"{name}: no client is open; on='connect' waits for the next one")

    def _begin(self, armed: Armed) -> None:
        """Do what a fault does from now on; called again until its time has come."""
        fault = armed.fault
        due = armed.begun = fault.at is None or self._now() >= fault.at
        if fault.name == "epoch_change" and due:
            self._restart(armed)
        elif fault.layer is Layer.MARKET and fault.name != "epoch_change":
            armed.begun = True  # the market has a time for it
            armed.fired += 1
            self.links.fired(armed)
            scripting.lay(self._feed.market, fault)
        here = fault.nth is None or fault.at is not None
        waits = fault.on is not None or fault.after is not None
        if fault.layer in CONNECTION and due and here and not waits:
            for link in self.links:
                self.links.meet(link, armed)
            if fault.layer is Layer.COMMAND:
                armed.times = armed.fired  # whoever connects from now on isn't meant
        self.links.changed()
        self.links.fit()

    def _restart(self, armed: Armed) -> None:
        """Do what a restart looks like to clients."""
        armed.fired += 1
        self.links.fired(armed)
        feed = self._feed
        feed.epoch = blake2b(feed.epoch.encode(), digest_size=8, person=b"restart").hexdigest()
        close = Fault.make("close", code=armed.fault.params["code"], reason="service restart")
        for link in self.links:
            link.do(close, self._now() / 1000)
        self.restarted()

    def _rejection(self) -> Reply:
        text = "the token is wrong"
        self._feed.stats.errors[Code.INVALID_TOKEN] += 1
        error = {"type": "error", "code": Code.INVALID_TOKEN, "message": text}
        return Reply(orjson.dumps([error]), CloseCode.POLICY_VIOLATION, text)

    def _watch(self) -> None:
        """Look at the end of each turn, while there is something to look for."""
        self._pump.after_turn = self.turned

    def _now(self) -> int:
        return self._feed.market.now_us


def _action(data: bytes) -> str | None:
    try:
        request = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    action = request.get("action") if isinstance(request, dict) else None
    return action if isinstance(action, str) else None
