"""What feed faults do to events, and to the messages that they are in."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from doubles import messages
from hypothesis import given
from hypothesis import strategies as st

from feeds.faults.envelope import Tap
from feeds.faults.fault import Fault
from feeds.faults.mangle import Mangler, cut, identify
from feeds.faults.plan import Event
from feeds.wire.bodies import Lines
from feeds.wire.envelope import HEADS, WEBSOCKET, Envelope

QUOTE = {"type": "quote", "symbol": "AAPL", "seq": 1, "time": 5.5, "bid": 1.0, "ask": 2.0}
BAR = {"type": "bar", "symbol": "AAPL", "seq": 1, "time": 5.5, "interval": "1m", "close": 3.0}
STATUS = {"type": "status", "symbol": "AAPL", "seq": 1, "time": 5.5, "status": "halted"}


def trade(seq: int, symbol: str = "AAPL") -> dict[str, Any]:
    return {"type": "trade", "symbol": symbol, "seq": seq, "time": seq * 10.0, "price": 1.5 + seq}


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers(-(2**62), 2**62)), min_size=1))
def test_a_message_is_cut_into_its_objects_whatever_they_say(items: list[dict[str, Any]]) -> None:
    objects = [orjson.dumps({"type": "x"} | item | {"type": "x"}) for item in items]
    assert cut(b"[" + b",".join(objects) + b"]") == objects


def test_events_are_told_apart_from_everything_else() -> None:
    assert identify(trade(3)) == Event("AAPL", "trade", 3, 30_000)
    assert identify(BAR) == Event("AAPL", "bar 1m", 1, 5_500)
    assert identify({"type": "hello"}) is None
    assert identify({}) is None


@pytest.mark.parametrize(
    ("call", "item", "out"),
    [
        (Fault.make("gap"), trade(1), []),
        (Fault.make("duplicate", copies=2), trade(1), [trade(1)] * 3),
        (Fault.make("clock_backwards", seconds=2), trade(1), [trade(1) | {"time": -1990.0}]),
        (Fault.make("crossed_quote"), QUOTE, [QUOTE | {"bid": 2.0, "ask": 1.0}]),
        (Fault.make("wild_price", factor=3), QUOTE, [QUOTE | {"bid": 3.0, "ask": 6.0}]),
        (Fault.make("missing_field"), BAR, [{k: v for k, v in BAR.items() if k != "close"}]),
        (Fault.make("missing_field"), STATUS, [{k: STATUS[k] for k in STATUS if k != "status"}]),
        (Fault.make("invalid_json"), trade(1), [trade(1)]),
        (
            Fault.make("unknown_type", type="x"),
            trade(1),
            [{"type": "x", "symbol": "AAPL", "time": 10.0}, trade(1)],
        ),
    ],
)
def test_one_event_and_one_fault(call: Fault, item: dict[str, Any], out: list[Any]) -> None:
    mangler = Mangler()
    assert mangler.fits(call, item)
    assert mangler.passes(item, [call]) == out


@pytest.mark.parametrize(
    ("call", "item"),
    [
        (Fault.make("crossed_quote"), trade(1)),
        (Fault.make("wild_price"), BAR),
        (Fault.make("missing_field", field="bid"), trade(1)),
        (Fault.make("stale"), trade(1)),
    ],
)
def test_a_fault_passes_over_what_it_cant_be_done_to(call: Fault, item: dict[str, Any]) -> None:
    assert not Mangler().fits(call, item)


def test_faults_add_up() -> None:
    faults = [Fault.make("duplicate"), Fault.make("wild_price", factor=2)]
    assert Mangler().passes(trade(1), faults) == [trade(1) | {"price": 5.0}] * 2


def test_what_is_held_back_comes_after_the_next_of_its_symbol_and_channel() -> None:
    mangler, reorder = Mangler(), Fault.make("reorder")
    assert mangler.passes(trade(1), [reorder]) == []
    assert mangler.passes(trade(1, "MSFT"), []) is None
    assert not mangler.fits(reorder, trade(2))
    assert mangler.passes(trade(2), []) == [trade(2), trade(1)]
    assert mangler.passes(trade(3), [reorder]) == []
    assert mangler.release() == [trade(3)]
    assert mangler.release() == []


def test_a_stale_event_is_the_one_before_under_the_new_sequence() -> None:
    mangler = Mangler()
    mangler.passes(trade(1), [])
    assert mangler.passes(trade(2), [Fault.make("stale")]) == [trade(1) | {"seq": 2}]
    assert mangler.passes(trade(3), [Fault.make("stale")]) == [trade(2) | {"seq": 3}]


# In messages.


class Judge:
    """Strikes events by their sequence; lets out so many."""

    def __init__(self, faults: dict[int, Fault], most: int | None = None) -> None:
        self.faults, self.most, self.sent = faults, most, 0

    def judge(self, event: Event, fits: Any) -> list[Fault]:
        fault = self.faults.get(event.seq)
        return [fault] if fault is not None and fits(fault) else []

    def counted(self, event: Event) -> bool:
        self.sent += 1
        return self.sent == self.most


def tap(faults: dict[int, Fault], most: int | None = None, inner: Envelope = WEBSOCKET) -> Tap:
    judge = Judge(faults, most)
    return Tap(inner, judge.judge, judge.counted)


def sealed(tap: Tap, *items: dict[str, Any]) -> bytes:
    return bytes(tap.seal((HEADS[tap.number], *(orjson.dumps(i) + b"," for i in items))))


def test_what_no_fault_strikes_comes_byte_for_byte() -> None:
    plain = WEBSOCKET.seal((HEADS[0], *(orjson.dumps(trade(n)) + b"," for n in (1, 2))))
    assert sealed(tap({}), trade(1), trade(2)) == bytes(plain)
    hello = b'[{"type":"hello"}]'
    assert tap({}).wrap(hello) == WEBSOCKET.wrap(hello)


def test_a_message_of_which_nothing_is_left_isnt_sent() -> None:
    faulty = tap({1: Fault.make("gap")})
    assert sealed(faulty, trade(1)) == b""
    assert faulty.seal((HEADS[1],)) == b""
    assert faulty.open() is faulty
    faulty.restart()
    faulty.audience(1)


def test_a_message_that_isnt_json_is_whole_as_a_frame() -> None:
    (text,) = messages(sealed(tap({2: Fault.make("invalid_json")}), trade(1), trade(2)))
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(text)


def test_after_the_last_event_for_now_the_rest_waits() -> None:
    """So that what a fault does comes exactly behind the nth event."""
    faulty = tap({}, most=2)
    first = messages(sealed(faulty, trade(1), trade(2), trade(3)))
    assert [orjson.loads(text) for text in first] == [[trade(1), trade(2)]]
    assert sealed(faulty, trade(4)) == b""
    rest = messages(b"".join(bytes(m) for m in faulty.deferred()))
    assert [orjson.loads(text) for text in rest] == [[trade(3)], [trade(4)]]
    assert faulty.deferred() == []
    assert messages(sealed(faulty, trade(5))) == [orjson.dumps([trade(5)])]


def test_what_was_held_back_can_be_had_at_the_end() -> None:
    faulty = tap({1: Fault.make("reorder")})
    assert sealed(faulty, trade(1)) == b""
    assert messages(bytes(faulty.release())) == [orjson.dumps([trade(1)])]
    assert faulty.release() == b""


def test_any_envelope_can_be_tapped() -> None:
    faulty = tap({1: Fault.make("duplicate")}, inner=Lines(chunked=False))
    lines = sealed(faulty, trade(1), trade(2)).splitlines()
    assert [orjson.loads(line)["seq"] for line in lines] == [1, 1, 2]
