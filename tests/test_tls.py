"""TLS: real clients that verify the certificate, options that don't fit, and keys that nobody else can read."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import websockets
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from terminal import COMMAND, environment, process
from wire import TIMEOUT_S, Follower, eventually, on_both_loops, running, step, text

from clients.client import TickerClient
from clients.core.connection import trust
from clients.failures import ConnectError, TickerError
from feeds.admission import tls
from feeds.admission.limits import Limits
from feeds.admission.tls import load_tls, make_self_signed
from feeds.config import FeedConfig
from feeds.errors import ConfigError
from feeds.server import FeedServer
from feeds.wire.backlog import BacklogPolicy, Eviction
from feeds.wire.transport import SocketTransport, buffered

S = 1_000_000


def pair(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate and its key."""
    certificate, secret, password = tls._issue(["localhost", "127.0.0.1", "::1"])
    key = load_pem_private_key(secret, password)
    cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    cert_file.write_bytes(certificate)
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / f"{name}.locked").write_bytes(secret)
    return cert_file, key_file


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `a.pem`, `a.key`, `a.locked` (the key with a password), `b.pem` and `b.key`."""
    folder = tmp_path_factory.mktemp("tls")
    pair(folder, "a")
    pair(folder, "b")
    return folder


@pytest.fixture
def options(files: Path) -> dict[str, Any]:
    return {"tls_cert": files / "a.pem", "tls_key": files / "a.key"}


def trusting(server: FeedServer) -> ssl.SSLContext:
    """Trust the certificate that a server made, and no other."""
    assert server.tls is not None
    return ssl.create_default_context(cadata=server.tls.certificate)


# Real clients.


@pytest.mark.asyncio
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_clients_that_verify_the_certificate_are_served(
    host: str, options: dict[str, Any]
) -> None:
    context = ssl.create_default_context(cafile=options["tls_cert"])
    async with running(host=host, **options, rate=100) as server:
        assert server.url == f"https://{host}:{server.port}"
        assert server.ws_url == f"wss://{host}:{server.port}/ws"
        async with (
            aiohttp.ClientSession() as http,
            http.get(server.url + "/health", ssl=context) as answer,
        ):
            health = await answer.json()
            assert (health["url"], health["ws"]) == (server.url, server.ws_url)
        async with websockets.connect(server.ws_url, ssl=context) as ws:
            await ws.recv()
            await ws.send(text(action="subscribe", symbols="*"), text=True)
            follower = Follower()
            follower.feed(json.loads(await ws.recv()))
            await step(server, S)
            while not follower.events:
                follower.feed(json.loads(await ws.recv()))


@on_both_loops
async def test_a_certificate_is_made_and_can_be_trusted() -> None:
    async with (
        running(tls_self_signed=True, rate=100) as server,
        TickerClient(server.ws_url, ssl=trusting(server), symbols=["*"]) as client,
    ):
        await step(server, S)
        events = 0
        while events < 100:
            events += len(await client.batch())
        assert server.tls is not None
        assert server.tls.certificate is not None
        assert server.tls.fingerprint is not None
        fetched = await asyncio.to_thread(
            ssl.get_server_certificate, ("127.0.0.1", server.port), timeout=TIMEOUT_S
        )
        assert fetched.split() == server.tls.certificate.split(), "as the documents say to get it"
        assert len(server.tls.fingerprint) == 32 * 3 - 1


@pytest.mark.asyncio
async def test_nobody_trusts_it_unasked() -> None:
    async with running(tls_self_signed=True) as server:
        with pytest.raises(ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            async with TickerClient(server.ws_url):
                pass
        async with TickerClient(server.ws_url, ssl=False) as client:
            await client.ping()


@pytest.mark.asyncio
async def test_it_is_for_this_machine_only() -> None:
    async with running(tls_self_signed=True) as server:
        with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
            await asyncio.open_connection(
                "127.0.0.1", server.port, ssl=trusting(server), server_hostname="evil.example"
            )


@pytest.mark.asyncio
async def test_a_client_without_tls_is_turned_away_and_another_served() -> None:
    async with running(tls_self_signed=True) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        data = b""
        with suppress(ConnectionError):
            data = await reader.read()
        assert b"HTTP" not in data
        writer.close()
        async with TickerClient(server.ws_url, ssl=trusting(server)) as client:
            await client.ping()


@on_both_loops
async def test_who_never_greets_is_cut_off() -> None:
    async with running(tls_self_signed=True, limits=Limits(handshake_s=0.2)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.timeout(TIMEOUT_S):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()


# Slow consumers.


STREAM = {"action": "subscribe", "symbols": "*", "channels": ["trades", "quotes"]}
FAST: dict[str, Any] = {"clock": "x10", "rate": 100, "symbols": "20", "tls_self_signed": True}


async def connected(server: FeedServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a WebSocket by hand, with a small receive buffer; read its hello."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", server.port))
    reader, writer = await asyncio.open_connection(
        sock=sock, ssl=trusting(server), server_hostname="localhost", limit=2**14
    )
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def request(**fields: Any) -> bytes:
    payload = text(**fields)
    assert len(payload) < 126
    return bytes([0x81, 0x80 | len(payload)]) + b"\0\0\0\0" + payload


async def messages(reader: asyncio.StreamReader) -> Any:
    """Read the next message."""
    _, size = await reader.readexactly(2)
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2), "big")
    elif size == 127:
        size = int.from_bytes(await reader.readexactly(8), "big")
    return json.loads(await reader.readexactly(size))


@on_both_loops
async def test_who_pauses_is_conflated_and_told_so() -> None:
    async with running(**FAST) as server:
        reader, writer = await connected(server)
        writer.write(request(**STREAM))
        await eventually(
            lambda: server.plant.hub.slow.laggards, "it is conflated, as it reads nothing"
        )
        follower = Follower()
        async with asyncio.timeout(TIMEOUT_S):
            while not follower.merged:
                follower.feed(await messages(reader))
        assert server.plant.hub.stats.evicted == dict.fromkeys(Eviction, 0)
        writer.transport.abort()


@on_both_loops
async def test_who_never_reads_is_evicted() -> None:
    policy = BacklogPolicy(soft_limit=64_000, no_progress_s=0.3)
    async with running(**FAST, backlog=policy) as server:
        _, writer = await connected(server)
        writer.write(request(**STREAM))
        await eventually(
            lambda: server.plant.hub.stats.evicted[Eviction.NO_PROGRESS] == 1, "an eviction"
        )
        await eventually(lambda: not server.plant.websockets.open, "it is gone")
        writer.transport.abort()


@on_both_loops
async def test_a_connection_that_is_closed_twice_is_no_ones_error() -> None:
    """Then asyncio's transports can't be asked any more what they hold; who is over meanwhile is in the hub for a while."""
    async with running(**FAST) as server:
        _, writer = await connected(server)
        writer.write(request(**STREAM))
        await eventually(lambda: server.plant.hub.deliveries() > 100, "events")
        (line,) = server.plant.websockets.open.values()
        assert isinstance(line, SocketTransport)
        for _ in range(2):
            line._transport.close()
        assert line.unread() == buffered(line._transport) == 0
        turns = server.plant.pump.turns
        await eventually(lambda: server.plant.pump.turns > turns + 5, "the market goes on")
        writer.transport.abort()
        await eventually(lambda: not server.plant.websockets.open, "it is gone")


# Options that don't fit, and files that can't be used.


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tls_cert": "a.pem"}, "tls-cert needs tls-key as well: a certificate and its key"),
        ({"tls_key": "a.key"}, "tls-key needs tls-cert as well: a certificate and its key"),
        (
            {"tls_cert": "a.pem", "tls_key": "a.key", "tls_self_signed": True},
            "tls-self-signed and tls-cert exclude each other: choose one",
        ),
    ],
)
def test_options_that_dont_fit_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        FeedConfig(**given)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("cert", "key", "message"),
    [
        ("none.pem", "a.key", "tls-cert: can't read '{}/none.pem': No such file or directory"),
        ("a.pem", "none.key", "tls-key: can't read '{}/none.key': No such file or directory"),
        ("", "a.key", "tls-cert: can't read '{}': Is a directory"),
        ("text", "a.key", "tls-cert: '{}/text' is no PEM file"),
        ("a.pem", "text", "tls-key: '{}/text' is no PEM file"),
        (
            "a.pem",
            "b.key",
            "tls-cert and tls-key: the key in '{0}/b.key' isn't that of the certificate in '{0}/a.pem'",
        ),
        ("a.pem", "a.locked", "tls-key: the key is encrypted; give it without a password"),
        ("a.pem", "a.pem", "tls-cert and tls-key: '{0}/a.pem' and '{0}/a.pem' can't be used: "),
        ("a.key", "a.key", "tls-cert and tls-key: '{0}/a.key' and '{0}/a.key' can't be used: "),
        ("cut.pem", "a.key", "tls-cert and tls-key: '{0}/cut.pem' and '{0}/a.key' can't be used: "),
    ],
)
def test_files_that_cant_be_used_are_refused(
    cert: str, key: str, message: str, files: Path
) -> None:
    (files / "text").write_text("hello")
    (files / "cut.pem").write_text((files / "a.pem").read_text()[:200])
    with pytest.raises(ConfigError) as error:
        load_tls(files / cert, files / key)
    expected = message.format(files)
    if expected.endswith(": "):
        assert str(error.value).startswith(expected)
    else:
        assert str(error.value) == expected
    assert "\n" not in str(error.value)


def test_without_the_package_a_certificate_cant_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ConfigError, match=r"pip install 'tickerplant\[tls\]'"):
        make_self_signed("127.0.0.1")


def test_the_key_is_nobody_elses_and_gone_afterwards(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[tuple[int, int, bytes]] = []
    load = ssl.SSLContext.load_cert_chain

    def note(self: ssl.SSLContext, file: Path, *args: Any, **options: Any) -> None:
        modes = (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777)
        seen.append((*modes, file.read_bytes()))
        load(self, file, *args, **options)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", note)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old = os.umask(0)
    try:
        make_self_signed("127.0.0.1")
    finally:
        os.umask(old)
    ((mode, folder_mode, data),) = seen
    assert (mode, folder_mode) == (0o600, 0o700)
    assert b"ENCRYPTED PRIVATE KEY" in data
    assert list(tmp_path.iterdir()) == []


# The command line, and the programs.


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--tls-cert", "x.pem"], "tls-cert needs tls-key as well: a certificate and its key"),
        (
            ["--tls-cert", "no.pem", "--tls-key", "no.key"],
            "tls-cert: can't read 'no.pem': No such file or directory",
        ),
    ],
)
def test_bad_options_are_one_line_and_exit_2(args: list[str], message: str) -> None:
    done = subprocess.run(
        [*COMMAND, "serve", "--port", "0", *args],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"tickerplant: {message}\n")


@pytest.fixture(scope="module")
def ready() -> Iterator[dict[str, Any]]:
    """What a server says that was started with TLS and a token."""
    options = ["serve", "--port", "0", "--ready-json", "--tls-self-signed"]
    options += ["--slow-turn-ms", "0"]  # however busy this machine is
    with process(*options, TICKERPLANT_TOKEN="sesame") as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert "sesame" not in line
        yield json.loads(line)
        server.terminate()
        out, errors = server.communicate(timeout=TIMEOUT_S)
        assert (server.returncode, out, errors) == (0, "", "")


def run(command: str, ready: dict[str, Any], *args: str, **variables: str) -> Any:
    return subprocess.run(
        [*COMMAND, command, "--url", ready["ws"], *args],
        capture_output=True,
        text=True,
        env=environment(**variables),
        timeout=TIMEOUT_S,
        check=False,
    )


def test_the_ready_line_has_the_addresses_and_the_certificate(ready: dict[str, Any]) -> None:
    assert ready["url"] == f"https://127.0.0.1:{ready['port']}"
    assert ready["ws"] == f"wss://127.0.0.1:{ready['port']}/ws"
    assert ready["certificate"].startswith("-----BEGIN CERTIFICATE-----\n")


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("watch", ["--count", "3"]),
        ("record", ["--count", "3"]),
        ("load", ["--clients", "3", "--duration", "0.2", "--ramp", "0", "--processes", "2"]),
    ],
)
def test_the_programs_show_the_token_and_trust_the_certificate(
    command: str, args: list[str], ready: dict[str, Any], tmp_path: Path
) -> None:
    cafile = tmp_path / "server.pem"
    cafile.write_text(ready["certificate"])
    trusting = [*args, "--cafile", str(cafile)]
    done = run(command, ready, *trusting, TICKERPLANT_TOKEN="sesame")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 3
    done = run(command, ready, *trusting, "--token", "wrong")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "HTTP status 401: the server wants a token" in done.stderr
    assert "tickerplant serve" not in done.stderr, "it runs, so starting it is no advice"
    done = run(command, ready, *args, "--token", "sesame")
    assert done.returncode == 1
    assert "certificate" in done.stderr.lower()


def test_certificates_that_cant_be_read_are_one_line(ready: dict[str, Any], tmp_path: Path) -> None:
    done = run("watch", ready, "--cafile", str(tmp_path / "none.pem"))
    assert (done.returncode, done.stdout) == (1, "")
    path = tmp_path / "none.pem"
    assert (
        done.stderr == f"error: cannot read certificates from {path}: No such file or directory\n"
    )
    path.write_text("hello")
    with pytest.raises(TickerError, match="cannot read certificates"):
        trust(str(path))
