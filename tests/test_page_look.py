"""What of the page can be read and reached: contrast, widths, addresses and badges, in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from browser_feed import FakeFeed
from playwright.sync_api import Browser, Page, expect
from terminal import served
from test_page import NARROW, browser, inevitable, row, settle, visit
from test_page_map import tile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["browser", "inevitable", "visit"]  # fixtures

pytestmark = pytest.mark.browser

LEAST = 4.5  # WCAG 2.2, 1.4.3: the contrast of text

# Of each text in view: its contrast with all that lies under it, the bars of the book and flashes at their brightest too.
CONTRASTS = """() => {
    for (const animation of document.getAnimations()) {
        animation.pause();
        animation.currentTime = 0;
    }
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
        return [red, green, blue, alpha / 255];
    };
    const over = (top, under) => under.map((value, i) => top[i] * top[3] + value * (1 - top[3]));
    const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    const luminance = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => sum + part * linear(colour[i]), 0);
    const range = document.createRange();
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    for (let text; (text = texts.nextNode());) {
        const element = text.parentElement;
        range.selectNodeContents(text);
        const { width, left, right } = range.getBoundingClientRect();
        if (!text.data.trim() || !width || element.closest(".hidden, .skip, template, script, option")) continue;
        const layers = [];
        for (let at = element; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
        for (const bar of element.closest(".book tr")?.querySelectorAll("i") ?? []) {
            const box = bar.getBoundingClientRect();
            if (box.width && box.left < right && box.right > left) layers.push(getComputedStyle(bar).backgroundColor);
        }
        const back = layers.map(rgba).reduce((under, top) => over(top, under), [255, 255, 255]);
        const front = over(rgba(getComputedStyle(element).color), back);
        const [dark, light] = [luminance(front), luminance(back)].sort((a, b) => a - b);
        found.push([(light + 0.05) / (dark + 0.05), text.data.trim(), element.id || element.className]);
    }
    return found;
}"""


@pytest.fixture
def feed() -> Iterator[FakeFeed]:
    with FakeFeed(["AAPL", "MSFT", "ZION"], heartbeat_ms=60_000, books=True) as feed:
        feed.volume = dict.fromkeys(feed.volume, 100_000)
        feed.control = True
        yield feed


def hard_to_read(page: Page) -> list[list[object]]:
    texts = page.evaluate(CONTRASTS)
    assert len(texts) > 20
    return [text for text in texts if text[0] < LEAST]


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_text_can_be_read(visit: Callable[..., Page], feed: FakeFeed, scheme: str) -> None:
    """On every background that the page has: flashes, bars, badges, the row that is open, tiles at their strongest, the banner."""
    deep = {10_000 - i: 1_000 for i in range(10)}, {10_001 + i: 1_000 for i in range(10)}
    feed.depth("MSFT", *deep)
    page = visit(feed, "#MSFT", color_scheme=scheme)
    settle(page, feed)
    expect(page.locator("#d-bids")).to_contain_text("10,000")
    for status, symbol in (("halted", "AAPL"), ("closed", "ZION")):
        feed.event("status", "status", symbol, status=status, reason=None)
    for symbol, prices in {"AAPL": (90, 110), "MSFT": (110, 90), "ZION": (110, 90)}.items():
        for price in prices:
            feed.trade(symbol, price)
            expect(row(page, symbol).locator(".c-last")).to_have_text(f"{price}.00")
    expect(page.locator("#d-tape tr")).to_have_count(2)
    page.get_by_role("combobox", name="Play a scenario").select_option("flash crash")
    expect(page.locator("#played")).to_have_text("flash crash of MSFT")
    assert hard_to_read(page) == []
    page.get_by_role("button", name="Map").click()
    expect(tile(page, "MSFT")).to_contain_text("−10.00%")
    expect(tile(page, "AAPL")).to_have_attribute("data-badge", "Halt")
    page.wait_for_function("() => !document.getAnimations().some((a) => a.playState === 'running')")
    assert hard_to_read(page) == []


def test_a_session_is_said_more_quietly_than_a_halt(
    visit: Callable[..., Page], feed: FakeFeed
) -> None:
    """It is that of all symbols, and stands above them; a halt is one symbol's own, in the map too."""
    page = visit(feed, "#MSFT")
    settle(page, feed)
    feed.event("status", "status", "AAPL", status="closed", reason=None)
    feed.event("status", "status", "MSFT", status="halted", reason="T1")
    quiet, loud = (row(page, symbol).locator(".halt") for symbol in ("AAPL", "MSFT"))
    expect(quiet).to_have_text("Closed")
    expect(loud).to_have_text("Halt")
    colour = "e => getComputedStyle(e).backgroundColor"
    warning = page.locator("#d-halt").evaluate(colour)
    assert loud.evaluate(colour) == warning != quiet.evaluate(colour)
    page.get_by_role("button", name="Map").click()
    expect(tile(page, "MSFT")).to_be_visible()
    wait_for_mark(page, "MSFT", '"Halt"')
    wait_for_mark(page, "AAPL", "none")
    feed.event("status", "status", "MSFT", status="trading", reason=None)
    wait_for_mark(page, "MSFT", "none")


def wait_for_mark(page: Page, symbol: str, content: str) -> None:
    """Waits until this stands on a symbol's tile beside its name and change."""
    script = "([tile, content]) => getComputedStyle(document.querySelector(tile), '::after').content === content"
    page.wait_for_function(script, arg=[f"#map [data-symbol='{symbol}']", content])


