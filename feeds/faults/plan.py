"""The faults in force, and the decisions: does this one strike here? No I/O, no clock; the same answers in every run."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from feeds.faults.fault import Fault, FaultError
from feeds.faults.kinds import Layer

__all__ = ["Armed", "Event", "Faults"]


class Event(NamedTuple):
    """What identifies an event, and its time."""

    symbol: str
    channel: str
    """Its type; of bars, with the interval."""
    seq: int
    time_us: int


@dataclass(eq=False, slots=True)
class Armed:
    """A fault in force, and what it has done."""

    id: int
    fault: Fault
    base: int
    """How many connections had been tried when it was added."""
    times: int | None
    """How often it may strike; None: any number."""
    fired: int = 0
    """How often it has struck: an event that goes to many clients counts once."""
    begun: bool = False
    """Whether what it does at a time, or at once, was done."""
    met: set[int] = field(default_factory=set)
    """The connections that were asked about already."""
    _asked: int = 0
    _counts: dict[int, int] = field(default_factory=dict)
    _seen: dict[tuple[str, str], int] = field(default_factory=dict)
    _runs: dict[tuple[str, str], int] = field(default_factory=dict)
    _struck: set[tuple[str, str, int]] = field(default_factory=set)

    @property
    def spent(self) -> bool:
        """Whether it has struck as often as it may."""
        return self.times is not None and self.fired >= self.times

    def aims_at(self, client: int, number: int) -> bool:
        """Tell whether a connection is its target: by its id, and its number among all that were tried."""
        fault = self.fault
        if fault.client is not None:
            return client == fault.client
        return fault.nth is None or number == self.base + fault.nth

    def strikes(self, now_us: int) -> bool:
        """Decide on one occasion: a try to connect, a request, a connection. Each call is one."""
        if self.spent or now_us < (self.fault.at or 0):
            return False
        self._asked += 1
        if self.fault.layer in _LETS_PASS and self._asked <= (self.fault.after or 0):
            return False
        return self._strike(self._asked)

    def strikes_event(self, event: Event) -> bool:
        """Decide on an event; alike for all clients that get it in the same turn."""
        key, fault = (event.symbol, event.channel), self.fault
        if fault.symbol not in (None, event.symbol) or event.time_us < (fault.at or 0):
            return False
        if event.seq <= self._seen.get(key, -1):
            # Known: another client's, or one that is sent again.
            return (*key, event.seq) in self._struck
        self._seen[key] = event.seq
        if event.seq > self._runs.get(key, -1):
            if self.spent:
                return False
            self._asked += 1
            if self._asked <= (fault.after or 0) or not self._strike(*event[:3]):
                return False
            self._runs[key] = event.seq + int(fault.params.get("events", 1)) - 1
        self._struck.add((*key, event.seq))
        return True

    def counts(self, client: int, event: Event) -> bool:
        """Count an event that a client was sent; decide whether that was the last one before it strikes there."""
        if self.spent or self.fault.symbol not in (None, event.symbol):
            return False
        count = self._counts[client] = self._counts.get(client, 0) + 1
        return count == self.fault.after and self._strike(client)

    def turned(self) -> None:
        """Note the end of a turn: what is sent again from now on, to who missed it, passes."""
        self._struck.clear()

    @property
    def in_force(self) -> bool:
        """Whether it may still do something, or is still doing it."""
        lasts = self.fault.layer is Layer.LASTING or self.fault.name == "halt"
        return lasts or (self.running() if self.fault.layer is Layer.EVENT else not self.spent)

    def running(self) -> bool:
        """Tell whether it may still strike an event: it isn't spent, or a run of events isn't over."""
        return not self.spent or any(
            last > self._seen.get(key, last) for key, last in self._runs.items()
        )

    def _strike(self, *occasion: object) -> bool:
        if self.fault.probability < 1:
            text = "\0".join(map(str, (self.fault.seed, *occasion)))
            drawn = int.from_bytes(blake2b(text.encode(), digest_size=7).digest()) / 2**56
            if drawn >= self.fault.probability:
                return False
        self.fired += 1
        return True


_LETS_PASS = (Layer.HANDSHAKE, Layer.REQUEST)


class Faults:
    """The faults of one plant."""

    def __init__(self) -> None:
        self._armed: dict[int, Armed] = {}
        self._done: dict[int, Armed] = {}
        self._ids = 0
        self.tried = 0
        """How many connections were tried."""

    def __len__(self) -> int:
        return len(self._armed)

    def __iter__(self) -> Iterator[Armed]:
        return iter(list(self._armed.values()))

    def __contains__(self, fault_id: int) -> bool:
        return fault_id in self._armed or fault_id in self._done

    @property
    def ids(self) -> list[int]:
        """All that were not cleared, in force or not."""
        return sorted([*self._armed, *self._done])

    def add(self, fault: Fault) -> Armed:
        """Put a fault in force."""
        self._ids += 1
        times = fault.times
        once = fault.layer is Layer.MARKET or (
            fault.layer is Layer.COMMAND and (fault.on is not None or fault.after is not None)
        )
        if times is None and once:
            times = 1
        armed = self._armed[self._ids] = Armed(self._ids, fault, self.tried, times)
        return armed

    def get(self, fault_id: int) -> Armed:
        """
        Give a fault that was added and not cleared.

        Raises:
            FaultError: there is none.
        """
        armed = self._armed.get(fault_id) or self._done.get(fault_id)
        if armed is None:
            known = ", ".join(map(str, self._armed)) or "none"
            raise FaultError(f"there is no fault {fault_id!r}; in force: {known}")
        return armed

    def remove(self, fault_id: int) -> Armed:
        """Take a fault out of force, or forget it; as :meth:`get`."""
        armed = self.get(fault_id)
        self._armed.pop(fault_id, None)
        self._done.pop(fault_id, None)
        return armed

    def turned(self) -> None:
        """Note the end of a turn, and put aside what is in force no longer."""
        for armed in self:
            armed.turned()
            if not armed.in_force:
                self._done[armed.id] = self._armed.pop(armed.id)

    def of(self, *layers: Layer) -> list[Armed]:
        """Give those of some layers, in the order in which they were added."""
        return [armed for armed in self._armed.values() if armed.fault.layer in layers]
