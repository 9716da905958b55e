"""The documents: which there are, and their fenced blocks, as a Markdown parser sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

__all__ = ["DOCUMENTS", "ROOT", "Block", "anchors", "blocks", "in_language", "links"]

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted(ROOT.glob("[!.]*/*.md")),
    *sorted(ROOT.glob("clients/*/*.md")),
]
"""Every one; what a virtual environment or Node has installed isn't ours."""


@dataclass(frozen=True)
class Block:
    """A block of code, and where it stands."""

    document: str
    """The file, from the root."""
    line: int
    """Of its fence, from 1."""
    section: str
    """The heading above it."""
    language: str
    text: str

    @property
    def is_test(self) -> bool:
        """Whether it is a test for pytest."""
        return "\ndef test_" in self.text


@cache
def tokens(document: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(document.read_text(encoding="utf-8"))


def name(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


@cache
def blocks(document: Path) -> tuple[Block, ...]:
    """Give a document's blocks of code in order, those without a language too."""
    found, section = [], ""
    for before, token in zip([None, *tokens(document)], tokens(document), strict=False):
        if before is not None and before.type == "heading_open":
            section = token.content
        if token.type in ("fence", "code_block"):
            assert token.map is not None
            line, language = token.map[0] + 1, token.info.strip()
            found.append(Block(name(document), line, section, language, token.content))
    return tuple(found)


def in_language(*languages: str) -> list[pytest.param]:
    """Give the blocks in some languages, of all documents, with names for the report."""
    found = [block for document in DOCUMENTS for block in blocks(document)]
    chosen = [block for block in found if block.language in languages]
    return [pytest.param(block, id=f"{block.document}:{block.line}") for block in chosen]


def links(document: Path) -> Iterator[str]:
    """Give where a document's links and pictures lead."""
    for token in tokens(document):
        for inner in token.children or ():
            target = inner.attrGet("href") or inner.attrGet("src")
            if target is not None:
                yield str(target)


def anchors(document: Path) -> set[str]:
    """Give the anchors that GitHub makes of a document's headings."""
    found = tokens(document)
    texts = [
        t.content
        for before, t in pairwise(found)
        if before.tag in {"h1", "h2", "h3", "h4"} and before.nesting == 1
    ]
    return {re.sub(r"[^\w\- ]", "", text).strip().lower().replace(" ", "-") for text in texts}
