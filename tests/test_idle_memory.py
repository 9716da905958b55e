"""What an idle connection costs `tickerplant serve`, in a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest
from terminal import COMMAND, environment

CONNECTIONS = 800
WARM = 64
MOST_KB = 16.0
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # the example of RFC 6455


def _connect(port: int, count: int) -> list[socket.socket]:
    """Open so many WebSockets, a few at a time, and give them when each has its first message."""
    request = (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port), timeout=30)
        clients.append(client)
        client.sendall(request.encode())
        got = b""
        while b'"hello"' not in got:
            more = client.recv(4096)
            assert more, got
            got += more
    return clients


def _memory_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no memory figure")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.timeout(120)
def test_an_idle_connection_costs_at_most_16_kb(loop: str) -> None:
    words = ["--port", "0", "--ready-json", "--heartbeat-s", "3600", "--rate", "0", "--loop", loop]
    clients: list[socket.socket] = []
    with subprocess.Popen(
        [*COMMAND, "serve", *words],
        stdout=subprocess.PIPE,
        env=environment("COVERAGE_"),  # it costs
    ) as server:
        try:
            assert server.stdout is not None
            port = json.loads(server.stdout.readline())["port"]
            clients += _connect(port, WARM)  # what is loaded once, is loaded now
            before = _memory_kb(server.pid)
            clients += _connect(port, CONNECTIONS)
            each = (_memory_kb(server.pid) - before) / CONNECTIONS
        finally:
            server.kill()
            for client in clients:
                client.close()
    assert 0 < each <= MOST_KB
