"""Frames are read back by a parser that isn't ours."""

import pytest
from doubles import frames, messages
from websockets.frames import Opcode

from feeds.wire.frame import text_frame


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, b"\x81\x00"),
        (1, b"\x81\x01"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (127, b"\x81\x7e\x00\x7f"),
        (65535, b"\x81\x7e\xff\xff"),
        (65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
        (3_000_000, b"\x81\x7f\x00\x00\x00\x00\x00\x2d\xc6\xc0"),
    ],
)
def test_a_payload_of_any_length_gets_the_shortest_header(length: int, header: bytes) -> None:
    payload = b"x" * length
    data = text_frame(payload)
    assert data == header + payload
    (frame,) = frames(data)
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, payload)
    assert (frame.rsv1, frame.rsv2, frame.rsv3) == (False, False, False)


def test_frames_written_together_are_read_as_the_messages_that_they_were() -> None:
    """One write may carry many frames: joining loses no boundary, whatever the lengths."""
    payloads = [b"a" * n for n in (0, 125, 0, 126, 65535, 1, 65536, 2)]
    assert messages(b"".join(map(text_frame, payloads))) == payloads


def test_the_payload_is_passed_through_byte_for_byte() -> None:
    payload = '[{"symbol":"BRK.B","name":"Ærø ☃"}]'.encode()
    assert messages(text_frame(payload)) == [payload]
