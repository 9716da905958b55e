"""Reading a stream of Server-Sent Events."""

import pytest

from clients.core.sse import EventParser

TEXT = "retry: 5\n: note\ndata: [1]\n\nid: a\ndata: [2,\ndata:3]\n\nid: b\n\ndata: 4\n\ndata: 5"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", range(1, 9))
def test_events_come_whole_however_they_are_cut(end: str, size: int) -> None:
    """Whatever ends the lines; an event without an id has none."""
    text = TEXT.replace("\n", end)
    parser = EventParser()
    found = []
    for start in range(0, len(text), size):
        found += parser.push(text[start : start + size])
    assert found == [("[1]", ""), ("[2,\n3]", "a"), ("4", "")]
