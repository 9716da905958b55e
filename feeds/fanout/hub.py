"""
The hub: one encoded event to many subscribers. No sockets, no clock, no await in here.

Rules:

* ``publish`` puts the turn's events on boards, ``flush`` writes: one write for each touched connection, however many
  events it gets.
* Connections with the same interest are one *group*: their bytes are put together once and shared.
* The loop over connections has no per-connection allocation, and no branch but the backlog check.
* A connection that falls behind leaves the loop. Nothing is queued for it, and a turn does nothing for it but take
  one look at its backlog (see :mod:`feeds.fanout.slow_consumers`): what it missed is the difference between two rows of sequences.
* Subscriptions to the latest only aren't in the loop either: they are looked at when a window ends (:mod:`feeds.fanout.paced`).
* Between ``publish`` and the end of ``flush``, nobody may subscribe, unsubscribe or join, only leave: a snapshot taken
  there would cross events that are still pending. The pump makes sure of that.
* A flush may be for one *phase* of the members. What is pending for the others stays so until their phase, unless a
  snapshot is due: they get what is pending before it (see :mod:`feeds.fanout.roster`).
"""

from collections.abc import Callable, Iterator
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from feeds.counters.stats import HubStats
from feeds.dialects import Dialect
from feeds.fanout.conflation import Newest
from feeds.fanout.cursor import Place
from feeds.fanout.delivery import Delivery
from feeds.fanout.depth import Depth, history_of
from feeds.fanout.group import Member
from feeds.fanout.interest import NOTHING, Interest
from feeds.fanout.pacer import Pacer
from feeds.fanout.roster import PHASES, Roster
from feeds.fanout.slow_consumers import SlowConsumers
from feeds.fanout.snapshots import Snapshots
from feeds.fanout.subscription import Paced
from feeds.wire.backlog import BacklogPolicy, Eviction, Slow
from feeds.wire.envelope import WEBSOCKET, Envelope
from feeds.wire.transport import Data, Transport
from ticker.batch import DEPTH, TickBatch

__all__ = ["FLUSH_SLICE", "Hub"]

FLUSH_SLICE = 256
"""After about so many writes, ``flush`` offers to pause: 1 to 2 ms."""


