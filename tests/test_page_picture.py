"""The picture at the top of the README is one of the page, as a server with a live market shows it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from terminal import served
from test_page import browser as browser_fixture
from test_plot import size_of

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "clients" / "web" / "dashboard.png"
SIZE = (1280, 720)

browser = browser_fixture


def small(screenshot: bytes) -> bytes:
    """A PNG of 128 colours, a third as large."""
    made = io.BytesIO()
    with Image.open(io.BytesIO(screenshot)) as image:
        image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(
            made, "PNG", optimize=True
        )
    return made.getvalue()


@pytest.mark.browser
def test_the_page_can_be_pictured(
    browser: Browser, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """With a chart, a book, a tape and moving prices from its first seconds on; `make docs` takes the picture anew."""
    page = browser.new_page(
        viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="dark", timezone_id="UTC"
    )
    with served("--symbols", "30") as ready:
        page.goto(f"{ready['url']}/#AAPL")
        expect(page.locator("#state")).to_have_text("Live")
        expect(page.locator("#rate")).to_have_text(re.compile(r"^[1-9]\d\d"))  # of 30 x 10
        expect(page.locator("#latency-box")).to_be_visible()
        expect(page.locator("#d-book")).to_have_text(re.compile(r"Spread\s*\d"))
        expect(page.locator("#d-tape tr").nth(5)).to_be_visible()
        taken = small(page.screenshot())
    page.close()
    picture = PICTURE if pytestconfig.getoption("--write-docs") else tmp_path / PICTURE.name
    picture.write_bytes(taken)
    assert size_of(picture) == SIZE
    assert 30_000 < len(taken) < 150_000


def test_the_readme_shows_the_picture() -> None:
    """Before its first heading but one, with words for those who don't see it, and small."""
    top = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## ")[0]
    assert re.search(r"!\[[^\]]{20,}\]\(clients/web/dashboard\.png\)", top)
    assert size_of(PICTURE) == SIZE
    assert PICTURE.stat().st_size < 150_000
