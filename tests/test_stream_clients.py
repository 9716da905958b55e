"""Streams over plain HTTP, read by what people use: a library, curl and jq's kind of reading, a browser, through a proxy."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
import orjson
import pytest
from aiohttp import web
from closing import clean_up
from httpx_sse import aconnect_sse
from playwright.async_api import Page, async_playwright
from streaming import SseParser
from test_page import ARGUMENTS, CHROMIUM
from wire import TIMEOUT_S, Follower, eventually, running

from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy

pytestmark = pytest.mark.asyncio

ALL = "symbols=*&channels=trades,quotes"
LIVE: dict[str, Any] = {
    "clock": "wall",
    "rate": 20,
    "symbols": "8",
    "backlog": BacklogPolicy(soft_limit=50_000_000, hard_limit=50_000_000),
}
CURL = shutil.which("curl")


async def cut(server: FeedServer) -> None:
    """Cut every stream that is open, as a network would."""
    await eventually(lambda: server.plant.streams.open, "somebody is connected")
    for stream in server.plant.streams.open:
        stream.transport.abort()


# A library.


async def test_httpx_sse_reads_it_and_comes_back() -> None:
    """Each time with the last id; nothing is lost and nothing repeated."""
    follower, last, kinds = Follower(), "", set()
    async with running(**LIVE) as server, httpx.AsyncClient(timeout=TIMEOUT_S) as http:
        for _ in range(4):
            headers = {"Last-Event-ID": last} if last else {}
            url = f"{server.url}/sse?{ALL}"
            async with aconnect_sse(http, "GET", url, headers=headers) as source:
                source.response.raise_for_status()
                seen = 0
                async for event in source.aiter_sse():
                    assert event.event == "message"
                    items = event.json()
                    kinds |= {(bool(last), i["type"]) for i in items if i["type"] == "snapshot"}
                    follower.feed(items)
                    last = event.id or last
                    if (seen := seen + 1) == 12:
                        break
    assert kinds == {(False, "snapshot")}
    assert follower.events > 0
    assert follower.merged == 0


async def test_a_line_at_a_time_with_httpx() -> None:
    async with (
        running(**LIVE) as server,
        httpx.AsyncClient(timeout=TIMEOUT_S) as http,
        http.stream("GET", f"{server.url}/stream?{ALL}") as response,
    ):
        assert response.headers["content-type"] == "application/x-ndjson"
        follower, n = Follower(), 0
        async for line in response.aiter_lines():
            follower.feed([orjson.loads(line)])
            if (n := n + 1) == 100:
                break
        assert follower.events > 50


# curl.


@pytest.mark.skipif(CURL is None, reason="there is no curl")
@pytest.mark.parametrize("version", ["--http1.1", "--http1.0"])
async def test_curl_reads_lines_as_they_come_and_to_the_end(version: str) -> None:
    async with running(**LIVE) as server:
        assert CURL is not None
        curl = await asyncio.create_subprocess_exec(
            CURL, "-sSN", "--noproxy", "*", version, f"{server.url}/stream?symbols=*",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert curl.stdout is not None
        follower = Follower()
        async with asyncio.timeout(TIMEOUT_S):
            while follower.events < 20:
                follower.feed([orjson.loads(await curl.stdout.readline())])
        await server.stop()
        async with asyncio.timeout(TIMEOUT_S):
            rest, _ = await curl.communicate()
        follower.feed([orjson.loads(line) for line in rest.splitlines()])
        assert curl.returncode == 0, "the response was whole"


# A proxy.


class Proxy:
    """Passes requests on and their answers back as they come, as a reverse proxy does that doesn't buffer."""

    def __init__(self, target: str, http: aiohttp.ClientSession) -> None:
        self.target, self.http = target, http

    async def handle(self, request: web.Request) -> web.StreamResponse:
        url = self.target + request.rel_url.raw_path_qs
        headers = {k: v for k, v in request.headers.items() if k.lower() != "host"}
        async with self.http.get(url, headers=headers) as answer:
            response = web.StreamResponse(status=answer.status)
            for name in ("Content-Type", "Cache-Control", "X-Accel-Buffering"):
                response.headers[name] = answer.headers[name]
            await response.prepare(request)
            async for data in answer.content.iter_any():
                await response.write(data)
        return response


@asynccontextmanager
async def proxy(server: FeedServer) -> AsyncIterator[str]:
    app = web.Application()
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        app.router.add_get("/{path}", Proxy(server.url, http).handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await clean_up(runner)


async def test_through_a_proxy_it_is_the_same_and_ends_when_the_client_goes() -> None:
    async with running(**LIVE) as server, proxy(server) as url, aiohttp.ClientSession() as http:
        follower, parser = Follower(), SseParser()
        for _ in range(2):
            target = f"{url}/sse?{ALL}&last_event_id={parser.last_event_id}"
            async with http.get(target, headers={"Accept-Encoding": "gzip"}) as answer:
                assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
                assert answer.headers["X-Accel-Buffering"] == "no"
                assert "Content-Encoding" not in answer.headers
                events = 0
                fresh = SseParser()
                async for data in answer.content.iter_any():
                    for message in fresh.feed(data):
                        follower.feed(message.objects)
                        events += 1
                    if events > 15:
                        break
                parser = fresh
            await eventually(lambda: not server.plant.streams.open, "the proxy hangs up")
        assert follower.events > 10


# A browser.

PAGE = """
(url) => {
  window.got = []; window.ids = []; window.states = [];
  window.source = new EventSource(url);
  source.onmessage = (e) => { got.push(...JSON.parse(e.data)); ids.push(e.lastEventId); };
  source.onerror = () => { states.push(source.readyState); };
}
"""


@asynccontextmanager
async def browsing(server: FeedServer) -> AsyncIterator[Page]:
    """A page of the server's own origin, in Chromium."""
    if not CHROMIUM.exists():
        reason = f"there is no Chromium at {CHROMIUM}; set CHROMIUM to where it is"
        if "browser" in os.environ.get("TICKERPLANT_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            page = await browser.new_page()
            page.set_default_timeout(TIMEOUT_S * 1000)
            await page.goto(f"{server.url}/health")
            yield page
        finally:
            await browser.close()


@pytest.mark.browser
async def test_a_browser_comes_back_by_itself_and_has_missed_nothing() -> None:
    async with running(**LIVE) as server, browsing(server) as page:
        await page.evaluate(PAGE, f"/sse?{ALL}")
        for connections in (1, 2, 3):
            await page.wait_for_function(
                "n => got.filter(o => o.type === 'subscribed' && !o.more).length === n"
                " && got.length > 150 * n",
                arg=connections,
            )
            if connections < 3:
                await cut(server)
        got = await page.evaluate("source.close(), got")
        states = await page.evaluate("states")
        await eventually(lambda: not server.plant.streams.open, "closing is noticed")
    assert states == [0, 0], "it was connecting again, and never gave up"
    snapshots = [n for n, item in enumerate(got) if item["type"] == "snapshot"]
    hellos = [n for n, item in enumerate(got) if item["type"] == "hello"]
    assert len(hellos) == 3
    assert max(snapshots) < hellos[1], "who resumes needs none"
    assert not any(item["type"] == "gap" for item in got)
    follower = Follower()
    follower.feed(got)
    assert follower.merged == 0


@pytest.mark.browser
async def test_a_browser_gives_up_on_what_is_wrong() -> None:
    """An error status is for ever; a network failure isn't."""
    async with running() as server, browsing(server) as page:
        await page.evaluate(PAGE, "/sse?symbols=NONE")
        await page.wait_for_function("states.length > 0")
        assert await page.evaluate("states") == [2]
