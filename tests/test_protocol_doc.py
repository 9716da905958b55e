"""The document of the protocol and the code say the same."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import feeds
from feeds.errors import CloseCode, Code
from feeds.requests import CHANNEL_NAMES, parse_request
from ticker.batch import INTERVALS

TEXT = (Path(feeds.__file__).parent / "PROTOCOL.md").read_text(encoding="utf-8")
NOT_SENT_BY_A_SERVER = {1000, 1002, 1006}
"""Close codes that the document explains and that the server doesn't choose itself."""


def section(title: str) -> str:
    """The text under a heading, up to the next one of its kind."""
    (found,) = re.findall(rf"^## \d+\. {title}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return found


def first_cells(text: str) -> list[str]:
    """The first cell of each row of the tables, without the heads."""
    rows = re.findall(r"^\|(?!-)\s*(.*?)\s*\|", text, re.MULTILINE)
    heads = re.findall(r"^\|\s*(.*?)\s*\|.*\n\|-", text, re.MULTILINE)
    return [row for row in rows if row not in heads]


def examples() -> Iterator[str]:
    """Every piece of JSON: the fenced blocks, and what is between backquotes and looks like it."""
    yield from re.findall(r"^```json\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    plain = re.sub(r"^```.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"`([^`]+)`", plain):
        if code.startswith(("{", "[{")) and "..." not in code.replace('"..."', ""):
            yield code


def test_there_are_examples() -> None:
    assert len(list(examples())) >= 12


@pytest.mark.parametrize("text", list(examples()), ids=lambda text: text[:50])
def test_every_example_is_json_of_the_shape_that_the_document_asks_for(text: str) -> None:
    """Requests are objects that the server accepts; what it sends are objects with a type, mostly in arrays."""
    value = json.loads(text)
    if isinstance(value, dict) and "action" in value:
        parse_request(text.encode())
        return
    items = value if isinstance(value, list) else [value]
    assert items
    for item in items:
        assert "type" in item or {"status", "symbols", "epoch", "symbol"} & set(item)


def test_every_error_code_is_in_the_table_and_nothing_else() -> None:
    assert sorted(c.strip("`") for c in first_cells(section("Errors"))) == sorted(Code)


def test_every_close_code_is_in_the_table_and_nothing_else() -> None:
    documented = {int(c) for c in first_cells(section("Close codes"))}
    assert documented - NOT_SENT_BY_A_SERVER == {int(c) for c in CloseCode} - NOT_SENT_BY_A_SERVER
    assert documented >= {int(c) for c in CloseCode}


def test_close_codes_are_in_order() -> None:
    codes = [int(c) for c in first_cells(section("Close codes"))]
    assert codes == sorted(codes)


def test_every_channel_has_its_events() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", section("Events"), re.MULTILINE)
    assert [channel for _, channel in rows] == list(CHANNEL_NAMES)
    assert [kind for kind, _ in rows] == ["trade", "quote", "bar", "status"]


def test_every_interval_is_named() -> None:
    assert ", ".join(f"`{i}`" for i in INTERVALS) in section("Requests")


def test_every_action_has_its_heading() -> None:
    actions = re.findall(r"^### (\w+)$", section("Requests"), re.MULTILINE)
    assert {"subscribe", "unsubscribe", "snapshot", "symbols", "ping", "auth"} <= set(actions)


def test_links_within_the_document_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors
