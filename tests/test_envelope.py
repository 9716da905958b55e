"""Messages built in place are what plain joining and framing would give."""

import orjson
import pytest
from doubles import messages
from hypothesis import given
from hypothesis import strategies as st

from feeds.wire.envelope import HEADS, ArrayInWebSocket
from feeds.wire.frame import text_frame

HEAD = HEADS[0]


@pytest.mark.parametrize("length", [3, 4, 124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537])
def test_a_message_of_any_length_is_the_array_in_a_frame(length: int) -> None:
    """Where the length of the frame's header changes, and just before and after."""
    number = b"1" * (length - 2)
    frame = ArrayInWebSocket.seal((HEAD, number + b","))
    payload = b"[" + number + b"]"
    assert bytes(frame) == text_frame(payload)
    assert messages(bytes(frame)) == [payload]


@given(st.lists(st.lists(st.integers(), max_size=40), min_size=1, max_size=40))
def test_fragments_become_one_array_in_their_order(objects: list[list[int]]) -> None:
    frame = ArrayInWebSocket.seal((HEAD, *(orjson.dumps(o) + b"," for o in map(str, objects))))
    (payload,) = messages(bytes(frame))
    assert orjson.loads(payload) == [str(o) for o in objects]


def test_without_a_fragment_there_is_no_message() -> None:
    assert ArrayInWebSocket.seal((HEAD,)) == b""
    assert ArrayInWebSocket.seal((HEAD, b"", b"")) == b""
    assert ArrayInWebSocket.seal(()) == b""


def test_messages_dont_share_memory() -> None:
    """A message may still be in a client's buffer when the next one is built."""
    one = ArrayInWebSocket.seal((HEAD, b"1,"))
    two = ArrayInWebSocket.seal((HEAD, b"2,"))
    assert (bytes(one), bytes(two)) == (text_frame(b"[1]"), text_frame(b"[2]"))
