"""Where a server listens, and what it calls that."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

import aiohttp
import pytest
from wire import running

from feeds.admission.listen import everywhere, url_host
from feeds.cli.banner import banner, ready_line


class Bound:
    """What listens on some addresses."""

    def __init__(self, *hosts: str) -> None:
        self.sockets = [self._sock(host) for host in hosts]

    @staticmethod
    def _sock(host: str) -> Any:
        class Sock:
            def getsockname(self) -> tuple[Any, ...]:
                return (host, 8765, 0, 0) if ":" in host else (host, 8765)

        return Sock()


@pytest.mark.parametrize(
    ("asked", "bound", "host", "every"),
    [
        ("127.0.0.1", ["127.0.0.1"], "127.0.0.1", ""),
        ("::1", ["::1"], "[::1]", ""),
        ("localhost", ["127.0.0.1", "::1"], "localhost", ""),
        ("192.0.2.7", ["192.0.2.7"], "192.0.2.7", ""),
        ("0.0.0.0", ["0.0.0.0"], "127.0.0.1", "0.0.0.0"),
        ("::", ["::"], "[::1]", "::"),
        ("", ["0.0.0.0", "::"], "127.0.0.1", "0.0.0.0"),
        ("0.0.0.0", [], "0.0.0.0", ""),
    ],
)
def test_a_url_has_the_host_that_was_asked_for_or_one_that_works(
    asked: str, bound: list[str], host: str, every: str
) -> None:
    server = cast(asyncio.Server, Bound(*bound))
    assert (url_host(asked, server), everywhere(server)) == (host, every)


def test_before_it_listens_it_is_called_what_was_asked_for() -> None:
    assert (url_host("0.0.0.0", None), everywhere(None)) == ("0.0.0.0", "")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
@pytest.mark.asyncio
async def test_the_address_that_is_shown_works(host: str) -> None:
    if host == "::" and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    async with running(host=host) as server, aiohttp.ClientSession() as http:
        async with http.get(f"{server.url}/health") as answer:
            assert answer.status == 200
        async with http.ws_connect(server.ws_url) as ws:
            assert (await ws.receive_json())[0]["type"] == "hello"
        assert server.url in ready_line(server)
        assert f"page       {server.url}/\n" in banner(server).replace(
            "(not installed)", f"{server.url}/"
        )
        assert f"on all addresses of this machine ({server.everywhere})\n" in banner(server)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.asyncio
async def test_one_address_is_nothing_to_talk_about() -> None:
    async with running(host="127.0.0.1") as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert "all addresses" not in banner(server)


@pytest.mark.asyncio
async def test_any_free_port_is_the_same_one_on_all_addresses_of_a_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As ``localhost`` is where there is IPv6, too."""
    resolve = socket.getaddrinfo

    def two(host: Any, port: Any, *args: Any, **terms: Any) -> Any:
        hosts = ["127.0.0.1", "127.0.0.2"] if host == "localhost" else [host]
        return [found for one in hosts for found in resolve(one, port, *args, **terms)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    async with running(host="localhost", port=0) as server:
        for host in ("127.0.0.1", "127.0.0.2"):
            _, writer = await asyncio.open_connection(host, server.port)
            writer.close()
            await writer.wait_closed()
