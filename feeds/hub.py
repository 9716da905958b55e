"""
The hub: one encoded event to many subscribers. No sockets, no clock, no await in here.

Rules:

* ``publish`` puts the turn's events on boards, ``flush`` writes: one write for each touched connection, however many
  events it gets.
* Connections with the same interest are one *group*: their bytes are put together once and shared.
* The loop over connections has no per-connection allocation, and no branch but the backlog check.
* A connection that falls behind leaves the loop. Nothing is queued for it and nothing done for it in a turn, but for
  one look at its backlog (see :mod:`feeds.slow`): what it missed is the difference between two rows of sequences.
* Between ``publish`` and the end of ``flush``, nobody may subscribe, unsubscribe or join, only leave: a snapshot taken
  there would cross events that are still pending. The pump sees to it.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import compress
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from feeds.backlog import BacklogPolicy, Eviction
from feeds.cursor import Place
from feeds.delivery import Delivery
from feeds.dialects import Dialect
from feeds.envelope import WEBSOCKET, Envelope
from feeds.group import Group, Member
from feeds.history import History
from feeds.interest import NOTHING, Interest
from feeds.roster import Plan, Roster
from feeds.slow import SlowConsumers
from feeds.stats import HubStats
from feeds.transport import Data, Transport
from ticker.batch import TickBatch

__all__ = ["FLUSH_SLICE", "Hub"]

T = TypeVar("T")

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
        conflate: False: never conflate; the pump waits for whoever is over the soft limit.
    """

    def __init__(
        self,
        symbols: int,
        channels: int,
        dialect: Dialect,
        *,
        policy: BacklogPolicy | None = None,
        history_bytes: int = 0,
        conflate: bool = True,
    ) -> None:
        self.policy = policy or BacklogPolicy()
        self.seq: NDArray[np.int64] = np.zeros(symbols * channels, dtype=np.int64)
        """The newest sequence published, by slot."""
        self.place = Place(0)
        """How far what was published goes; set by who publishes, before each flush."""
        self.roster = Roster(symbols, self.seq)
        self.history = History(symbols, history_bytes)
        self.stats = HubStats()
        self.slow = SlowConsumers(self.roster, self.seq, dialect, self.stats, conflate=conflate)
        self._dialect = dialect
        self._delivery = Delivery(self.roster, self.slow, self.stats)
        self._symbols = np.int64(symbols)

    def deliveries(self) -> int:
        """Give how many events were handed to a connection: one event to a thousand clients is a thousand."""
        return self.roster.audience.deliveries() + self.stats.caught_up

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
        self.roster.displace(member)
        self.slow.forget(member)

    def evict(self, member: Member, reason: Eviction) -> None:
        """Cut a connection off, and count why."""
        self.slow.evict(member, reason)

    def subscribe(self, member: Member, interest: Interest, now: float) -> None:
        """Give a member a new interest. Linear in the slots of the old one and the new one."""
        assert member.group is not None
        if interest == member.group.interest:
            return
        self.roster.displace(member)
        self.roster.place(member, interest, now)
        if member.laggard is None:
            self.roster.enliven(member)
        else:
            slots = interest.slots(self.roster.symbols)
            member.laggard.move(slots, self.seq[slots])

    def repack(self, member: Member, envelope: Envelope, now: float) -> None:
        """Give a member another envelope from now on."""
        assert member.group is not None
        interest = member.group.interest
        self.roster.displace(member)
        member.envelope = envelope
        self.roster.place(member, interest, now)
        if member.laggard is None:
            self.roster.enliven(member)

    def snapshotted(self, member: Member, slots: NDArray[np.int64]) -> None:
        """Note that a member was sent snapshots: what it hadn't got of these slots by now, it has."""
        if member.laggard is not None:
            member.laggard.renew(slots, self.seq)

    # The turn.

    def publish(self, batch: TickBatch) -> None:
        """
        Encode events once, keep them, and put them on the boards.

        Without a history, what nobody wants isn't encoded.

        Cost: the encoding, and for each set of channels that a group has, about 60 ns an event.
        """
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
        if self.slow.laggards:
            self.slow.newest.update(zip(slots.tolist(), fragments, strict=True))
        self.stats.events += len(fragments)
        self._fill(batch, fragments)

    def _fill(self, batch: TickBatch, fragments: list[bytes]) -> None:
        boards = self.roster.boards.values()
        if len(boards) == 1:  # what is wanted is wanted there
            for board in boards:
                board.fill(batch.symbol.tolist() if board.partial else (), fragments)
            return
        for board in boards:
            mine = np.isin(batch.channel, list(board.channels))
            board.fill(batch.symbol[mine].tolist(), list(compress(fragments, mine.tolist())))

    def flush(self, now: float) -> Iterator[None]:
        """
        Write what was published: one message, one write, for each live member that it touches.

        A generator: where it yields, it has done about :data:`FLUSH_SLICE` writes, and the event loop may run.

        Args:
            now: the time in the clock's seconds.
        """
        others = yield from self._flush_solos(self.roster.plan(), now)
        yield from self._flush_groups(others, now)
        for board in self.roster.boards.values():
            board.wipe()

    def _flush_solos(self, plan: Plan, now: float) -> Generator[None, None, list[Group]]:
        """Write to the groups of one; gives the groups that are still to be written to."""
        others = plan.groups
        done = 0
        for envelope, part, solos in plan.solos:
            board = part.board
            if not part.picking:  # few events: taken the other way round
                if board.happened:
                    others = [*others, *(group for _, _, group in solos)]
                continue
            for some in _slices(solos):
                if plan is not self.roster.plan():  # somebody left while we paused
                    some = [solo for solo in some if solo[2].live]
                self._delivery.solos(envelope.seal, board.entries, some, now)
                if (done := done + len(some)) >= FLUSH_SLICE:
                    done = 0
                    yield
        return others

    def _flush_groups(self, groups: list[Group], now: float) -> Iterator[None]:
        delivery = self._delivery
        done = 0
        for group in groups:
            if not (data := group.envelope.seal(group.take())):
                continue
            group.written = now
            if group.envelope.saved:
                self.stats.saved += group.envelope.saved * len(group.live)
            flows = group.flows()
            if group.clogged:
                delivery.clogged(data, group, now)
            for some in _slices(flows):
                if flows is not group.flows():  # somebody clogged, or left while we paused
                    some = [flow for flow in some if flow[1].flowing]
                delivery.flows(data, some, now)
                if (done := done + len(some)) >= FLUSH_SLICE:
                    done = 0
                    yield

    def reply(self, member: Member, payload: bytes, now: float) -> None:
        """Write a JSON array to one member, between turns."""
        data = member.envelope.wrap(payload, whole=member.laggard is None)
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
            flows, data = group.flows(), group.envelope.wrap(payload)
            self._delivery.clogged(data, group, now)
            self._delivery.flows(data, flows, now)


def _slices(members: Sequence[T]) -> Iterable[Sequence[T]]:
    if len(members) <= FLUSH_SLICE:
        return (members,)
    return [members[i : i + FLUSH_SLICE] for i in range(0, len(members), FLUSH_SLICE)]
