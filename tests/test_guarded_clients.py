"""Browsers and Node against a real server that doesn't let everybody in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from node_scripts import Script, watch
from playwright.sync_api import Browser, Page, expect
from terminal import served
from test_page import browser as browser_fixture

__all__ = ["watch"]  # a fixture

TOKEN = "sesame"

browser = browser_fixture

# What a page of one server tries on another: gives what it could read.
STEAL = """async ([url, ws]) => {
    const read = await fetch(url + "/api/symbols").then((r) => r.json(), () => null);
    const hello = await new Promise((resolve) => {
        const socket = new WebSocket(ws);
        socket.onmessage = ({ data }) => resolve(JSON.parse(data)[0].type);
        socket.onclose = ({ code }) => resolve(code);
    });
    return [read && read.symbols.length, hello];
}"""


@pytest.fixture(scope="module")
def guarded() -> Iterator[dict[str, Any]]:
    """A server that wants a token."""
    with served("--symbols", "5", TICKERPLANT_TOKEN=TOKEN) as ready:
        yield ready


@pytest.fixture(scope="module")
def theirs() -> Iterator[dict[str, Any]]:
    """Another server, whose pages are from elsewhere."""
    with served("--symbols", "5") as ready:
        yield ready


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.browser
def test_the_page_shows_its_token(page: Page, guarded: dict[str, Any]) -> None:
    """To the stream, and to the history that the chart wants."""
    refused: list[str] = []
    page.on("response", lambda r: refused.append(r.url) if r.status >= 400 else None)
    with page.expect_response(lambda r: "/api/bars" in r.url and r.status == 200):
        page.goto(f"{guarded['url']}/?token={TOKEN}")
    expect(page.locator("#state")).to_have_text("Live")
    assert refused == []


@pytest.mark.browser
@pytest.mark.parametrize(
    ("query", "says"), [("", "the server wants a token"), ("?token=wrong", "the token is wrong")]
)
def test_the_page_says_what_is_wrong_and_gives_up(
    query: str, says: str, page: Page, guarded: dict[str, Any]
) -> None:
    page.goto(f"{guarded['url']}/{query}")
    expect(page.locator("#state")).to_have_text("Closed")
    expect(page.get_by_text(f"The server closed the connection: {says}.")).to_be_visible()
    expect(page.get_by_label("Token")).to_be_visible()
    expect(page.locator("#empty")).to_have_text("No prices.")


@pytest.mark.browser
def test_a_page_of_another_server_reads_nothing(page: Page, theirs: dict[str, Any]) -> None:
    """Unless that other server's origin is let in."""
    page.goto(theirs["url"] + "/health")
    assert page.evaluate(STEAL, [theirs["url"], theirs["ws"]]) == [5, "hello"]
    with served("--symbols", "5") as ours:
        assert page.evaluate(STEAL, [ours["url"], ours["ws"]]) == [None, 1006]
    with served("--symbols", "5", "--origin", theirs["url"]) as ours:
        assert page.evaluate(STEAL, [ours["url"], ours["ws"]]) == [5, "hello"]


@pytest.mark.browser
def test_a_page_may_send_the_token_from_another_origin(page: Page, theirs: dict[str, Any]) -> None:
    """The browser asks first whether it may, without the token."""
    get = """([url, token]) => fetch(url + "/api/symbols", { headers: { Authorization: `Bearer ${token}` } })
        .then(async (r) => [r.status, (await r.json()).code ?? null])"""
    with served("--symbols", "5", "--origin", theirs["url"], TICKERPLANT_TOKEN=TOKEN) as ours:
        page.goto(theirs["url"] + "/health")
        assert page.evaluate(get, [ours["url"], TOKEN]) == [200, None]
        assert page.evaluate(get, [ours["url"], "wrong"]) == [401, "invalid_token"]


@pytest.mark.node
def test_the_sample_for_node_shows_its_token(
    watch: Callable[..., Script], guarded: dict[str, Any]
) -> None:
    url = ("--url", guarded["ws"])
    code, out, _ = watch(*url, "--token", TOKEN, "--count", "2").finish()
    assert (code, len(out.splitlines())) == (0, 2)
    code, _, err = watch(*url).finish()
    assert (code, err.splitlines()[-1]) == (1, "closed by the server: the server wants a token")
    code, _, err = watch(*url, "--token", "wrong").finish()
    assert (code, err.splitlines()[-1]) == (1, "closed by the server: the token is wrong")
