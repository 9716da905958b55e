"""The open connections of one plant, and how the faults of its plan get at them."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

from feeds.engine.pump import Pump
from feeds.faults.envelope import Tap
from feeds.faults.fault import Fault
from feeds.faults.kinds import Layer
from feeds.faults.link import Link
from feeds.faults.plan import Armed, Event, Faults
from feeds.observation.journal import Journal

__all__ = ["CONNECTION", "Links"]

CONNECTION = (Layer.COMMAND, Layer.LASTING)
"""What is done to connections."""


class Links:
    """
    The open connections.

    Args:
        plan: the faults.
        pump: tells when no turn is under way.
        now: gives the market's time in microseconds.
        journal: where it is noted when a fault strikes; None: nowhere.
    """

    def __init__(
        self,
        plan: Faults,
        pump: Pump,
        now: Callable[[], int],
        journal: Journal | None = None,
    ) -> None:
        self._plan, self._pump, self._now, self._journal = plan, pump, now, journal
        self._open: dict[int, Link] = {}
        self._struck: list[tuple[Link, Armed]] = []
        self._stale = False

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Link]:
        return iter(list(self._open.values()))

    def __contains__(self, client: int) -> bool:
        return client in self._open

    def enter(self, link: Link) -> None:
        """Take in a connection, and do to it what there is to do."""
        self._open[link.id] = link
        for armed in self._plan.of(*CONNECTION):
            fault = armed.fault
            lasts = fault.layer is Layer.LASTING and fault.on is None and fault.after is None
            nth = fault.nth is not None and fault.after is None and fault.at is None
            if fault.on == "connect" or lasts or (nth and fault.on is None):
                self.meet(link, armed)
        if self._plan:
            self.hold(link)

    def leave(self, link: Link) -> None:
        """Let a connection go."""
        del self._open[link.id]
        link.settle()
        link.ended()

    def fired(self, armed: Armed, client: int | None = None, event: Event | None = None) -> None:
        """Record that a fault has struck."""
        self._stale = True
        if self._journal is not None:
            where = (
                {} if event is None else {"event": f"{event.symbol} {event.channel} {event.seq}"}
            )
            self._journal.note("fault", client, id=armed.id, fault=str(armed.fault), **where)

    def cleared(self, armed: Armed) -> None:
        """Record that a fault is out of force."""
        self.changed()
        if self._journal is not None:
            self._journal.note("fault", id=armed.id, cleared=armed.fault.name)

    def changed(self) -> None:
        """Note that connections may need something else; see :meth:`fit`."""
        self._stale = True

    # Striking.

    def meet(self, link: Link, armed: Armed) -> None:
        """Strike a connection, if it is one to strike; asked once, when both are there and it is time."""
        if link.id not in armed.met and self._now() >= (armed.fault.at or 0):
            armed.met.add(link.id)
            self.occasion(link, armed)

    def occasion(self, link: Link, armed: Armed) -> None:
        """Strike a connection, if it is one to strike."""
        if (
            armed.id not in link.lasting
            and armed.aims_at(link.id, link.number)
            and armed.strikes(self._now())
        ):
            self._strike(link, armed)

    def perform(self) -> None:
        """Do what counting events has brought about."""
        struck, self._struck = self._struck, []
        for link, armed in struck:
            self._strike(link, armed)
        for link in {link.id: link for link, _ in struck}.values():
            link.go_on()

    def fit(self) -> None:
        """Give every connection what the faults on it need, and everything else back, if anything has changed."""
        if not self._stale:
            return
        for link in self:
            if link.open:
                self.hold(link)
        # A run of events goes on after its fault is spent; when it is over there is one more change.
        self._stale = any(armed.spent and armed.running() for armed in self._plan.of(Layer.EVENT))

    def hold(self, link: Link) -> None:
        """Likewise, one connection."""
        watched = any(
            armed.aims_at(link.id, link.number)
            and (armed.running() if armed.fault.layer is Layer.EVENT else not armed.spent)
            for armed in self._plan
            if armed.fault.layer is Layer.EVENT
            or (armed.fault.layer in CONNECTION and armed.fault.after is not None)
        )
        link.hold(partial(self._tap, link) if watched else None)

    def _strike(self, link: Link, armed: Armed) -> None:
        if not link.open:
            return
        self.fired(armed, link.id)
        if armed.fault.layer is Layer.COMMAND:
            link.do(armed.fault, self._now() / 1000)
        else:
            link.lasting[armed.id] = armed
            self.hold(link)

    # Events, on their way to one connection.

    def _tap(self, link: Link) -> Tap:
        return Tap(link.member.envelope, partial(self._judge, link), partial(self._counted, link))

    def _judge(self, link: Link, event: Event, fits: Callable[[Fault], bool]) -> list[Fault]:
        struck = []
        for armed in self._plan.of(Layer.EVENT):
            aimed = armed.aims_at(link.id, link.number)
            if aimed and fits(armed.fault) and armed.strikes_event(event):
                struck.append(armed.fault)
                self.fired(armed, link.id, event)
        return struck

    def _counted(self, link: Link, event: Event) -> bool:
        struck = [
            (link, armed)
            for armed in self._plan.of(*CONNECTION)
            if armed.fault.after is not None
            and armed.aims_at(link.id, link.number)
            and armed.counts(link.id, event)
        ]
        if struck and not self._struck:
            asyncio.get_running_loop().call_soon(self._between)
        self._struck += struck
        return bool(struck)

    def _between(self) -> None:
        """Where no turn is under way, there is no end of one to wait for."""
        if self._pump.idle:
            self.perform()
            self.fit()
