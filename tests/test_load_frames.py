"""WebSocket bytes of the load generator."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.loadgen.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    FrameError,
    FrameParser,
    check_upgrade,
    is_whole,
    masked_frame,
    new_key,
    upgrade_request,
)

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # the example of RFC 6455, section 1.3

Message = tuple[int, bytes]


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A frame as a server writes it."""
    size = len(payload)
    head = bytes([(0x80 if final else 0) | opcode])
    if size < 126:
        return head + bytes([size]) + payload
    if size < 1 << 16:
        return head + b"\x7e" + size.to_bytes(2, "big") + payload
    return head + b"\x7f" + size.to_bytes(8, "big") + payload


def parse(*chunks: bytes) -> list[Message]:
    parser = FrameParser()
    return [message for chunk in chunks for message in parser.feed(chunk)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 300_000])
def test_every_length_is_understood(size: int) -> None:
    """7, 16 and 64 bits of length, at their borders."""
    payload = bytes(range(256)) * (size // 256 + 1)
    payload = payload[:size]
    data = frame(TEXT, payload)
    assert parse(data) == [(TEXT, payload)]
    assert parse(data + data) == [(TEXT, payload)] * 2


@given(
    st.lists(
        st.tuples(
            st.sampled_from([TEXT, PING, BINARY]),
            st.one_of(
                st.binary(max_size=125), st.integers(126, 70_000).map(lambda size: b"x" * size)
            ),
        ),
        max_size=5,
    ),
    st.lists(st.integers(1, 3000), max_size=30),
)
def test_any_cutting_of_the_bytes_gives_the_same_messages(
    messages: list[Message], cuts: list[int]
) -> None:
    """A read may end anywhere: in a header, in a length, in a payload."""
    data = b"".join(frame(opcode, payload) for opcode, payload in messages)
    chunks, position = [], 0
    for cut in cuts:
        chunks.append(data[position : position + cut])
        position += cut
    assert parse(*chunks, data[position:]) == messages


def test_bytes_may_come_one_by_one() -> None:
    """The slowest network there is."""
    messages = [(TEXT, b"[]"), (PING, b""), (TEXT, b"x" * 200)]
    data = b"".join(frame(*message) for message in messages)
    assert parse(*[data[n : n + 1] for n in range(len(data))]) == messages


def test_fragments_are_joined_and_may_have_control_frames_between() -> None:
    """A message may come in several frames."""
    data = (
        frame(TEXT, b"one ", final=False)
        + frame(PING, b"?")
        + frame(CONTINUATION, b"two ", final=False)
        + frame(CONTINUATION, b"three")
        + frame(TEXT, b"four")
    )
    assert parse(data) == [(PING, b"?"), (TEXT, b"one two three"), (TEXT, b"four")]


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1\x00",  # a reserved bit: compression, which nobody asked for
        b"\x81\x85",  # masked
        b"\x83\x00",  # no such opcode
        b"\x09\x00",  # a control frame in fragments
        frame(CONTINUATION, b"x"),
        frame(TEXT, b"x", final=False) + frame(TEXT, b"y"),
    ],
)
def test_what_rfc_6455_forbids_is_an_error(data: bytes) -> None:
    """Rather than counting nonsense."""
    with pytest.raises(FrameError):
        parse(data)


@pytest.mark.parametrize("size", [0, 3, 125, 126, 65535, 65536])
def test_frames_to_the_server_are_masked(size: int) -> None:
    """With a fresh mask each, in which the payload can't be seen."""
    payload = b"subscribe"[:size].ljust(size, b".")
    one, other = masked_frame(TEXT, payload), masked_frame(TEXT, payload)
    assert one[0] == 0x80 | TEXT
    assert one[1] & 0x80
    start = len(one) - size - 4
    mask, body = one[start : start + 4], one[start + 4 :]
    assert bytes(byte ^ mask[n % 4] for n, byte in enumerate(body)) == payload
    length = {2: one[1] & 0x7F, 4: int.from_bytes(one[2:4]), 10: int.from_bytes(one[2:10])}
    assert length[start] == size
    assert one != other


def test_the_handshake_is_that_of_the_rfc() -> None:
    """Its own example is accepted."""
    head = b"HTTP/1.1 101 Switching Protocols\r\nSEC-WebSocket-Accept:  " + ACCEPT
    check_upgrade(head, KEY)
    request = upgrade_request("host:1", "/ws?x=1", KEY)
    assert request.startswith(b"GET /ws?x=1 HTTP/1.1\r\nHost: host:1\r\n")
    assert b"Sec-WebSocket-Key: " + KEY + b"\r\n" in request
    assert request.endswith(b"\r\n\r\n")
    assert len(new_key()) == len(KEY)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"HTTP/1.1 404 Not Found", "HTTP status 404"),
        (b"howdy", "HTTP status ?"),
        (b"HTTP/1.1 101 Switching", "did not accept"),
        (b"HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: " + KEY, "did not accept"),
    ],
)
def test_a_refused_handshake_says_why(head: bytes, words: str) -> None:
    """The status, or that the key came back wrong."""
    with pytest.raises(FrameError) as caught:
        check_upgrade(head, KEY)
    assert words in str(caught.value)


def test_a_close_frame_is_a_message() -> None:
    """Its payload holds the code."""
    assert parse(frame(CLOSE, b"\x03\xe9")) == [(CLOSE, b"\x03\xe9")]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"type":"error","code":"x","message":"why"}', ": why"),
        (
            b'{"type":"error","code":"too_many_connections","message":"full"}',
            ": full (tickerplant serve --max-connections)",
        ),
        (b"<html>", ""),
        (b"[]", ""),
        (b"", ""),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(body: bytes, said: str) -> None:
    with pytest.raises(FrameError) as error:
        check_upgrade(b"HTTP/1.1 503 No", b"key", body)
    assert str(error.value) == f"HTTP status 503{said}"


def test_a_refusal_is_waited_for_as_far_as_it_is_of_use() -> None:
    head = b"HTTP/1.1 503 No\r\nContent-Type: x\r\nContent-Length: 3"
    assert not is_whole(head, b"{}")
    assert is_whole(head, b"{ }")
    assert is_whole(head + b"0000000", b"x" * 10_000)
    assert is_whole(b"HTTP/1.1 503 No", b"")
