"""``fault.<name>(...)``: one method for each fault, and handles that clear themselves."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from feeds.errors import plainly
from feeds.faults.fault import Fault, unknown_fault
from feeds.faults.handle import FaultHandle, When
from feeds.faults.injector import Injector
from feeds.faults.plan import Armed

__all__ = ["FaultCommands", "commanding"]

__tracebackhide__ = True  # for pytest: what was wrong is in the test's line, not in here

T = TypeVar("T")


class FaultCommands:
    """
    All faults, as methods. Each takes its own parameters, and the fields of :class:`When` by name.

    Args:
        add: puts a fault in force.
        time_us: turns what ``at`` was given into the market's time in microseconds.
        active: gives the faults in force.
        clear: takes one out of force, or all.
    """

    def __init__(
        self,
        add: Callable[[Fault], FaultHandle],
        time_us: Callable[[Any], int] = int,
        active: Callable[[], list[FaultHandle]] = list,
        clear: Callable[[int | None], object] = lambda _: None,
    ) -> None:
        self._put, self._time_us, self._active, self._clear = add, time_us, active, clear

    @property
    def active(self) -> list[FaultHandle]:
        """The faults in force, in the order in which they were added."""
        return self._active()

    def clear(self, fault_id: int | None = None) -> None:
        """
        Take a fault out of force, or all: what they held up goes on.

        Raises:
            FaultError: there is no such fault.
        """
        self._clear(fault_id)

    def add(self, name: str, **values: Any) -> FaultHandle:
        """Put a fault in force by its name."""
        client = values.get("client")
        if client is not None and not isinstance(client, int):
            values["client"] = getattr(client, "id", client)
        if not isinstance(values.get("at"), int | None):
            values["at"] = self._time_us(values["at"])
        return plainly(lambda: self._put(Fault.make(name, **values)))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(unknown_fault(name))

    # The handshake.

    def refuse(self, **when: Unpack[When]) -> FaultHandle:
        """Reset the connection instead of answering the upgrade."""
        return self.add("refuse", **when)

    def silence(self, **when: Unpack[When]) -> FaultHandle:
        """Read the upgrade and don't answer; when cleared, it goes on."""
        return self.add("silence", **when)

    def delay(self, seconds: float = 1.0, **when: Unpack[When]) -> FaultHandle:
        """Answer the upgrade that much later, by the feed's clock."""
        return self.add("delay", seconds=seconds, **when)

    def status(
        self, code: int = 503, retry_after: int | None = None, **when: Unpack[When]
    ) -> FaultHandle:
        """Answer the upgrade with a status, and a ``Retry-After`` in seconds."""
        return self.add("status", code=code, retry_after=retry_after, **when)

    def bad_accept(self, **when: Unpack[When]) -> FaultHandle:
        """Accept the upgrade with the wrong ``Sec-WebSocket-Accept``."""
        return self.add("bad_accept", **when)

    def auth_reject(self, **when: Unpack[When]) -> FaultHandle:
        """Answer ``auth`` with ``invalid_token``, whatever the token, and close with 1008."""
        return self.add("auth_reject", **when)

    # The connection, once.

    def auth_expiry(
        self,
        code: int | None = 1008,
        reason: str = "the token has expired",
        **when: Unpack[When],
    ) -> FaultHandle:
        """Tell ``unauthorized``, then close; with ``code=None``, stay open and want a token again."""
        return self.add("auth_expiry", code=code, reason=reason, **when)

    def close(self, code: int = 1001, reason: str = "", **when: Unpack[When]) -> FaultHandle:
        """Close with a code and a reason, allowed on the wire or not."""
        return self.add("close", code=code, reason=reason, **when)

    def close_without_code(self, **when: Unpack[When]) -> FaultHandle:
        """Close with an empty close frame."""
        return self.add("close_without_code", **when)

    def abort(self, **when: Unpack[When]) -> FaultHandle:
        """Reset the connection, without a close frame."""
        return self.add("abort", **when)

    def truncated(self, **when: Unpack[When]) -> FaultHandle:
        """Send the first half of a frame, then end the connection."""
        return self.add("truncated", **when)

    def invalid_utf8(self, **when: Unpack[When]) -> FaultHandle:
        """Send a text frame that isn't UTF-8."""
        return self.add("invalid_utf8", **when)

    def reserved_bits(self, **when: Unpack[When]) -> FaultHandle:
        """Send a text frame with reserved bits set."""
        return self.add("reserved_bits", **when)

    def ping_flood(self, pings: int = 1_000, **when: Unpack[When]) -> FaultHandle:
        """Send pings."""
        return self.add("ping_flood", pings=pings, **when)

    def binary_frame(self, size: int = 16, **when: Unpack[When]) -> FaultHandle:
        """Send a binary frame of so many bytes."""
        return self.add("binary_frame", size=size, **when)

    def oversize(self, size: int = 2 << 20, **when: Unpack[When]) -> FaultHandle:
        """Send a heartbeat in a frame of so many bytes."""
        return self.add("oversize", size=size, **when)

    # The connection, until cleared.

    def half_open(self, **when: Unpack[When]) -> FaultHandle:
        """Neither read nor send, and close nothing; when cleared, the connection is reset."""
        return self.add("half_open", **when)

    def no_pong(self, **when: Unpack[When]) -> FaultHandle:
        """Don't answer pings."""
        return self.add("no_pong", **when)

    def stall(self, **when: Unpack[When]) -> FaultHandle:
        """Send nothing; when cleared, what was held up goes out."""
        return self.add("stall", **when)

    def slow(self, bytes_per_s: int = 1_000, **when: Unpack[When]) -> FaultHandle:
        """Send so many bytes a second, by the feed's clock."""
        return self.add("slow", bytes_per_s=bytes_per_s, **when)

    def sliced(self, size: int = 1, **when: Unpack[When]) -> FaultHandle:
        """Write pieces of so many bytes."""
        return self.add("sliced", size=size, **when)

    # Events, on their way.

    def gap(self, events: int = 1, **when: Unpack[When]) -> FaultHandle:
        """Leave events out."""
        return self.add("gap", events=events, **when)

    def duplicate(self, copies: int = 1, **when: Unpack[When]) -> FaultHandle:
        """Send an event again, at once."""
        return self.add("duplicate", copies=copies, **when)

    def reorder(self, **when: Unpack[When]) -> FaultHandle:
        """Send an event after the next one of its symbol and channel."""
        return self.add("reorder", **when)

    def stale(self, **when: Unpack[When]) -> FaultHandle:
        """Send time and values of the event before, under the new ``seq``."""
        return self.add("stale", **when)

    def clock_backwards(self, seconds: float = 1.0, **when: Unpack[When]) -> FaultHandle:
        """Set an event's time back."""
        return self.add("clock_backwards", seconds=seconds, **when)

    def crossed_quote(self, **when: Unpack[When]) -> FaultHandle:
        """Swap bid and ask of a quote."""
        return self.add("crossed_quote", **when)

    def wild_price(self, factor: float = 10.0, **when: Unpack[When]) -> FaultHandle:
        """Multiply the prices of a trade or quote."""
        return self.add("wild_price", factor=factor, **when)

    def missing_field(self, field: str | None = None, **when: Unpack[When]) -> FaultHandle:
        """Leave a field out; without a name, the first price."""
        return self.add("missing_field", field=field, **when)

    def invalid_json(self, **when: Unpack[When]) -> FaultHandle:
        """Cut off the end of the message that an event is in."""
        return self.add("invalid_json", **when)

    def unknown_type(self, type: str = "mystery", **when: Unpack[When]) -> FaultHandle:  # noqa: A002
        """Put an object of a type that nobody knows before an event."""
        return self.add("unknown_type", type=type, **when)

    # The market.

    def epoch_change(self, code: int = 1012, **when: Unpack[When]) -> FaultHandle:
        """Do what a restart looks like: everybody is closed, and who comes back finds another epoch."""
        return self.add("epoch_change", code=code, **when)

    def microburst(
        self, events: int = 20_000, seconds: float = 1.0, **when: Unpack[When]
    ) -> FaultHandle:
        """Lay quotes of a symbol over those that there are, at even intervals."""
        return self.add("microburst", events=events, seconds=seconds, **when)

    def halt(self, reason: str | None = "T1", **when: Unpack[When]) -> FaultHandle:
        """Halt a symbol, or all, for one of :data:`ticker.reference.status.REASONS`; when cleared, it trades again."""
        return self.add("halt", reason=reason, **when)


def _here(function: Callable[[], T]) -> T:
    return function()


def commanding(
    injector: Injector,
    time_us: Callable[[Any], int] = int,
    run: Callable[[Callable[[], Any]], Any] = _here,
) -> FaultCommands:
    """
    Give the commands to one plant.

    Args:
        injector: the plant's faults.
        time_us: turns what ``at`` was given into the market's time in microseconds.
        run: calls a function in the plant's event loop and returns its result; by default, calls it here.
    """

    def handle(armed: Armed) -> FaultHandle:
        def clear() -> None:
            if armed.id in injector.plan:
                injector.clear(armed.id)

        return FaultHandle(armed, lambda: run(clear))

    return FaultCommands(
        lambda fault: handle(run(partial(injector.add, fault))),
        time_us,
        lambda: [handle(armed) for armed in run(lambda: list(injector.plan)) if armed.in_force],
        lambda fault_id: run(partial(injector.clear, fault_id)),
    )
