"""Faults as values, and the plan's decisions: no sockets, no clock."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from feeds.errors import CommandError
from feeds.faults.commands import FaultCommands
from feeds.faults.fault import Fault, FaultError
from feeds.faults.handle import FaultHandle
from feeds.faults.kinds import KINDS, Layer
from feeds.faults.plan import Armed, Event, Faults

# Values.


def test_a_fault_has_all_its_parameters() -> None:
    fault = Fault.make("close", reason="bye", client=3)
    assert fault.params == {"code": 1001, "reason": "bye"}
    assert fault.client == 3
    assert fault.as_dict() == {"name": "close", "code": 1001, "reason": "bye", "client": 3}
    assert str(fault) == "close(code=1001, reason='bye', client=3)"


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("clos", {}, "unknown fault 'clos'; did you mean 'close'? the faults are refuse, silence"),
        ("zzz", {}, "unknown fault 'zzz'; the faults are refuse"),
        ("close", {"cod": 1}, "fault 'close' has no 'cod'; it has code, reason, client, nth"),
        ("stall", {"seconds": 1}, "fault 'stall' has no 'seconds'; it has client, nth"),
        ("close", {"code": 70_000}, "close: code 70000 must be a whole number from 0 to 65,535"),
        ("close", {"code": True}, "close: code True must be a whole number"),
        ("close", {"reason": "x" * 124}, "must be text of at most 123 bytes"),
        ("delay", {"seconds": 0}, "delay: seconds 0 must be a number above 0, up to 86400"),
        ("status", {"retry_after": -1}, "or None: no such header"),
        ("gap", {"times": 0}, "gap: times 0 must be a whole number from 1"),
        ("gap", {"after": 0}, "gap: after 0 must be a whole number from 1"),
        ("gap", {"client": "7"}, "gap: client '7' must be a whole number from 1"),
        ("gap", {"probability": 1.5}, "gap: probability 1.5 must be from 0 to 1"),
        ("gap", {"seed": 0.5}, "gap: seed 0.5 must be a whole number"),
        ("gap", {"after": 1, "at": 2}, "gap: after and at: one trigger is allowed"),
        ("gap", {"on": "connect"}, "gap can't wait for 'on'; it can for after or at"),
        ("epoch_change", {"after": 1}, "epoch_change can't wait for 'after'; it can for at"),
        ("close", {"on": "lunch"}, "close: on='lunch': unknown; known are connect, subscribe"),
        ("refuse", {"client": 1}, "refuse can't be aimed at a 'client'; its target is nth, or all"),
        ("refuse", {"symbol": "A"}, "refuse can't be aimed at a 'symbol'"),
        ("epoch_change", {"symbol": "A"}, "epoch_change can't be aimed at a 'symbol'"),
        ("halt", {"client": 1}, "halt can't be aimed at a 'client'; its target is symbol, or all"),
        ("halt", {"times": 2}, "halt happens once"),
        ("stall", {"client": 1, "nth": 1}, "stall: client and nth: one connection is allowed"),
        ("stall", {"client": 1, "on": "connect"}, "stall: client 1 has connected already"),
        ("close", {"symbol": "AAPL"}, "close: symbol is what to count, so after is needed with it"),
    ],
)
def test_what_isnt_allowed_is_named_with_what_is(
    name: str, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(FaultError) as caught:
        Fault.make(name, **values)
    assert message in str(caught.value)
    assert isinstance(caught.value, CommandError)


def test_a_parameter_that_a_kind_doesnt_have_is_refused_on_the_short_way_too() -> None:
    with pytest.raises(FaultError, match="'stall' has no 'x'; its parameters: none"):
        Fault(name="stall", params={"x": 1})


@pytest.mark.parametrize("name", KINDS)
def test_there_is_a_method_for_every_fault_with_its_parameters_and_defaults(name: str) -> None:
    added: list[Fault] = []

    def add(fault: Fault) -> FaultHandle:
        added.append(fault)
        return FaultHandle(Faults().add(fault), added.clear)

    method = getattr(FaultCommands(add), name)
    parameters = inspect.signature(method).parameters
    given = {key: p.default for key, p in parameters.items() if key != "when"}
    assert given == {key: p.default for key, p in KINDS[name].parameters.items()}
    assert repr(method()) == f"<fault 1: {Fault.make(name)}>"
    assert added == [Fault.make(name)]
    assert FaultCommands(add).active == []


@pytest.mark.parametrize("name", KINDS)
def test_a_schema_says_what_is_allowed(name: str) -> None:
    """As far as JSON Schema can: types, and the ends of ranges."""
    for key, parameter in KINDS[name].parameters.items():
        schema, kind = parameter.schema, parameter.schema["type"]
        assert schema["description"] == parameter.allowed
        assert schema["default"] == parameter.default
        assert parameter.check(parameter.default)
        assert parameter.check(None) == isinstance(kind, list)
        if "maxLength" in schema:
            assert parameter.check("x" * schema["maxLength"])
            assert not parameter.check("x" * (schema["maxLength"] + 1))
            continue
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        assert parameter.check(schema["maximum"])
        assert not parameter.check(schema["maximum"] + 1)
        assert parameter.check(low) == ("minimum" in schema)
        assert not parameter.check(str(low)), key


# The plan.


def event(seq: int, symbol: str = "AAPL", channel: str = "trade", time_us: int = 0) -> Event:
    return Event(symbol, channel, seq, time_us)


def put(name: str, **values: Any) -> Armed:
    return Faults().add(Fault.make(name, **values))


def struck(armed: Armed, events: list[Event]) -> list[int]:
    return [e.seq for e in events if armed.strikes_event(e)]


def test_events_are_let_pass_then_struck_so_many_times() -> None:
    armed = put("gap", after=2, times=3)
    assert struck(armed, [event(n) for n in range(1, 10)]) == [3, 4, 5]
    assert armed.fired == 3
    assert armed.spent


def test_an_event_that_many_clients_get_is_one() -> None:
    """Alike for all in the same turn; who asks for it again after that gets it."""
    armed = put("gap", times=1)
    assert struck(armed, [event(1), event(1), event(2)]) == [1, 1]
    assert armed.fired == 1
    armed.turned()
    assert struck(armed, [event(1)]) == []


def test_a_run_of_events_is_one_firing() -> None:
    armed = put("gap", events=3, times=1)
    assert armed.strikes_event(event(1))
    assert armed.spent
    assert armed.running()
    assert struck(armed, [event(2), event(1, "MSFT"), event(3), event(4)]) == [2, 3]
    assert not armed.running()
    assert armed.fired == 1


def test_symbol_and_time_say_which_events() -> None:
    armed = put("gap", symbol="AAPL", at=50)
    events = [event(1, time_us=49), event(1, "MSFT", time_us=60), event(2, time_us=50)]
    assert [armed.strikes_event(e) for e in events] == [False, False, True]


def test_draws_depend_on_the_seed_and_the_event_only() -> None:
    events = [event(n) for n in range(1, 1001)]
    some = struck(put("gap", probability=0.1, seed=3), events)
    assert 60 < len(some) < 140
    assert some == struck(put("gap", probability=0.1, seed=3), events)
    assert some != struck(put("gap", probability=0.1, seed=4), events)
    alone = put("gap", probability=0.1, seed=3)
    assert [e.seq for e in reversed(events[500:501]) if alone.strikes_event(e)] == [
        n for n in some if n == 501
    ]
    assert struck(put("gap", probability=0), events) == []


def test_tries_are_let_pass_counted_and_wait_for_the_time() -> None:
    armed = put("refuse", after=1, times=2)
    assert [armed.strikes(0) for _ in range(4)] == [False, True, True, False]
    armed = put("refuse", at=100)
    assert [armed.strikes(now) for now in (99, 100, 101)] == [False, True, True]


def test_a_connection_is_a_target_by_its_id_or_its_number_from_now_on() -> None:
    faults = Faults()
    faults.tried = 5
    second = faults.add(Fault.make("stall", nth=2))
    assert [second.aims_at(client=n, number=n) for n in (6, 7, 8)] == [False, True, False]
    one = faults.add(Fault.make("stall", client=3))
    assert [one.aims_at(client=n, number=9) for n in (2, 3)] == [False, True]
    assert faults.add(Fault.make("stall")).aims_at(client=1, number=1)


def test_a_client_is_counted_for_itself() -> None:
    armed = put("close", after=2, symbol="AAPL")
    got = [(1, event(1)), (2, event(1)), (1, event(1, "MSFT")), (2, event(2)), (1, event(2))]
    assert [armed.counts(client, e) for client, e in got] == [False, False, False, True, False]
    assert armed.spent, "what is done to a connection once is done once"


def test_faults_are_known_by_their_ids() -> None:
    faults = Faults()
    ids = [faults.add(Fault.make(name)).id for name in ("stall", "gap", "refuse")]
    assert [armed.id for armed in faults] == ids
    assert [armed.fault.name for armed in faults.of(Layer.EVENT, Layer.HANDSHAKE)] == [
        "gap",
        "refuse",
    ]
    assert faults.remove(ids[1]).fault.name == "gap"
    assert ids[1] not in faults
    assert len(faults) == 2
    spent = faults.add(Fault.make("gap", times=1, events=2))
    for seq, there in [(1, True), (2, False)]:
        spent.strikes_event(event(seq))
        faults.turned()
        assert (spent in list(faults)) == there, "a run goes on"
    assert spent.id in faults
    assert faults.ids == [ids[0], ids[2], spent.id]
    assert faults.remove(spent.id) is spent
    with pytest.raises(FaultError, match="there is no fault 2; in force: 1, 3"):
        faults.remove(ids[1])
    faults.remove(ids[0])
    faults.remove(ids[2])
    with pytest.raises(FaultError, match="in force: none"):
        faults.get(1)
