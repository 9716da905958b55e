"""The page's map of the market, and its menu of scenarios, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from browser_feed import FakeFeed
from playwright.sync_api import Browser, Locator, Page, expect
from terminal import served
from test_page import NARROW, browser, feed, inevitable, row, settle, visit

from ticker.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["browser", "feed", "inevitable", "visit"]  # fixtures

pytestmark = pytest.mark.browser


def tile(page: Page, symbol: str) -> Locator:
    return page.locator(f"#map button[data-symbol='{symbol}']")


def area(box: Locator) -> float:
    bounds = box.bounding_box()
    assert bounds
    return bounds["width"] * bounds["height"]


@pytest.fixture
def page(visit: Callable[..., Page], feed: FakeFeed) -> Page:
    feed.volume |= {"AAPL": 400_000, "MSFT": 100_000, "ZION": 100_000}
    page = visit(feed)
    settle(page, feed)
    page.get_by_role("button", name="Map").click()
    expect(tile(page, "ZION")).to_be_visible()
    return page


def test_areas_are_turnover_and_colours_are_change(page: Page, feed: FakeFeed) -> None:
    """Prices are 100, 101 and 102: Apple traded four times as much money as Microsoft, in the same sector."""
    expect(page.locator("#wall")).to_be_hidden()
    expect(page.get_by_text("Skip to the prices")).to_have_attribute("href", "#map")
    assert page.locator("#map section").evaluate_all("all => all.map(e => e.ariaLabel)") == [
        "Technology",
        "Energy",
    ]
    ratio = area(tile(page, "AAPL")) / area(tile(page, "MSFT"))
    assert ratio == pytest.approx(4 * 100 / 101, rel=0.02)
    expect(tile(page, "AAPL")).to_have_attribute("data-way", "flat")
    feed.trade("AAPL", 103)
    expect(tile(page, "AAPL")).to_have_attribute("data-way", "up")
    expect(tile(page, "AAPL")).to_contain_text("+3.00%")
    feed.trade("AAPL", 97)
    expect(tile(page, "AAPL")).to_have_attribute("data-way", "down")
    assert "97.00" in (tile(page, "AAPL").get_attribute("title") or "")


def test_tiles_cover_the_map_and_not_each_other(page: Page) -> None:
    """All of the box is theirs but for the sectors' names."""
    covered = sum(area(tile(page, symbol)) for symbol in ("AAPL", "MSFT", "ZION"))
    names = page.locator("#map section").evaluate_all(
        "all => all.reduce((sum, e) => sum + 20 * e.clientWidth, 0)"
    )
    assert covered == pytest.approx(area(page.locator("#map")) - names, rel=0.01)


