"""What a browser's WebSocket reports of each fault that ends a connection, or keeps it from beginning."""

from __future__ import annotations

import asyncio
import os

import pytest
from fault_table import parse_call, rows
from playwright.async_api import Page, async_playwright
from test_page import ARGUMENTS, CHROMIUM
from wire import TIMEOUT_S, running

from feeds.faults.kinds import KINDS, Layer
from feeds.server import FeedServer

pytestmark = pytest.mark.browser

ROWS = rows()
NOT_OPEN = ("refuse", "status", "bad_accept")
OVER = ("half_open",)  # when it is cleared
ENDING = [
    kind.name
    for kind in KINDS.values()
    if kind.name in (*NOT_OPEN, *OVER, "epoch_change") or kind.layer is Layer.COMMAND
]

# Gives the CloseEvent, or, if the connection is still there after an answer to a request, nothing.
CONNECT = """
url => new Promise((resolve) => {
  const socket = new WebSocket(url);
  let opened = false;
  window.next = null;
  socket.onopen = () => { opened = true; };
  socket.onmessage = () => resolve("open");
  window.ended = new Promise((ended) => {
    socket.onclose = (e) => {
      const told = `${e.code}${e.reason ? ` "${e.reason}"` : ""}${e.wasClean ? ", clean" : ""}`;
      ended(opened ? told : `${told}, never open`);
      resolve("closed");
    };
  });
  window.asked = () => new Promise((answered) => {
    socket.onmessage = (e) => {
      if (typeof e.data === "string" && e.data.includes('"pong"')) answered("none: it stays open");
    };
    socket.send('{"action":"ping"}');
  });
})
"""


async def _observe(page: Page, server: FeedServer, name: str) -> str:
    faults = server.plant.websockets.faults
    fault = parse_call(ROWS[name].example)
    if name in NOT_OPEN:
        armed = faults.add(fault)
        assert await page.evaluate(CONNECT, server.ws_url) == "closed"
    else:
        assert await page.evaluate(CONNECT, server.ws_url) == "open"
        armed = faults.add(fault)
    faults.clear(armed.id)
    ended = await page.evaluate("() => Promise.race([window.ended, window.asked()])")
    assert isinstance(ended, str)
    return ended


@pytest.mark.skipif(
    not CHROMIUM.exists() and "browser" not in os.environ.get("TICKERPLANT_REQUIRE", ""),
    reason=f"there is no Chromium at {CHROMIUM}",
)
def test_a_browsers_close_event_is_what_the_row_says() -> None:
    """One browser for all rows; those that end no connection have a dash."""

    async def main() -> dict[str, str]:
        seen = {}
        async with running(symbols="AAPL") as server, async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=CHROMIUM, args=ARGUMENTS, timeout=TIMEOUT_S * 1000
            )
            page = await browser.new_page()
            await page.goto(f"{server.url}/health")
            for name in ENDING:
                seen[name] = await _observe(page, server, name)
            await browser.close()
        return seen

    told = {name: row.close_event for name, row in ROWS.items() if row.close_event != "-"}
    assert asyncio.run(main()) == told