class Hub:
    """
    Fan-out of one market in one dialect.

    Args:
        symbols: how many symbols the market has.
        channels: how many channels.
        dialect: encodes events.
        policy: the backlog limits.
        history_bytes: memory for the newest events of all symbols; 0: none.
        slow: what is done for slow consumers; None: the pump waits for them, and what is paced has an update a turn.
        snapshots: tells where things stand, where a client doesn't get every event.
        depth: makes books; None: there are none.
    """

    def __init__(
        self,
        symbols: int,
        channels: int,
        dialect: Dialect,
        *,
        policy: BacklogPolicy | None = None,
        history_bytes: int = 0,
        slow: Slow | None = Slow.CONFLATE,
        snapshots: Snapshots | None = None,
        depth: Depth | None = None,
    ) -> None:
        self.policy = policy or BacklogPolicy()
        self.seq: NDArray[np.int64] = np.zeros(symbols * channels, dtype=np.int64)
        """The newest sequence published, by slot."""
        self.place = Place(0)
        """How far what was published goes; set by who publishes, before each flush."""
        self.roster = Roster(symbols, self.seq)
        self.depth = depth
        self.history = history_of(symbols, history_bytes, depth)
        self.stats = HubStats()
        self.newest = Newest(symbols, self.seq, dialect, self.history, depth)
        self.slow = SlowConsumers(
            self.roster, self.seq, self.newest, self.stats, slow=slow, snapshots=snapshots
        )
        self.roster.lanes.timeless = slow is None
        self._dialect = dialect
        self._delivery = Delivery(self.roster, self.slow, self.stats)
        self._pacer = Pacer(self.roster, self.seq, self.newest, self.slow, self._delivery)
        self._symbols = np.int64(symbols)

    def deliveries(self) -> int:
        """Give how many events were handed to a connection: one event to a thousand clients is a thousand."""
        return self.roster.deliveries.total() + self.stats.caught_up

    # Membership.

    def join(
        self,
        transport: Transport,
        now: float,
        on_evict: Callable[[Eviction], object],
        envelope: Envelope = WEBSOCKET,
    ) -> Member:
        """Take in a connection that is subscribed to nothing yet."""
        member = Member(transport, envelope, self.policy, on_evict)
        self.roster.place(member, NOTHING, now)
        self.roster.enliven(member)
        return member

    def leave(self, member: Member) -> None:
        """Let a connection go; may be called at any time, and twice."""
        self.stats.left += member.group is not None
        self.roster.dismiss(member)
        self.slow.forget(member)

    def evict(self, member: Member, reason: Eviction) -> None:
        """Cut a connection off, and count why."""
        self.slow.evict(member, reason)

    def subscribe(self, member: Member, interest: Interest, now: float, paced: Paced = ()) -> None:
        """
        Give a member other wishes: what it gets in full, and what at a pace. Linear in the slots of the old and the new ones.

        Whatever changes over goes on where it stood: what waited for its window goes out before the first of all events.
        """
        self._delivery.settle(member, now)
        if member.group is None:
            return  # it broke just now
        if self.depth is not None and any(i.has(DEPTH) for i in (interest, *(p for _, p in paced))):
            self.depth.begin(self.seq)
        lanes, marks = self.roster.lanes, self.seq
        if lanes.of(member) or paced or member.laggard is not None:
            if interest != member.group.interest:  # what is in lanes isn't given in full
                self._pacer.settle(member, interest.slots(self.roster.symbols), now)
            marks = self.seq.copy()  # by slot, what it has; all, but for what is paced or behind
            lanes.fill(member, marks)
            if member.laggard is not None:
                member.laggard.fill(marks)
            if member.group is None:
                return  # it broke just now
            lanes.place(member, paced, marks)
            if paced:
                self.newest.begin()
        if interest == member.group.interest:
            return
        self.roster.displace(member)
        self.roster.place(member, interest, now)
        if member.laggard is None:
            self.roster.enliven(member)
        else:
            assert member.group is not None
            slots = member.group.slots
            member.laggard.move(slots, marks[slots()])

    def repack(self, member: Member, envelope: Envelope, now: float) -> None:
        """Give a member another envelope from now on."""
        self._delivery.settle(member, now)
        if member.group is None:
            return  # it broke just now
        interest = member.group.interest
        self.roster.displace(member)
        member.envelope = envelope
        self.roster.place(member, interest, now)
        if member.laggard is None:
            self.roster.enliven(member)

    def settle(self, member: Member, slots: NDArray[np.int64], now: float) -> None:
        """Send a live member what waits for its window, before snapshots of these slots: they would take its place."""
        self._pacer.settle(member, slots, now)

    def hurry(self, member: Member, now: float) -> bool:
        """Send a live member some of what waits for its windows, however long they last; tells whether anything did."""
        return self._pacer.hurry(member, now)

    def snapshotted(self, member: Member, slots: NDArray[np.int64], now: float) -> None:
        """Note that a member is about to be sent snapshots: what it hasn't got of these slots by now, it has then."""
        self._delivery.settle(member, now)
        self.roster.renew(member, slots)

    # The turn.

    def publish(self, batch: TickBatch) -> None:
        """
        Encode events once, keep them, and put them on the boards. Without a history, what nobody wants isn't encoded.

        Cost: the encoding, and for each set of channels that a group has, about 60 ns an event.
        """
        if self.depth is not None and self.depth.active:
            batch = self.depth.lay_in(batch, self.roster.wanted[DEPTH * int(self._symbols) :])
        slots = batch.channel * self._symbols + batch.symbol
        self.seq[slots] = batch.seq  # where a slot repeats, the last assignment stays
        wanted = self.roster.wanted.take(slots)
        fragments: list[bytes] | None = None
        if self.history:
            fragments = self._dialect.encode(batch)
            self.history.extend(slots.tolist(), fragments)
        if np.count_nonzero(wanted) < len(wanted):
            rows = wanted > 0
            slots, batch = slots[rows], batch[rows]
            if fragments is not None:
                fragments = list(compress(fragments, rows.tolist()))
        if fragments is None:
            fragments = self._dialect.encode(batch)
        if self.newest.active:
            self.newest.keep(slots, batch, fragments)
        self.stats.events += len(fragments)
        self.roster.boards.fill(batch, fragments, others=bool(self.roster.lanes))

    def flush(self, now: float, phase: int | None = None) -> Iterator[None]:
        """
        Write what is pending: one message, one write, for each live member that it touches.

        A generator: where it yields, it has done about :data:`FLUSH_SLICE` writes, and the event loop may run.

        Args:
            now: the time in the clock's seconds.
            phase: whom to write to; None: to everybody.
        """
        now = self.roster.flushing = now + 0.0  # an object of its own: no other flush has it
        # The first comes last: nothing is pending there then, and there all are as long as nothing is staggered.
        for each in reversed(range(PHASES)) if phase is None else (phase,):
            self.roster.phase = each
            others = yield from self._delivery.to_groups_of_one(each, now, FLUSH_SLICE)
            yield from self._delivery.to_groups(others, now, FLUSH_SLICE)
            self.roster.boards.wipe(each)
        self.roster.flushing = None

    def pace(self, now: float) -> Iterator[None]:
        """Write to paced members that are due, at the end of a turn, whether it had events or not; as ``flush``."""
        yield from self._pacer.send_due(now, FLUSH_SLICE)
        if not self.slow.laggards and not self.roster.lanes:
            self.newest.end()

    def reply(self, member: Member, payload: bytes, now: float) -> None:
        """Write a JSON array to one member, between turns."""
        group = member.group
        whole = member.laggard is None and group is not None and self.roster.settled(group)
        data = member.envelope.wrap(payload, whole=whole)
        self._delivery.one(data, member, now)

    def control(self, member: Member, data: Data, now: float) -> None:
        """Write to one member what is a message, or a control frame, already; between turns."""
        self._delivery.one(data, member, now)

    def beat(self, payload: bytes, now: float, silent_since: float) -> None:
        """Write a JSON array to the live members of every group that was not written to since some time."""
        for group in list(self.roster.groups.values()):
            if group.written > silent_since:
                continue
            group.written = now
            data = group.envelope.wrap(payload, whole=self.roster.settled(group))
            flows = group.flows()
            self._delivery.clogged(data, group, now)
            self._delivery.flows(data, flows, now)