def test_a_tile_opens_its_chart(page: Page) -> None:
    """By a click; by the keyboard, with arrows in between, the focus comes back afterwards."""
    tile(page, "AAPL").click()
    expect(page.get_by_role("heading", name="AAPL")).to_be_visible()
    expect(tile(page, "AAPL")).to_have_attribute("aria-current", "true")
    page.keyboard.press("Escape")
    tile(page, "AAPL").focus()
    page.keyboard.press("ArrowRight")
    expect(tile(page, "MSFT")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(tile(page, "ZION")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Close the chart")).to_be_focused()
    page.keyboard.press("Escape")
    expect(tile(page, "ZION")).to_be_focused()


def test_filter_and_address(page: Page, feed: FakeFeed) -> None:
    """What is filtered out has no tile; the address keeps the view; the list comes back as it was."""
    page.get_by_role("searchbox").fill("zion")
    expect(page.locator("#map button")).to_have_count(1)
    page.get_by_role("searchbox").fill("")
    expect(page.locator("#map button")).to_have_count(3)
    expect(page).to_have_url(f"{feed.url}?view=map")
    page.reload()
    expect(tile(page, "MSFT")).to_be_visible()
    feed.trade("MSFT", 150)
    page.get_by_role("button", name="List").click()
    expect(row(page, "MSFT").locator(".c-last")).to_have_text("150.00")
    expect(page).to_have_url(feed.url)


def test_a_tile_gets_its_place_as_soon_as_its_turnover_is_known(page: Page, feed: FakeFeed) -> None:
    """Where snapshots of many symbols come after the map is drawn; later, tiles stay where they are for a while."""
    page.evaluate("tickerplant.market.rows.get('AAPL').volume = null")
    page.set_viewport_size({"width": 1000, "height": 800})
    page.wait_for_function(
        "() => document.querySelector(\"#map [data-symbol='AAPL']\").offsetHeight < 20"
    )
    feed.trade("AAPL", 100, 400_000)
    page.wait_for_function(
        "() => document.querySelector(\"#map [data-symbol='AAPL']\").offsetHeight > 100",
        timeout=15_000,  # half of what it takes otherwise
    )


def test_the_largest_of_many(visit: Callable[..., Page]) -> None:
    """Of 600 symbols, those 500 have tiles that most money is in."""
    with FakeFeed([f"S{i:03d}" for i in range(600)]) as feed:
        feed.volume = dict.fromkeys(feed.volume, 100000)
        feed.volume["S000"] = 1
        page = visit(feed, "?view=map")
        expect(page.locator("#map button")).to_have_count(500)
        expect(tile(page, "S599")).to_have_count(1)
        expect(tile(page, "S000")).to_have_count(0)


def test_a_scenario_is_played(visit: Callable[..., Page], feed: FakeFeed) -> None:
    """All that the server has are offered, where it may be commanded; of the symbol that is looked at, else of all."""
    feed.control = True
    page = visit(feed, viewport=NARROW)
    settle(page, feed)
    menu = page.get_by_role("combobox", name="Play a scenario")
    expect(menu.locator("option")).to_have_count(1 + len(SCENARIOS))
    menu.select_option("flash crash")
    feed.wait_for_request(action="scenario", name="flash_crash", duration="60s")
    expect(page.locator("#played")).to_have_text("flash crash")
    expect(menu).to_have_value("")
    page.set_viewport_size({"width": 1200, "height": 800})
    row(page, "MSFT").click()
    menu.select_option("microburst")
    feed.wait_for_request(action="scenario", name="microburst", duration="1s", symbol="MSFT")
    expect(page.locator("#played")).to_have_text("microburst of MSFT")


def test_a_real_server_lets_its_own_page_play_a_scenario(browser: Browser) -> None:
    """Who may command it is decided by what the browser says of the page."""
    with served("--symbols", "AAPL,MSFT", "--control") as ready:
        page = browser.new_page()
        page.goto(ready["url"])
        expect(row(page, "MSFT").locator(".c-name")).to_have_text("Microsoft Corp.")
        row(page, "MSFT").click()
        menu = page.get_by_role("combobox", name="Play a scenario")
        menu.select_option("halt and reopen")
        expect(row(page, "MSFT").locator(".halt")).to_have_text("Halt")
        expect(row(page, "AAPL").locator(".halt")).to_be_hidden()
        page.close()


@pytest.mark.parametrize("transport", ["websocket", "sse"])
def test_a_session_is_asked_for_its_own_history_and_scenarios(
    browser: Browser, transport: str
) -> None:
    """Whatever the page asks for over HTTP is of the session of the feed that it shows."""
    with served("--symbols", "AAPL", "--control") as ready:
        page = browser.new_page()
        symbols = {"symbols": ["MSFT", "ZION"]}
        assert page.request.post(f"{ready['control']}/reset?session=mine", data=symbols).ok
        if transport == "sse":
            page.add_init_script(
                "const { WebSocket } = window; window.WebSocket = class extends WebSocket {"
                ' constructor(url) { super(url.replace("/ws", "/nothing")); } };'
            )
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{ready['url']}/?ws=/ws?session=mine")
        expect(row(page, "MSFT").locator(".c-name")).to_have_text("Microsoft Corp.")
        expect(row(page, "AAPL")).to_have_count(0)
        row(page, "MSFT").click()
        expect(page.locator("#d-legend")).to_contain_text("V ")
        page.get_by_role("combobox", name="Play a scenario").select_option("halt and reopen")
        expect(row(page, "MSFT").locator(".halt")).to_have_text("Halt")
        assert page.evaluate("tickerplant.client.transport") == transport
        paths = ("/api/", "/control/", "/sse", "/health")
        data = [url for url in asked if any(path in url for path in paths)]
        assert {urlsplit(url).path for url in data} >= {"/api/bars", "/control/scenario"}
        assert all("session=mine" in url for url in data)
        page.close()


def test_no_menu_without_control(visit: Callable[..., Page], feed: FakeFeed) -> None:
    """A server that may not be commanded is not asked for commands."""
    page = visit(feed)
    settle(page, feed)
    expect(page.locator("#play")).to_be_hidden()
