"""The page with the live prices, in a real browser against a feed that does what the test says."""

from __future__ import annotations

import asyncio
import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from browser_feed import CSP, WEB, FakeFeed
from playwright.sync_api import Browser, Page, WebSocketRoute, expect, sync_playwright
from proxy import ProxiedFeed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.browser

CHROMIUM = Path(os.environ.get("CHROMIUM") or "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 400, "height": 800}
TIMEOUT_MS = 60_000

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        reason = f"there is no Chromium at {CHROMIUM}; set CHROMIUM to where it is"
        if "browser" in os.environ.get("TICKERPLANT_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def feed() -> Iterator[FakeFeed]:
    with FakeFeed(["AAPL", "MSFT", "ZION"], heartbeat_ms=60_000) as feed:
        yield feed


@pytest.fixture
def inevitable() -> list[str]:
    """Parts of what the browser itself says when a server is gone, whatever the page does."""
    return ["WebSocket connection to", "net::ERR_CONNECTION_REFUSED"]


@pytest.fixture
def visit(browser: Browser, inevitable: list[str]) -> Iterator[Callable[..., Page]]:
    """Opens the page. Whatever it complains about, at any time, fails the test."""
    contexts = []
    complaints: list[str] = []

    def complain(text: str) -> None:
        if not any(part in text for part in inevitable):
            complaints.append(text)

    def visit(
        feed: FakeFeed, path: str = "", script: str = "", viewport: dict = WIDE, **options: object
    ) -> Page:
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(script)
        page.set_default_timeout(TIMEOUT_MS)
        page.on("pageerror", lambda error: complain(str(error)))
        # Chromium's advice about reading a canvas back is about this file, not about the page.
        page.on("console", lambda m: None if "readback" in m.text else complain(m.text))
        page.goto(feed.url + path)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(visit: Callable[..., Page], feed: FakeFeed) -> Page:
    page = visit(feed)
    settle(page, feed)
    return page


def settle(page: Page, feed: FakeFeed) -> None:
    """Waits until the page has all that it gets without any event of the market."""
    last = ["status"] if len(feed.last) > 1000 else ["trades", "quotes", "status"]
    feed.wait_for_request(action="subscribe", symbols=["*"], channels=last)
    expect(page.locator("#state")).to_have_text("Live")
    expect(row(page, next(iter(feed.last))).locator(".c-name")).to_contain_text("Inc.")


def row(page: Page, symbol: str):
    return page.locator(f"tr[data-symbol='{symbol}']")


def symbols(page: Page) -> list[str]:
    return page.locator("#rows .open").all_inner_texts()


def wait_for_order(page: Page, expected: list[str]) -> None:
    script = "wanted => [...document.querySelectorAll('#rows .open')].map(e => e.textContent).join() === wanted"
    page.wait_for_function(script, arg=",".join(expected))


def wait_until_painted(page: Page, selector: str) -> None:
    """Waits until anything is drawn on this canvas."""
    script = """selector => {
        const canvas = document.querySelector(selector);
        if (!canvas?.width) return false;
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.some((value) => value > 0);
    }"""
    page.wait_for_function(script, arg=selector)


def wait_until_repainted(page: Page, selector: str, before: str) -> None:
    script = "([selector, before]) => document.querySelector(selector).toDataURL() !== before"
    page.wait_for_function(script, arg=[selector, before])


def pixels(page: Page, selector: str) -> str:
    return page.locator(selector).evaluate("c => c.toDataURL()")


def test_prices_show_and_change(page: Page, feed: FakeFeed) -> None:
    """Every event is seen where it belongs."""
    apple = row(page, "AAPL")
    expect(apple.locator(".c-name")).to_have_text("Aapl Inc.")
    expect(apple.locator(".c-last")).to_have_text("100.00")
    feed.trade("AAPL", 1234.5, 700)
    expect(apple.locator(".c-last")).to_have_text("1,234.50")
    expect(apple.locator(".c-change")).to_have_text("+1,134.50")
    expect(apple.locator(".c-percent")).to_have_text("+1,134.50%")
    expect(apple.locator(".c-volume")).to_have_text("700")
    feed.trade("AAPL", 98, 3_000_000)
    expect(apple.locator(".c-percent")).to_have_text("−2.00%")
    expect(apple.locator(".c-volume")).to_have_text("3.00M")
    odd = {"price": 500, "size": 1_000_000, "conditions": ["I"], "exchange": "V"}
    feed.event("trade", "trades", "AAPL", **odd)
    expect(apple.locator(".c-volume")).to_have_text("4.00M")
    expect(apple.locator(".c-last")).to_have_text("98.00")
    feed.quote("AAPL", 97.5, 98.5, bid_size=12_300)
    expect(apple.locator(".c-bid")).to_have_text("97.50× 12,300")
    expect(apple.locator(".c-ask")).to_have_text("98.50× 200")
    expect(row(page, "MSFT").locator(".c-last")).to_have_text("101.00")


def test_says_that_it_is_invented(page: Page) -> None:
    """Nobody may take these prices for real ones."""
    expect(page.get_by_text("Synthetic market")).to_be_visible()
    expect(page.locator("#count")).to_have_text("3")


def test_flash(page: Page, feed: FakeFeed) -> None:
    """A price that rises flashes green, one that falls red, and one that stays not at all."""
    last = row(page, "AAPL").locator(".c-last")
    animation = "e => getComputedStyle(e).animationName"
    expect(last).not_to_have_attribute("data-tick", re.compile(".*"))
    feed.trade("AAPL", 101)
    expect(last).to_have_attribute("data-tick", "up")
    first = last.evaluate(animation)
    assert first.startswith("up-")
    feed.trade("AAPL", 102)
    expect(last).to_have_text("102.00")
    again = last.evaluate(animation)
    assert again.startswith("up-")
    assert again != first  # another name: the animation starts again
    feed.trade("AAPL", 102)
    feed.trade("AAPL", 90)
    expect(last).to_have_attribute("data-tick", "down")
    assert last.evaluate(animation).startswith("down-")


def test_reduced_motion(visit: Callable[..., Page], feed: FakeFeed) -> None:
    """Who doesn't want motion gets colours only."""
    page = visit(feed, reduced_motion="reduce")
    settle(page, feed)
    feed.trade("AAPL", 101)
    last = row(page, "AAPL").locator(".c-last")
    expect(last).to_have_attribute("data-tick", "up")
    assert last.evaluate("e => getComputedStyle(e).animationName") == "none"


def test_sort(page: Page, feed: FakeFeed) -> None:
    """A heading sorts, a second click turns it round, and prices that move change the order."""
    assert symbols(page) == ["AAPL", "MSFT", "ZION"]
    last = page.get_by_role("columnheader", name="Last")
    last.get_by_role("button").click()
    wait_for_order(page, ["ZION", "MSFT", "AAPL"])
    expect(last).to_have_attribute("aria-sort", "descending")
    feed.trade("AAPL", 500)
    wait_for_order(page, ["AAPL", "ZION", "MSFT"])
    last.get_by_role("button").click()
    wait_for_order(page, ["MSFT", "ZION", "AAPL"])
    expect(last).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("button", name="Name").click()
    wait_for_order(page, ["AAPL", "MSFT", "ZION"])
    expect(last).to_have_attribute("aria-sort", "none")


def test_filter(page: Page) -> None:
    """By symbol or name, whatever the case; the slash key leads there."""
    page.keyboard.press("/")
    field = page.get_by_role("searchbox")
    expect(field).to_be_focused()
    field.fill("mSf")
    wait_for_order(page, ["MSFT"])
    expect(page.locator("#shown")).to_have_text("1 of 3")
    field.fill("inc z")
    wait_for_order(page, ["ZION"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="ZION")).to_be_visible()
    expect(field).to_be_focused()
    field.fill("nothing like it")
    expect(page.locator("#empty")).to_have_text("No symbol like that.")
    field.fill("")
    wait_for_order(page, ["AAPL", "MSFT", "ZION"])
    expect(page.locator("#empty")).to_be_hidden()


def test_sparkline(page: Page, feed: FakeFeed) -> None:
    """The history of the rows in view is fetched and drawn."""
    wait_until_painted(page, "tr[data-symbol='AAPL'] canvas")
    feed.wait_for("a history for each row", lambda: feed.history_asked == 3)


def test_the_panel_has_trades_from_before_it_was_opened(page: Page, feed: FakeFeed) -> None:
    """Those of the server's history are under those that come live, each once."""
    times = {"type": "trade", "symbol": "MSFT", "time": feed.now()}
    feed.past["MSFT"] = [
        times | {"seq": seq, "price": 90 + seq, "size": 1000 + seq} for seq in range(-40, 1)
    ]
    row(page, "MSFT").click()
    tape = page.locator("#d-tape tr")
    expect(tape).to_have_count(22)
    expect(tape.first).to_contain_text("1,000")
    expect(tape.nth(21)).to_contain_text("979")
    feed.trade("MSFT", 140.25, 600)
    expect(tape.first).to_contain_text("600")
    expect(tape.nth(1)).to_contain_text("1,000")
    expect(tape).to_have_count(22)
    row(page, "AAPL").click()
    expect(page.locator("#d-symbol")).to_have_text("AAPL")
    expect(tape).to_have_count(0)


def test_detail(page: Page, feed: FakeFeed) -> None:
    """A click on a row opens its chart, its day and its trades; Escape closes it."""
    row(page, "MSFT").click()
    panel = page.get_by_role("complementary")
    expect(panel.get_by_role("heading", name="MSFT")).to_be_visible()
    expect(row(page, "MSFT")).to_have_attribute("aria-current", "true")
    feed.wait_for_request(action="subscribe", symbols=["MSFT"], channels=["bars"], interval="1m")
    expect(page.locator("#d-legend")).to_contain_text("C 10")
    wait_until_painted(page, "#d-chart")
    before = pixels(page, "#d-chart")
    feed.trade("AAPL", 1)
    feed.trade("MSFT", 140.25, 600)
    expect(page.locator("#d-last")).to_have_text("140.25")
    expect(page.locator("#d-change")).to_have_text("+40.25 (+40.25%)")
    expect(page.locator("#d-tape tr")).to_have_count(1)
    expect(page.locator("#d-tape tr")).to_contain_text("600")
    expect(page.locator("#d-high")).to_have_text("140.25")
    expect(page.locator("#d-legend")).to_contain_text("C 140.25")
    wait_until_repainted(page, "#d-chart", before)
    expect(page).to_have_title("MSFT 140.25 +40.25% · tickerplant")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    feed.wait_for_request(action="unsubscribe", symbols=["MSFT"], channels=["bars"], interval="1m")


MSFT_BOOK = [
    "100.04 1,300 2,000",
    "100.03 500 700",
    "100.01 200 200",
    "Spread 0.01 1.0 bp",
    "100.00 300 300",
    "99.99 700 1,000",
]


@pytest.fixture
def bookish() -> Iterator[FakeFeed]:
    """A feed with books."""
    with FakeFeed(["AAPL", "MSFT"], heartbeat_ms=60_000, books=True) as feed:
        feed.depth("MSFT", {10000: 300, 9999: 700}, {10001: 200, 10003: 500, 10004: 1300})
        yield feed


def wait_for_book(page: Page, lines: list[str]) -> None:
    """Waits until this stands in the panel's book, from the highest price down."""
    pattern = r"\s*".join(re.escape(word) for line in lines for word in line.split())
    expect(page.locator("#d-book")).to_have_text(re.compile(rf"Total\s*{pattern}\s*$"))


def test_book(visit: Callable[..., Page], bookish: FakeFeed) -> None:
    """The panel has the best levels of both sides around the spread, and follows each change."""
    page = visit(bookish)
    settle(page, bookish)
    row(page, "MSFT").click()
    bookish.wait_for_request(action="subscribe", symbols=["MSFT"], channels=["depth"])
    wait_for_book(page, MSFT_BOOK)
    height = page.locator("#d-book").bounding_box()
    asks = {10001: 200, 10002: 50, 10004: 1300}
    bookish.depth("MSFT", {10000: 100} | {9900 - i: 1 for i in range(20)}, asks)
    wait_for_book(
        page,
        ["100.04 1,300 1,550", "100.02 50 250", "100.01 200 200", "Spread 0.01 1.0 bp", "100.00 100 100"]
        + [f"{99 - i / 100:.2f} 1 {101 + i}" for i in range(9)],
    )  # fmt: skip
    assert page.locator("#d-book").bounding_box() == height
    row(page, "AAPL").click()
    bookish.wait_for_request(action="unsubscribe", symbols=["MSFT"], channels=["depth"])
    bookish.wait_for_request(action="subscribe", symbols=["AAPL"], channels=["depth"])
    wait_for_book(page, ["Spread –"])
    page.keyboard.press("Escape")
    bookish.wait_for_request(action="unsubscribe", symbols=["AAPL"], channels=["depth"])


def test_a_book_that_is_not_the_feeds_is_fetched_anew(
    visit: Callable[..., Page], bookish: FakeFeed
) -> None:
    page = visit(bookish, "#MSFT")
    bookish.wait_for_request(action="subscribe", symbols=["MSFT"], channels=["depth"])
    wait_for_book(page, MSFT_BOOK)
    bookish.depth("MSFT", {9998: 400}, {10001: 200}, wrong=True)
    bookish.wait_for_request(action="subscribe", symbols=["MSFT"], channels=["depth"])
    wait_for_book(page, ["100.01 200 200", "Spread 0.03 3.0 bp", "99.98 400 400"])
    bookish.drop()
    bookish.depth("MSFT", {9999: 100}, {10001: 200})
    wait_for_book(page, ["100.01 200 200", "Spread 0.02 2.0 bp", "99.99 100 100"])


def test_only_a_book_that_can_be_seen_is_subscribed_to(
    visit: Callable[..., Page], bookish: FakeFeed
) -> None:
    """On a small telephone it is below the chart; nothing of it sticks out."""
    page = visit(bookish, "#MSFT", viewport=NARROW | {"height": 440})
    bookish.wait_for_request(action="subscribe", symbols=["MSFT"], channels=["bars"], interval="1m")
    expect(page.locator("#d-last")).to_have_text("101.00")
    assert not [r for r in bookish.requests if r.get("channels") == ["depth"]]
    page.locator("#d-book").scroll_into_view_if_needed()
    bookish.wait_for_request(action="subscribe", symbols=["MSFT"], channels=["depth"])
    wait_for_book(page, MSFT_BOOK)
    panel = "document.querySelector('#detail')"
    assert page.evaluate(f"{panel}.scrollWidth <= {panel}.clientWidth")
    page.locator("#d-symbol").scroll_into_view_if_needed()
    bookish.wait_for_request(action="unsubscribe", symbols=["MSFT"], channels=["depth"])


def test_without_websockets_there_is_a_book(
    visit: Callable[..., Page], bookish: FakeFeed, inevitable: list[str]
) -> None:
    """It comes over SSE, and goes on where it was cut off."""
    inevitable += ["503 (Service Unavailable)", "net::ERR_"]
    bookish.websockets = False
    page = visit(bookish, "#MSFT")
    wait_for_book(page, MSFT_BOOK)
    bookish.depth("MSFT", {9999: 100}, {10001: 200})
    wait_for_book(page, ["100.01 200 200", "Spread 0.02 2.0 bp", "99.99 100 100"])
    bookish.drop()
    bookish.depth("MSFT", {9999: 100}, {10000: 700})
    wait_for_book(page, ["100.00 700 700", "Spread 0.01 1.0 bp", "99.99 100 100"])
    assert page.evaluate("tickerplant.client.transport") == "sse"


def test_a_feed_without_books_shows_none(page: Page, feed: FakeFeed) -> None:
    row(page, "MSFT").click()
    expect(page.get_by_role("table", name="Latest trades")).to_be_visible()
    expect(page.locator("#d-book")).to_be_hidden()
    assert not [r for r in feed.requests if r.get("channels") == ["depth"]]


def test_the_book_shown_is_the_quote_shown(browser: Browser) -> None:
    """Of a real feed, at whatever moment one looks: best prices and sizes are those of bid and ask beside it."""
    with ProxiedFeed(symbols="2", rate=40.0, web_root=WEB) as feed:
        page = browser.new_page(viewport=WIDE)
        page.goto(feed.url)
        page.locator("#rows .open").first.click()
        expect(page.locator("#d-bids tr").nth(9)).not_to_have_text("")
        looks = page.evaluate("""async () => {
            const looks = [];
            const text = (id) => document.querySelector(id).textContent;
            const level = (line) => `${line.cells[0].textContent} × ${line.cells[1].textContent}`;
            while (new Set(looks.map(String)).size < 20) {
                await new Promise(requestAnimationFrame);
                const asks = document.querySelector("#d-asks").rows;
                const bids = document.querySelector("#d-bids").rows;
                looks.push([level(bids[0]), text("#d-bid"), level(asks[asks.length - 1]), text("#d-ask")]);
            }
            return looks;
        }""")
        assert [look for look in looks if look[0] != look[1] or look[2] != look[3]] == []
        page.close()


class Hesitant(FakeFeed):
    """A feed that trades AAPL before it says which symbols there are, and says so only when it is let."""

    def __init__(self) -> None:
        super().__init__(["AAPL"], heartbeat_ms=60_000)
        self.let = asyncio.Event()

    async def _answer(self, client: Any, request: dict[str, Any]) -> None:
        if request["action"] == "symbols":
            self.seq["AAPL", "trades"] = 1
            trade = {"type": "trade", "symbol": "AAPL", "seq": 1, "time": self.now()}
            await client.send(json.dumps([trade | {"price": 55.5, "size": 100}]), "")
            await self.let.wait()
        await super()._answer(client, request)


def test_trades_before_the_history(visit: Callable[..., Page]) -> None:
    """Of a symbol that the address names: the panel is open before anything is known of it."""
    with Hesitant() as feed:
        page = visit(feed, "#AAPL")
        expect(page.locator("#d-legend")).to_contain_text("C 55.50")
        expect(page.locator("#d-name")).to_have_text("")
        feed._call(feed.let.set)
        expect(page.locator("#d-name")).to_have_text("Aapl Inc.")


def test_chart(page: Page, feed: FakeFeed) -> None:
    """Another interval, another kind of chart, and the bar under the pointer in words."""
    row(page, "AAPL").click()
    panel = page.get_by_role("complementary")
    expect(page.locator("#d-legend")).to_contain_text("V ")
    candles = pixels(page, "#d-chart")
    panel.get_by_role("button", name="Line").click()
    expect(panel.get_by_role("button", name="Line")).to_have_attribute("aria-pressed", "true")
    wait_until_repainted(page, "#d-chart", candles)
    newest = page.locator("#d-legend").inner_text()
    page.locator("#d-chart").hover(position={"x": 40, "y": 60})
    expect(page.locator("#d-legend")).not_to_have_text(newest)
    panel.get_by_role("button", name="1s").click()
    feed.wait_for_request(action="unsubscribe", symbols=["AAPL"], interval="1m")
    feed.wait_for_request(action="subscribe", symbols=["AAPL"], channels=["bars"], interval="1s")
    expect(panel.get_by_role("button", name="1s")).to_have_attribute("aria-pressed", "true")


def test_the_chart_goes_back(page: Page, feed: FakeFeed) -> None:
    """Dragged, or by keys, it shows older bars and stays there while new ones come; a double-click leads to the newest."""
    row(page, "AAPL").click()
    legend, chart = page.locator("#d-legend"), page.locator("#d-chart")
    expect(legend).to_contain_text("V ")
    box = chart.bounding_box()
    assert box
    newest = legend.inner_text()
    page.mouse.move(box["x"] + 270, box["y"] + 60)
    expect(legend).not_to_have_text(newest)
    here = legend.inner_text()
    page.mouse.down()
    page.mouse.move(box["x"] + 360, box["y"] + 60)  # ten bars
    page.mouse.up()
    expect(legend).to_have_text(here)  # the bar is still under the pointer, but over there
    page.mouse.move(box["x"] + 270, box["y"] + 60)
    expect(legend).not_to_have_text(here)
    there = legend.inner_text()
    assert minutes(there) == minutes(here) - 10
    prices = {"open": 1, "high": 9, "low": 1, "close": 7.25, "volume": 77, "vwap": 5, "trades": 3}
    start = feed.now() // 60_000 * 60_000 + 60_000
    feed.event("bar", "bars:1m", "AAPL", interval="1m", **prices, time=start)
    feed.trade("AAPL", 123)
    expect(page.locator("#d-last")).to_have_text("123.00")
    expect(legend).to_have_text(there)
    chart.focus()
    page.keyboard.press("ArrowLeft")
    expect(legend).not_to_have_text(there)
    assert minutes(legend.inner_text()) == minutes(there) - 1
    back = legend.inner_text()
    page.mouse.dblclick(box["x"] + 270, box["y"] + 60)
    expect(legend).not_to_have_text(back)
    assert minutes(legend.inner_text()) >= minutes(here) + 1
    for key in ("Home", "+", "-", "PageDown", "End"):
        chart.press(key)
    page.mouse.move(0, 0)
    expect(legend).to_contain_text("C 7.25")


def minutes(legend: str) -> int:
    """The minute of the hours, of a bar in words."""
    hours, minute, _ = legend.split()[0].split(":")
    return int(hours) * 60 + int(minute)


def test_finished_bar_replaces_ours(page: Page, feed: FakeFeed) -> None:
    """The server's bar is right, whatever was made of the trades before."""
    row(page, "AAPL").click()
    feed.wait_for_request(action="subscribe", channels=["bars"], interval="1m")
    expect(page.locator("#d-legend")).to_contain_text("V ")  # the history is there
    feed.trade("AAPL", 101)
    expect(page.locator("#d-legend")).to_contain_text("C 101.00")
    prices = {"open": 1, "high": 9, "low": 1, "close": 7.25, "volume": 77, "vwap": 5, "trades": 3}
    start = feed.now() // 60_000 * 60_000 + 60_000  # newer than any bar that the page can have
    feed.event("bar", "bars:1m", "AAPL", interval="1m", **prices, time=start)
    expect(page.locator("#d-legend")).to_contain_text("C 7.25  V 77")


def test_address_names_the_symbol(visit: Callable[..., Page], feed: FakeFeed) -> None:
    """A link to a symbol opens its chart; one to a symbol that isn't there opens nothing."""
    page = visit(feed, "#ZION")
    expect(page.get_by_role("heading", name="ZION")).to_be_visible()
    page.get_by_role("button", name="Close the chart").click()
    expect(page).to_have_url(feed.url)
    page = visit(feed, "#NOPE")
    expect(page.locator("#rows .open")).to_have_count(3)
    expect(page.get_by_role("complementary")).to_be_hidden()


def test_trades_may_come_before_it_is_known_what_there_is(browser: Browser, feed: FakeFeed) -> None:
    """Of a symbol whose chart is open from the start, while the list of all symbols is still on its way."""
    held: list[str | bytes] = []
    complaints: list[str] = []
    page = browser.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def hold(ws: WebSocketRoute) -> None:
        server = ws.connect_to_server()
        server.on_message(lambda m: held.append(m) if '"symbols", ' in str(m)[:30] else ws.send(m))

    page.route_web_socket("**/ws", hold)
    page.goto(f"{feed.url}#ZION")
    # From its snapshot; only while it waits is anything passed on.
    expect(page.locator("#d-last")).to_have_text("102.00")
    feed.trade("ZION", 55.5)
    expect(page.locator("#d-last")).to_have_text("55.50")
    expect(page.locator("#d-legend")).to_contain_text("C 55.50")
    assert complaints == []
    assert held
    page.close()


def test_keyboard(page: Page) -> None:
    """The arrows walk, Enter opens, Escape leads back to where one was."""
    page.get_by_role("button", name="AAPL").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="MSFT")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Close the chart")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="MSFT")).to_be_focused()


def test_focus_follows_its_row(page: Page, feed: FakeFeed) -> None:
    """A row that changes its place keeps the focus, and doesn't flash for that."""
    page.get_by_role("columnheader", name="Last").get_by_role("button").click()
    wait_for_order(page, ["ZION", "MSFT", "AAPL"])
    page.get_by_role("button", name="ZION").focus()
    feed.trade("ZION", 1)
    wait_for_order(page, ["MSFT", "AAPL", "ZION"])
    expect(page.get_by_role("button", name="ZION")).to_be_focused()
    feed.trade("ZION", 500)
    wait_for_order(page, ["ZION", "MSFT", "AAPL"])
    expect(page.get_by_role("button", name="ZION")).to_be_focused()
    last = row(page, "ZION").locator(".c-last")
    expect(last).to_have_attribute("data-tick", "up")
    assert last.evaluate("e => getComputedStyle(e).animationName") == "none"


def test_halt(page: Page, feed: FakeFeed) -> None:
    """A symbol that doesn't simply trade says why until it does again."""
    badge = row(page, "MSFT").locator(".halt")
    expect(badge).to_be_hidden()
    for status, text in (
        *((status, "Halt") for status in ("halted", "paused", "quoting")),
        ("closed", "Closed"),
        ("pre_market", "Pre"),
        ("post_market", "Post"),
        ("limit_state", "Limit"),
        ("straddle_state", "Straddle"),
    ):
        feed.event("status", "status", "MSFT", status=status, reason="LUDP")
        expect(badge).to_be_visible()
        expect(badge).to_have_text(text)
        end = "e => e.getBoundingClientRect().right"
        cell = row(page, "MSFT").locator(".c-symbol")
        assert badge.evaluate(end) <= cell.evaluate(end), "all of it is seen"
        feed.event("status", "status", "MSFT", status="trading", reason=None)
        expect(badge).to_be_hidden()
    feed.event("status", "status", "MSFT", status="trading", reason=None)
    expect(badge).to_be_hidden()


def test_a_closed_market_says_when_it_opens(page: Page, feed: FakeFeed) -> None:
    """In New York's time, and in how long by the feed's own clock; heartbeats bring it nearer, and nothing is said while it trades."""
    session, opens = page.locator("#session"), round(feed.now()) + 192 * 60_000 - 30_000
    expect(session).to_be_hidden()
    feed.event("status", "status", "MSFT", status="closed", reason=None, opens=opens)
    when = datetime.fromtimestamp(opens / 1_000, ZoneInfo("America/New_York"))
    told = f"Closed: opens {when:%a},? {when:%H:%M} in New York, in 3 h 12 min"
    expect(session).to_have_text(re.compile(told))
    feed.raw(json.dumps([{"type": "heartbeat", "time": opens - 20_000}]))
    expect(session).to_have_text(re.compile("in 1 min$"))
    feed.event("status", "status", "MSFT", status="pre_market", reason=None, opens=opens)
    expect(session).to_have_text(re.compile("^Pre-market: opens "))
    feed.event("status", "status", "AAPL", status="halted", reason="T1")
    expect(session).to_be_visible()
    feed.event("status", "status", "MSFT", status="trading", reason=None)
    expect(session).to_be_hidden()


def test_reconnects(page: Page, feed: FakeFeed) -> None:
    """After a cut connection the page is back by itself, with everything that it had."""
    row(page, "ZION").click()
    feed.wait_for_request(action="subscribe", symbols=["ZION"], channels=["bars"])
    feed.drop()
    settle(page, feed)
    feed.wait_for_request(action="subscribe", symbols=["ZION"], channels=["bars"])
    expect(page.locator("#banner")).to_be_hidden()
    feed.trade("ZION", 55.5)
    expect(row(page, "ZION").locator(".c-last")).to_have_text("55.50")
    expect(page.locator("#d-last")).to_have_text("55.50")
    expect(page.locator("#lost")).to_have_text("0")


def test_resumed(page: Page, feed: FakeFeed) -> None:
    """After a reconnect the top says that nothing was lost, or how much; what was missed is shown."""
    note = page.locator("#note")
    expect(note).to_have_text("")
    expect(page.locator("#reconnects-box")).to_be_hidden()
    feed.refusing = True
    feed.drop()
    feed.trade("MSFT", 77, 500)
    feed.refusing = False
    page.evaluate("tickerplant.client.reconnect()")
    expect(note).to_have_text("resumed, nothing lost")
    expect(page.locator("#state")).to_have_text("Live")
    expect(page.locator("#reconnects")).to_have_text("1")
    expect(row(page, "MSFT").locator(".c-last")).to_have_text("77.00")
    expect(row(page, "MSFT").locator(".c-volume")).to_have_text("500")
    feed.refusing = True
    feed.drop()
    feed.lose("MSFT", "trades", 1_200)
    feed.refusing = False
    page.evaluate("tickerplant.client.reconnect()")
    expect(note).to_have_text("resumed, 1,200 lost")
    expect(note).to_have_attribute("data-way", "lost")
    expect(page.locator("#reconnects")).to_have_text("2")
    expect(page.locator("#lost")).to_have_text("1,200")


def test_without_websockets(
    visit: Callable[..., Page], feed: FakeFeed, inevitable: list[str]
) -> None:
    """Where no WebSocket gets through the page lives over SSE, and says so; later it returns."""
    inevitable += ["503 (Service Unavailable)", "net::ERR_"]
    feed.websockets = False
    page = visit(feed)
    note = page.locator("#note")
    expect(note).to_have_text("over SSE")
    expect(page.locator("#state")).to_have_text("Live")
    expect(row(page, "AAPL").locator(".c-name")).to_have_text("Aapl Inc.")
    feed.wait_for_request(action="sse", symbols=["*"], interval="1d")
    row(page, "ZION").click()
    feed.wait_for_request(action="sse", symbols=["ZION"], channels=["bars"], interval="1m")
    feed.trade("ZION", 55.5)
    expect(row(page, "ZION").locator(".c-last")).to_have_text("55.50")
    feed.drop()
    expect(note).to_have_text("resumed, nothing lost")
    feed.trade("ZION", 56.5)
    expect(row(page, "ZION").locator(".c-last")).to_have_text("56.50")
    assert page.evaluate("tickerplant.client.transport") == "sse"
    feed.websockets = True
    page.reload()
    expect(row(page, "ZION").locator(".c-last")).to_have_text("56.50")
    expect(note).to_have_text("")
    assert page.evaluate("tickerplant.client.transport") == "websocket"


def test_a_snapshot_that_comes_late_sets_nothing_back(page: Page, feed: FakeFeed) -> None:
    """Over SSE a symbol's bars are a stream of their own, whose snapshot may be older than what is here."""
    old = feed._snapshot("ZION")
    feed.trade("ZION", 55.5)
    expect(row(page, "ZION").locator(".c-last")).to_have_text("55.50")
    feed.raw(json.dumps([old]))
    feed.trade("AAPL", 77)
    expect(row(page, "AAPL").locator(".c-last")).to_have_text("77.00")
    expect(row(page, "ZION").locator(".c-last")).to_have_text("55.50")


def wait_for_resume(page: Page, transport: str, count: int) -> None:
    """Waits until the page has resumed so often over this."""
    script = """([transport, count]) => new Promise((resolve) => {
        const look = () => resumed.filter(([over]) => over === transport).length >= count && resolve();
        tickerplant.client.addEventListener("resumed", look);
        look();
    })"""
    page.evaluate(script, [transport, count])


def test_a_real_feed_in_a_bad_network(browser: Browser) -> None:
    """Cut, half open, without WebSockets and with them again: the page misses nothing of the real feed."""
    # A browser may ask over a connection that is half open, and wait 10 s for the answer, more than once. The history
    # has 2,000 events of each symbol and channel: the rate has to be one at which it lasts for all that, and longer.
    with ProxiedFeed(symbols="10", rate=2.0, heartbeat_s=0.5, web_root=WEB) as feed:
        page = browser.new_page()
        page.goto(feed.url)
        note = page.locator("#note")
        expect(page.locator("#state")).to_have_text("Live")
        expect(page.locator("#rows .open").first).to_be_visible()
        page.evaluate("""() => {
            globalThis.resumed = [];
            globalThis.gaps = [];
            tickerplant.client.addEventListener("gap", ({ detail }) => gaps.push(detail));
            tickerplant.client.addEventListener("resumed", ({ detail }) =>
              resumed.push([tickerplant.client.transport, detail.lost]));
        }""")
        feed.cut()
        expect(note).to_have_text("resumed, nothing lost")
        wait_for_resume(page, "websocket", 1)
        feed.stall()
        wait_for_resume(page, "websocket", 2)
        feed.websockets = False
        feed.cut()
        wait_for_resume(page, "sse", 1)
        feed.stall()
        wait_for_resume(page, "sse", 2)
        assert page.evaluate("gaps") == []
        assert page.evaluate("resumed.filter(([, lost]) => lost)") == []
        expect(page.locator("#lost")).to_have_text("0")
        page.close()


def test_server_gone(visit: Callable[..., Page], feed: FakeFeed) -> None:
    """It says that nothing comes any more and when it tries again; or at once, if one likes."""
    page = visit(feed, script="Math.random = () => 60")  # the first pause is then 30 seconds
    settle(page, feed)
    feed.stop()
    banner = page.locator("#banner")
    expect(banner).to_contain_text("The connection was lost.")
    expect(banner).to_contain_text("Trying again in 2")
    left = (
        "() => Number(document.querySelector('#banner').textContent.match(/ in (\\d+) s\\./)?.[1])"
    )
    seconds = page.evaluate(left)
    assert 20 <= seconds < 30
    page.wait_for_function(f"seconds => ({left})() < seconds", arg=seconds)
    expect(page.locator("#state")).to_have_text("Reconnecting")
    expect(row(page, "AAPL").locator(".c-last")).to_have_text("100.00")
    feed.start()
    page.get_by_role("button", name="Retry now").click()
    settle(page, feed)
    expect(banner).to_be_hidden()
    feed.trade("AAPL", 105)
    expect(row(page, "AAPL").locator(".c-last")).to_have_text("105.00")


def test_another_market(page: Page, feed: FakeFeed, inevitable: list[str]) -> None:
    """A server that comes back with other symbols: the old ones are gone, the chart is closed."""
    inevitable.append("404 (Not Found)")  # bars, until the page knows that the market is another
    row(page, "MSFT").click()
    feed.wait_for_request(action="subscribe", symbols=["MSFT"], channels=["bars"])
    feed.stop()
    feed.new_market(["AAPL", "NVDA"])
    feed.start()
    wait_for_order(page, ["AAPL", "NVDA"])
    expect(page.get_by_role("complementary")).to_be_hidden()
    expect(page.locator("#state")).to_have_text("Live")


def test_closed_for_good(page: Page, feed: FakeFeed) -> None:
    """Where trying again would not help the page doesn't, but the user may."""
    feed.close(1008, "too many errors")
    banner = page.locator("#banner")
    expect(banner).to_contain_text("The server closed the connection: too many errors.")
    expect(page.locator("#state")).to_have_text("Closed")
    page.get_by_role("button", name="Retry now").click()
    settle(page, feed)
    expect(banner).to_be_hidden()


def test_refused(visit: Callable[..., Page]) -> None:
    """What the server refuses is shown in its own words."""
    with FakeFeed([]) as feed:
        page = visit(feed)
        expect(page.locator("#banner")).to_contain_text("The server refused: unknown symbol '*'")


def test_gap(page: Page, feed: FakeFeed) -> None:
    """Lost events are counted for all to see, and the symbol's state is asked for again."""
    expect(page.locator("#lost")).to_have_text("0")
    feed.lose("MSFT", "trades", 3)
    feed.volume["MSFT"] = 5_000
    feed.trade("MSFT", 120, 100)
    expect(page.locator("#lost")).to_have_text("3")
    feed.wait_for_request(action="snapshot", symbols=["MSFT"])
    expect(row(page, "MSFT").locator(".c-volume")).to_have_text("5,100")


def test_merged(page: Page, feed: FakeFeed) -> None:
    """Merged events aren't lost ones, and are counted apart."""
    feed.trade("MSFT", 120, merged=4)
    expect(page.locator("#merged")).to_have_text("4")
    expect(page.locator("#lost")).to_have_text("0")


def test_many_symbols_come_at_a_pace(visit: Callable[..., Page], inevitable: list[str]) -> None:
    """Of more than a thousand, the newest prices of each twice a second, but all of the one that is looked at."""
    prices = {"symbols": ["*"], "channels": ["trades", "quotes"], "mode": "latest", "max_hz": 2}
    with FakeFeed([f"S{i:04d}" for i in range(1001)]) as feed:
        page = visit(feed)
        feed.wait_for_request(action="subscribe", **prices)
        feed.wait_for_request(action="subscribe", symbols=["*"], channels=["status"])
        feed.trade("S0001", 120, merged=4, volume=700, open=119, high=121, low=118)
        expect(row(page, "S0001").locator(".c-last")).to_have_text("120.00")
        expect(row(page, "S0001").locator(".c-volume")).to_have_text("700")
        expect(page.locator("#merged-box")).to_be_hidden()
        row(page, "S0001").click()
        one = {"symbols": ["S0001"], "channels": ["trades", "quotes"]}
        assert "mode" not in feed.wait_for_request(action="subscribe", **one)
        page.keyboard.press("Escape")
        feed.wait_for_request(action="subscribe", **one, mode="latest", max_hz=2)


def test_latency(page: Page, feed: FakeFeed) -> None:
    """On the wall clock an event's age is the latency."""
    feed.trade("AAPL", 101)
    expect(page.locator("#latency")).to_have_text(re.compile(r"^\d+ ms$"))
    expect(page.locator("#clock-box")).to_be_hidden()


def test_another_clock(visit: Callable[..., Page], feed: FakeFeed) -> None:
    """On any other it would be nonsense: the market's time is shown instead."""
    feed.skew_ms = -86_400_000
    page = visit(feed)
    settle(page, feed)
    feed.trade("AAPL", 101)
    expect(page.locator("#clock")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    expect(page.locator("#latency-box")).to_be_hidden()


def test_only_visible_rows_exist(visit: Callable[..., Page]) -> None:
    """3,000 symbols are a few dozen elements, wherever one looks."""
    with FakeFeed([f"S{i:04d}" for i in range(3000)]) as feed:
        page = visit(feed)
        settle(page, feed)
        expect(page.get_by_role("table", name="Live prices")).to_have_attribute(
            "aria-rowcount", "3001"
        )
        assert page.locator("#rows tr").count() < 60
        # A row that stays in view keeps its element, so that a click hits what it is aimed at.
        row(page, "S0010").evaluate("element => element.marked = true")
        page.locator("#wall").evaluate("wall => wall.scrollTop = 200")
        expect(row(page, "S0020")).to_be_in_viewport()
        assert row(page, "S0010").evaluate("element => element.marked")
        page.locator("#wall").evaluate("wall => wall.scrollTop = wall.scrollHeight")
        final = row(page, "S2999")
        expect(final).to_be_in_viewport()
        expect(final).to_have_attribute("aria-rowindex", "3001")
        assert page.locator("#rows tr").count() < 60
        feed.trade("S2999", 7)
        expect(final.locator(".c-last")).to_have_text("7.00")
        page.locator("#wall").evaluate("wall => wall.scrollTop = 60_000")
        expect(row(page, "S1500")).to_be_in_viewport()


def test_narrow(visit: Callable[..., Page], feed: FakeFeed) -> None:
    """On a telephone nothing sticks out, and the chart takes the table's place."""
    page = visit(feed, viewport=NARROW)
    settle(page, feed)
    for selector in ("document.documentElement", "document.querySelector('#wall')"):
        assert page.evaluate(f"{selector}.scrollWidth <= {selector}.clientWidth")
    expect(row(page, "AAPL").locator(".c-percent")).to_be_in_viewport(ratio=1)
    expect(page.get_by_text("Synthetic market")).to_be_in_viewport(ratio=1)
    row(page, "AAPL").click()
    expect(page.get_by_role("button", name="Close the chart")).to_be_focused()
    expect(page.get_by_text("Synthetic market")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("table", name="Live prices")).to_be_hidden()
    page.get_by_role("button", name="Close the chart").click()
    expect(page.get_by_role("button", name="AAPL")).to_be_focused()


def test_dark_and_light(page: Page) -> None:
    """The page follows the system, and so does what is drawn."""
    row(page, "AAPL").click()
    expect(page.locator("#d-legend")).to_contain_text("V ")
    background = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="dark")
    dark, drawn = page.evaluate(background), pixels(page, "#d-chart")
    page.emulate_media(color_scheme="light")
    assert page.evaluate(background) != dark
    wait_until_repainted(page, "#d-chart", drawn)


def test_without_history(visit: Callable[..., Page], feed: FakeFeed, inevitable: list[str]) -> None:
    """A server without bars is asked once, and the chart is made of trades."""
    inevitable.append("404 (Not Found)")
    feed.history = False
    page = visit(feed)
    settle(page, feed)
    feed.wait_for("a request for bars", lambda: feed.history_asked == 1)
    row(page, "AAPL").click()
    feed.wait_for_request(action="subscribe", channels=["bars"], interval="1m")
    expect(page.locator("#d-legend")).to_have_text("No trades yet")
    feed.trade("AAPL", 123.25)
    expect(page.locator("#d-legend")).to_contain_text("C 123.25")
    assert feed.history_asked == 1


def test_policy(page: Page, feed: FakeFeed) -> None:
    """Served under a strict policy, nothing came from elsewhere and nothing needed an exception."""
    response = page.goto(feed.url)
    assert response is not None
    assert response.headers["content-security-policy"] == CSP
    names = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert names
    assert [name for name in names if not name.startswith((feed.url, "data:"))] == []
    assert page.locator("[style]:not([style*=height], .bar i)").count() == 0


def test_another_feed(visit: Callable[..., Page], feed: FakeFeed) -> None:
    """`?ws=` shows another server's prices, without asking that one for history."""
    with FakeFeed(["OTHER"]) as other:
        page = visit(feed, f"?ws={other.ws_url}")
        settle(page, other)
        other.trade("OTHER", 12)
        expect(row(page, "OTHER").locator(".c-last")).to_have_text("12.00")
    assert feed.connections == 0
