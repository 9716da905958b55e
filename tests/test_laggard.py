"""What a conflated connection gets when it has drained."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from feeds.fanout.laggard import Laggard, narrow

SLOTS = 8

I64 = NDArray[np.int64]


class World:
    """Sequences and newest fragments of a few slots; a fragment is (slot, seq) as text."""

    def __init__(self, base: list[int] | None = None) -> None:
        self.seq = np.zeros(SLOTS, dtype=np.int64)
        self.base = None if base is None else np.array(base, dtype=np.int64)
        self.newest: dict[int, bytes] = {}

    def publish(self, *slots: int) -> None:
        for slot in slots:
            self.seq[slot] += 1
            self.newest[slot] = b"%d:%d" % (slot, self.seq[slot])

    def laggard(self, *slots: int) -> Laggard:
        at = np.array(slots, dtype=np.int64)
        if self.base is None:
            return Laggard(lambda: at, self.seq[at])
        return Laggard(lambda: at, narrow(self.seq[at] - self.base[at]), self.base)

    def catch_up(self, laggard: Laggard, budget: int = 1_000_000) -> tuple[list[bytes], int]:
        told = laggard.catch_up(self.seq, self.pieces, budget)
        assert told.unsure == []
        return told.fragments, told.replaced

    def pieces(self, slots: I64, counts: I64) -> tuple[list[bytes], list[int], list[int]]:
        fragments = [self.newest[slot] for slot in slots.tolist()]
        replaced = [count - 1 for count in counts.tolist()]
        pairs = zip(fragments, replaced, strict=True)
        return [b"%b+%d" % pair if pair[1] else pair[0] for pair in pairs], replaced, []

    def move(self, laggard: Laggard, *slots: int) -> None:
        """Let those that stay keep their marks, and new ones start from now."""
        marks = self.seq.copy()
        laggard.fill(marks)
        at = np.array(slots, dtype=np.int64)
        laggard.move(lambda: at, marks[at])


def test_it_gets_the_newest_of_each_dirty_slot_with_the_number_of_those_replaced() -> None:
    world = World()
    world.publish(0, 0, 1, 2)
    laggard = world.laggard(0, 1, 2, 3)
    world.publish(0, 2, 2, 2, 5)
    assert world.catch_up(laggard) == ([b"0:3", b"2:4+2"], 2)
    assert not laggard.behind


def test_who_missed_nothing_gets_nothing() -> None:
    world = World()
    world.publish(0, 1)
    laggard = world.laggard(0, 1)
    world.publish(2, 3)
    assert world.catch_up(laggard) == ([], 0)
    assert not laggard.behind


def test_nobody_interested_in_anything_gets_nothing() -> None:
    world = World()
    laggard = world.laggard()
    world.publish(0)
    assert world.catch_up(laggard) == ([], 0)
    assert not laggard.behind


def test_after_catching_up_it_counts_from_there() -> None:
    world = World()
    laggard = world.laggard(0)
    world.publish(0, 0, 0)
    assert world.catch_up(laggard) == ([b"0:3+2"], 2)
    assert world.catch_up(laggard) == ([], 0)
    world.publish(0)
    assert world.catch_up(laggard) == ([b"0:4"], 0)


def test_a_budget_cuts_the_work_and_the_rest_comes_next_time() -> None:
    world = World()
    laggard = world.laggard(0, 1, 2, 3, 4)
    world.publish(0, 1, 2, 3, 4)
    assert world.catch_up(laggard, budget=4) == ([b"0:1", b"1:1"], 0)
    assert laggard.behind
    world.publish(3)
    assert world.catch_up(laggard, budget=1_000) == ([b"2:1", b"3:2+1", b"4:1"], 1)
    assert not laggard.behind


def test_a_budget_always_lets_one_through() -> None:
    """However small, so that catching up comes to an end."""
    world = World()
    laggard = world.laggard(0, 1)
    world.publish(0, 1)
    assert world.catch_up(laggard, budget=0) == ([b"0:1"], 0)
    assert world.catch_up(laggard, budget=0) == ([b"1:1"], 0)
    assert not laggard.behind


def test_no_slot_waits_for_ever_however_much_is_published() -> None:
    """What the budget left over comes first the next time, although the others are dirty again."""
    world = World()
    laggard = world.laggard(*range(SLOTS))
    order = []
    for _ in range(SLOTS):
        world.publish(*range(SLOTS))
        fragments, _ = world.catch_up(laggard, budget=7)
        order += [int(f[:1]) for f in fragments]
    assert order[: 2 * SLOTS] == [*range(SLOTS), *range(SLOTS)]


def test_slots_that_stay_keep_their_place_and_new_ones_start_from_now() -> None:
    world = World()
    world.publish(3, 3)
    laggard = world.laggard(0, 1)
    world.publish(0, 0, 1, 3)
    world.move(laggard, 1, 3)
    assert world.catch_up(laggard) == ([b"1:1"], 0)
    world.publish(0, 3, 3)
    assert world.catch_up(laggard) == ([b"3:5+1"], 1)


def test_a_snapshot_counts_as_got() -> None:
    world = World()
    laggard = world.laggard(0, 1)
    world.publish(0, 0, 1)
    laggard.renew(np.array([0, 7]), world.seq)
    assert world.catch_up(laggard) == ([b"1:1"], 0)
    world.publish(0)
    assert world.catch_up(laggard) == ([b"0:3"], 0)


def test_a_shared_row_of_marks_isnt_written_to() -> None:
    """All members that fell behind in one turn share one row: catching one up must not mark the others."""
    world = World()
    slots = np.array([0, 1], dtype=np.int64)
    marks = world.seq[slots]
    one, two, three = (Laggard(lambda: slots, marks) for _ in range(3))
    world.publish(0, 1, 1)
    two.renew(np.array([1]), world.seq)
    assert world.catch_up(one) == ([b"0:1", b"1:2+1"], 1)
    assert world.catch_up(two) == ([b"0:1"], 0)
    assert world.catch_up(three) == ([b"0:1", b"1:2+1"], 1)
    assert marks.tolist() == [0, 0]


def test_numbers_take_as_few_bytes_as_they_need() -> None:
    for most, size in ((0, 2), (2**15 - 1, 2), (2**15, 4), (2**31 - 1, 4), (2**31, 8)):
        for values in ([most, 0], [0, -most - 1]):
            row = narrow(np.array(values, dtype=np.int64))
            assert (row.tolist(), row.itemsize) == (values, size)
    assert narrow(np.zeros(0, dtype=np.int64)).itemsize == 2


actions = st.one_of(
    st.tuples(st.just("publish"), st.lists(st.integers(0, SLOTS - 1), min_size=1, max_size=6)),
    st.tuples(st.just("catch up"), st.integers(0, 20)),
    st.tuples(st.just("move"), st.sets(st.integers(0, SLOTS - 1))),
    st.tuples(st.just("snapshot"), st.sets(st.integers(0, SLOTS - 1))),
)


bases = st.one_of(
    st.none(),
    st.lists(
        st.sampled_from([0, 1, 7, 2**15 - 1, 2**15, 2**31, 2**40]), min_size=SLOTS, max_size=SLOTS
    ),
)


@given(st.lists(actions, max_size=30), bases)
def test_every_missed_event_is_sent_or_counted(
    steps: list[tuple[str, list[int]]], base: list[int] | None
) -> None:
    """
    Whatever happens in between, and wherever marks are counted from, ``seq == last + 1 + merged`` for every fragment,
    and in the end nothing is missing.
    """
    world = World(base)
    laggard = world.laggard(0, 1, 2)
    last = dict.fromkeys([0, 1, 2], 0)

    def follow(fragments: list[bytes], replaced: int) -> None:
        counted = 0
        for fragment in fragments:
            head, _, merged = fragment.partition(b"+")
            slot, seq = map(int, head.split(b":"))
            assert seq == last[slot] + 1 + int(merged or 0)
            last[slot] = seq
            counted += int(merged or 0)
        assert counted == replaced

    for what, argument in [*steps, ("catch up", 1_000)]:
        if what == "publish":
            world.publish(*argument)
        elif what == "catch up":
            follow(*world.catch_up(laggard, argument))
        elif what == "move":
            world.move(laggard, *sorted(argument))
            last = {s: last.get(s, int(world.seq[s])) for s in argument}
        else:
            laggard.renew(np.array(sorted(argument), dtype=np.int64), world.seq)
            last |= {s: int(world.seq[s]) for s in argument if s in last}
    assert last == {s: world.seq[s] for s in last}
    assert not laggard.behind
