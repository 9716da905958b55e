"""The types of the browser's client, for TypeScript, are those of what the server says and of what the client has."""

from __future__ import annotations

import re

import pytest
from documents import ROOT
from test_protocol_examples import SENT

from ticker.batch import INTERVALS
from ticker.reference.status import STATUSES

WEB = ROOT / "clients" / "web"
TYPES = (WEB / "ticker-client.d.ts").read_text("utf-8")
CLIENT = (WEB / "ticker-client.js").read_text("utf-8")
BOOK_TYPES = (WEB / "ticker-book.d.ts").read_text("utf-8")
BOOK = (WEB / "ticker-book.js").read_text("utf-8")

INTERFACE = re.compile(r"^export interface (\w+)(?: extends (\w+))? \{\n(.*?)^\}", re.M | re.S)
FIELD = re.compile(r"^  (\w+)(\??): ", re.M)
FIELD_TYPE = re.compile(r"^  (\w+): (\w+);$", re.M)
MEMBER = re.compile(r"^  (?:(?:async|get|readonly) )*(\w+)(?=[<(:]| = )(?!.*\bconstructor\b)", re.M)


def fields_by_interface() -> dict[str, dict[str, bool]]:
    """Of each interface: its fields, and whether they are always there."""
    found: dict[str, dict[str, bool]] = {}
    for name, base, body in INTERFACE.findall(TYPES):
        own = {field: not optional for field, optional in FIELD.findall(body)}
        found[name] = found.get(base, {}) | own
    return found


INTERFACES = fields_by_interface()


def union(name: str) -> set[str]:
    """The strings that a type stands for."""
    (found,) = re.findall(rf"^export type {name} =([^;]+);", TYPES, re.M)
    return set(re.findall(r'"(\w+)"', found))


(EVENTS,) = (
    dict(FIELD_TYPE.findall(body))
    for name, _, body in INTERFACE.findall(TYPES)
    if name == "TickerEvents"
)
ITEMS = [p.values[0] for p in SENT]
OWN = {"gap", "error"}  # of these, the client has its own


@pytest.mark.parametrize("kind", sorted({item["type"] for item in ITEMS} & set(EVENTS) - OWN))
def test_what_a_server_sends_has_its_type(kind: str) -> None:
    """Each field is there, and whatever isn't optional is sent."""
    fields = INTERFACES[EVENTS[kind]]
    for item in (item for item in ITEMS if item["type"] == kind):
        assert set(item) <= set(fields) | {"id", "more"}
        assert {name for name, always in fields.items() if always} <= set(item)


def test_an_instrument_has_its_type() -> None:
    (listed,) = (item["symbols"] for item in ITEMS if item["type"] == "symbols")
    assert set(listed[0]) == set(INTERFACES["Instrument"])


def test_strings_are_those_that_there_are() -> None:
    (hello,) = (item for item in ITEMS if item["type"] == "hello")
    assert union("Channel") == set(hello["channels"])
    assert union("Interval") == set(INTERVALS)
    assert union("MarketStatus") == set(STATUSES)


@pytest.mark.parametrize(
    ("source", "types", "name"),
    [(CLIENT, TYPES, "TickerClient"), (BOOK, BOOK_TYPES, "OrderBook")],
)
def test_classes_have_the_members_that_they_have(source: str, types: str, name: str) -> None:
    """All public ones, and no others (but for what every target of events has)."""
    written, typed = (
        text.split(f"export class {name}", 1)[1].split("\n}", 1)[0] for text in (source, types)
    )
    members = set(MEMBER.findall(written)) - {"constructor"}
    assert members
    assert set(MEMBER.findall(typed)) - {"constructor", "removeEventListener"} == members


def test_options_are_those_that_are_taken() -> None:
    source = (WEB / "ticker-options.js").read_text("utf-8")
    assert set(re.findall(r"@property \{.*\} \[(\w+)\]", source)) == set(INTERFACES["Options"])
    (options,) = re.findall(r"typedef \{(\{.*?\})\} SubscribeOptions", CLIENT, re.S)
    assert set(re.findall(r"(\w+)\?:", options)) == set(INTERFACES["SubscribeOptions"])


def test_every_event_of_the_client_has_a_detail() -> None:
    """Those of its documentation."""
    (listed,) = re.findall(r"^ \* Events: (.*?)\.\.\.$", CLIENT, re.M | re.S)
    assert set(re.findall(r"`(\w+)`", listed)) <= set(INTERFACES["TickerEvents"])