@pytest.mark.parametrize(
    "viewport", [{"width": 1024, "height": 768}, {"width": 390, "height": 844}]
)
def test_book_and_trades_are_side_by_side(
    visit: Callable[..., Page], feed: FakeFeed, viewport: dict[str, int]
) -> None:
    """On small screens as well: what is traded is read beside what is offered. Nothing is cut off."""
    feed.depth("MSFT", {10_000 - i: 1_000 for i in range(10)}, {10_001: 12_345})
    page = visit(feed, "#MSFT", viewport=viewport)
    settle(page, feed)
    feed.trade("MSFT", 140.25, 12_600)
    expect(page.locator("#d-tape")).to_contain_text("12,600")
    book, tape = (page.locator(part).bounding_box() for part in ("#d-book", ".tape"))
    assert book
    assert tape
    assert book["y"] == tape["y"]
    assert book["x"] + book["width"] < tape["x"]
    for part in ("#d-book td", ".tape td", "#d-legend"):
        wide = "all => all.filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent)"
        assert page.locator(part).evaluate_all(wide) == []


@pytest.mark.parametrize(
    "viewport", [{"width": 1440, "height": 900}, {"width": 1024, "height": 768}, NARROW]
)
def test_what_is_played_is_told(
    visit: Callable[..., Page], feed: FakeFeed, viewport: dict[str, int]
) -> None:
    """In full where there is room beside the panel, else in its title; the tools stay where they are."""
    page = visit(feed, "#MSFT" if viewport is not NARROW else "", viewport=viewport)
    settle(page, feed)
    menu = page.get_by_role("combobox", name="Play a scenario")
    expect(menu).to_be_visible()
    height = page.locator(".tools").bounding_box()
    menu.select_option("halt and reopen")
    told = page.locator("#played")
    text = "halt and reopen of MSFT" if viewport is not NARROW else "halt and reopen"
    expect(told).to_have_text(text)
    expect(told).to_have_attribute("title", text)
    assert told.evaluate("e => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight")
    assert page.locator(".tools").bounding_box() == height


def test_the_address_leads_to_another_symbol(visit: Callable[..., Page], feed: FakeFeed) -> None:
    """Typed, or from a bookmark, while the page is open; what names no symbol closes the panel."""
    page = visit(feed, "#MSFT")
    settle(page, feed)
    for symbol in ("ZION", "AAPL"):
        page.evaluate("name => { location.hash = name; }", symbol)
        expect(page.locator("#d-symbol")).to_have_text(symbol)
    for nothing in ("NOPE", "100%", ""):
        page.evaluate("location.hash = 'MSFT'")
        expect(page.locator("#d-symbol")).to_have_text("MSFT")
        page.evaluate("name => { location.hash = name; }", nothing)
        expect(page.get_by_role("complementary")).to_be_hidden()


def test_an_address_that_means_nothing(visit: Callable[..., Page], feed: FakeFeed) -> None:
    """The page shows prices all the same."""
    page = visit(feed, "#100%")
    settle(page, feed)
    expect(page.get_by_role("complementary")).to_be_hidden()


BLOCKED = "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('', 'SecurityError'); } });"


@pytest.mark.parametrize("script", ["", BLOCKED], ids=["kept", "in the address"])
def test_a_token_is_asked_for(browser: Browser, script: str) -> None:
    """By a server that wants one; kept in the tab, so that a reload doesn't ask again, and out of the address if the browser lets it."""
    with served("--symbols", "AAPL", "--token", "sesame") as ready:
        page = browser.new_page()
        page.add_init_script(script)
        page.goto(f"{ready['url']}/?token=wrong#AAPL")
        banner, field = page.locator("#banner"), page.get_by_label("Token")
        expect(banner).to_contain_text("the token is wrong")
        expect(page.get_by_role("button", name="Retry now")).to_be_hidden()
        field.fill("sesame")
        field.press("Enter")
        expect(page.locator("#state")).to_have_text("Live")
        expect(page.locator("#d-tape tr").first).to_be_visible()
        expect(banner).to_be_hidden()
        address = "" if not script else "/?token=sesame"
        expect(page).to_have_url(f"{ready['url']}{address or '/'}#AAPL")
        page.reload()
        expect(page.locator("#state")).to_have_text("Live")
        page.close()


def test_who_has_no_token_is_told(browser: Browser) -> None:
    """And what else the page could do without one isn't offered."""
    with served("--symbols", "AAPL", "--token", "sesame") as ready:
        page = browser.new_page(viewport=NARROW)
        page.goto(ready["url"])
        expect(page.locator("#banner")).to_contain_text("the server wants a token")
        page.get_by_label("Token").fill("open")
        page.get_by_role("button", name="Connect").click()
        expect(page.locator("#banner")).to_contain_text("the token is wrong")
        assert page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        )
        page.close()


def test_of_more_symbols_than_a_connection_may_have_the_first_are_shown(browser: Browser) -> None:
    """With prices, and with a word about the others."""
    with served("--symbols", "10005", "--rate", "0.1") as ready:
        page = browser.new_page()
        page.goto(ready["url"])
        expect(page.locator("#shown")).to_have_text("The first 10,000 of 10,005")
        expect(row(page, "AAPL").locator(".c-volume")).to_have_text(re.compile(r"\d"))
        expect(page.locator("#rows .c-last").first).to_have_text(re.compile(r"\d\.\d\d"))
        expect(page.locator("#banner")).to_be_hidden()
        page.close()
