"""A transport that is held up, and a clock that rings; with a recording transport, and time that the test moves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from doubles import StalledTransport

from feeds.faults.valve import OPEN, Setting, Valve


class World:
    """Time, and what waits for it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.next: list[Callable[[], object]] = []
        self.due: list[tuple[float, Callable[[], object]]] = []
        self.inner = StalledTransport(stalled=False)
        self.told: list[bytes] = []
        self.valve = Valve(
            self.inner, lambda: self.now, self.next.append, self.later, self.told.append
        )

    def later(self, due: float, callback: Callable[[], object]) -> None:
        self.due.append((due, callback))

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due, self.due = self.due, []
        for when, callback in due:
            if when <= self.now:
                callback()
            else:
                self.due.append((when, callback))

    def one_pass(self) -> None:
        callbacks, self.next = self.next, []
        for callback in callbacks:
            callback()

    def written(self) -> bytes:
        data, self.inner.writes = b"".join(self.inner.writes), []
        return data


def test_an_open_valve_is_not_there() -> None:
    world = World()
    assert world.valve.send(b"one") == 3
    world.valve.write(b"two")
    assert world.written() == b"onetwo"
    assert world.told == [b"one", b"two"]
    world.inner.stalled = True
    with pytest.raises(BlockingIOError):
        world.valve.send(b"three")
    world.valve.rest(b"three", 2)
    assert world.written() == b"ree"
    assert world.valve.unread() == 3
    world.valve.abort()
    assert world.inner.aborted


def test_what_a_shut_valve_held_up_comes_in_order_and_counts_as_unread() -> None:
    world = World()
    world.valve.set(Setting(shut=True))
    assert world.valve.send(b"one") == -1
    world.valve.rest(b"one", -1)
    world.valve.write(b"two")
    assert (world.written(), world.valve.unread()) == (b"", 6)
    world.valve.set(OPEN)
    assert (world.written(), world.valve.unread()) == (b"onetwo", 0)
    world.valve.set(Setting(shut=True))
    world.valve.write(b"three")
    world.valve.flush()
    assert world.written() == b"three"


def test_a_rate_lets_so_many_bytes_pass_a_second_and_saves_none_up() -> None:
    world = World()
    world.valve.set(Setting(bytes_per_s=10))
    world.advance(100)
    assert world.valve.send(b"0123456789abcdef") == -1
    assert world.written() == b""
    world.advance(0.5)
    assert world.written() == b"01234"
    world.advance(0.01)
    assert world.written() == b""
    world.advance(0.59)
    assert world.written() == b"56789a"
    assert world.valve.unread() == 5
    world.advance(10)
    assert (world.written(), world.valve.unread()) == (b"bcdef", 0)
    world.advance(10)
    world.valve.write(b"x")
    assert world.written() == b""


def test_pieces_go_one_in_each_pass_of_the_loop() -> None:
    world = World()
    world.valve.set(Setting(piece=2))
    world.valve.write(b"abc")
    world.valve.write(b"de")
    assert world.inner.writes == [b"ab"]
    world.one_pass()
    world.one_pass()
    assert world.inner.writes == [b"ab", b"c", b"de"]
    assert world.told == [b"abc", b"de"], "whole"
    assert world.next == []


def test_a_hole_takes_everything_and_looks_like_a_peer_that_hasnt_read() -> None:
    world = World()
    world.valve.set(Setting(shut=True))
    world.valve.write(b"one")
    world.valve.set(Setting(hole=True))
    world.valve.write(b"two")
    assert world.valve.unread() == 1
    assert world.written() == b""
    world.valve.set(OPEN)
    assert (world.written(), world.valve.unread()) == (b"", 0)


def test_an_abort_drops_what_is_held_up() -> None:
    world = World()
    world.valve.set(Setting(shut=True))
    world.valve.write(b"one")
    world.valve.abort()
    assert world.valve.unread() == 0
    assert world.inner.aborted
