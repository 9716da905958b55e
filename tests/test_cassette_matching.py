"""Which recorded connection a client gets."""

import pytest

from feeds.cassette.index import Gate, Part
from feeds.cassette.matching import Matching, NothingMatchesError


def part(conn: int, *requests: str) -> Part:
    gates = [Gate(r.encode(), r, at) for at, r in enumerate(requests)]
    return Part(conn, "/ws", "/ws", 0, gates=gates)


def cast(parts: list[Part], *asked: str) -> Matching:
    """Ask, and go through all gates that open."""
    matching = Matching(parts)
    for request in asked:
        matching.ask(request.encode(), {})
        if matching.best is not matching.part:
            matching.switch()
        while matching.ready():
            matching.go_through()
    return matching


def test_the_one_with_the_same_requests_is_chosen_in_whatever_order() -> None:
    def parts() -> list[Part]:
        return [part(1, "auth", "AAPL"), part(2, "auth", "MSFT"), part(3, "MSFT", "auth", "TSLA")]

    assert cast(parts(), "auth", "MSFT").part.conn == 2
    assert cast(parts(), "MSFT", "auth").part.conn == 2
    assert cast(parts(), "TSLA", "auth", "MSFT").part.conn == 3


def test_one_on_which_nothing_else_was_asked_for_is_better() -> None:
    parts = [part(1, "AAPL", "MSFT"), part(2, "AAPL")]
    assert cast(parts, "AAPL").part.conn == 2
    assert cast(parts, "AAPL", "MSFT").part.conn == 1


def test_equal_ones_take_turns() -> None:
    parts = [part(1, "AAPL"), part(2, "AAPL"), part(3, "MSFT")]
    assert [cast(parts, "AAPL").part.conn for _ in range(5)] == [1, 2, 1, 2, 1]
    assert [p.played for p in parts] == [3, 2, 0]


def test_what_plays_goes_on_while_it_fits() -> None:
    """Another one, less often played, is no reason to change."""
    parts = [part(1, "auth", "AAPL"), part(2, "auth", "AAPL")]
    matching = cast(parts, "auth", "AAPL")
    assert matching.part.conn == 1
    assert matching.passed == 2


def test_a_request_on_no_part_is_refused() -> None:
    matching = cast([part(1, "AAPL"), part(2, "MSFT")], "AAPL")
    with pytest.raises(NothingMatchesError):
        matching.ask(b"TSLA", {})


def test_two_requests_of_two_parts_are_refused() -> None:
    """Nobody asked for both on one connection."""
    matching = cast([part(1, "AAPL"), part(2, "MSFT")], "AAPL")
    with pytest.raises(NothingMatchesError):
        matching.ask(b"MSFT", {})


def test_what_was_let_go_by_other_requests_does_not_fit() -> None:
    """Played up to a place where the other part stands differently."""
    matching = cast([part(1, "A", "B"), part(2, "B", "A", "C")], "A", "B")
    matching.ask(b"C", {})
    assert matching.best.conn == 2
    matching = cast([part(1, "A", "B"), part(2, "B", "C", "A")], "A")
    assert matching.part.conn == 1
    with pytest.raises(NothingMatchesError):
        matching.ask(b"C", {})


def test_a_request_that_comes_again_is_taken() -> None:
    matching = cast([part(1, "poll", "poll")], "poll", "poll", "poll")
    assert matching.passed == 2
    assert not matching.ready()


def test_a_gate_opens_with_the_marks_of_its_request() -> None:
    matching = Matching([part(1, "A", "B")])
    matching.ask(b"B", {"id": 1})
    assert not matching.ready()
    matching.ask(b"A", {"id": 2})
    assert matching.go_through() == {"id": 2}
    assert matching.go_through() == {"id": 1}
    assert matching.next_gate() is None


def test_no_parts_are_refused() -> None:
    with pytest.raises(NothingMatchesError):
        Matching([])
