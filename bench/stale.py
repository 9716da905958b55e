"""How much of what a client reads first after a pause is from before: with TCP_NOTSENT_LOWAT, and without."""

import re
import socket
import time
from contextlib import ExitStack

from bench.clients import NATIVE, open_all
from bench.process import Cores
from bench.watched import SPARE_S, serve_slow

__all__ = ["stale"]

_TIME = re.compile(rb'"time":([0-9.]+),')
_KEPT = 32
_SETTINGS = (("with", True), ("without", False))


def stale(cores: Cores, rate: float, stall_s: float) -> dict[str, dict[str, float]]:
    """Let a client of each of two servers read nothing for a while, both at once, and give what it read then."""
    found = {}
    with ExitStack() as open_ones:
        ports, clients = {}, {}
        for name, lowat in _SETTINGS:
            server = serve_slow(cores, rate, 2 * stall_s + SPARE_S, lowat=lowat)
            open_ones.enter_context(server)
            ports[name] = int(server.read_json(SPARE_S)["port"])
        for name, port in ports.items():
            (client,) = open_all(port, NATIVE, ["*"], receive_buffer=4096)
            clients[name] = open_ones.enter_context(client)
            client.settimeout(SPARE_S)
            client.recv(1 << 16)
        time.sleep(stall_s)
        for name, client in clients.items():
            resumed = time.time() * 1e3
            size, first = _read_until_fresh(client, resumed)
            age_s = (resumed - first) / 1e3
            found[name] = {"stall_s": stall_s, "kb": size / 1024, "age_s": age_s}
    return found


def _read_until_fresh(client: socket.socket, resumed: float) -> tuple[int, float]:
    """Read up to the first event that is at most a second older than the moment of going on."""
    data = b""
    dropped = 0
    first = resumed
    while True:
        data += client.recv(1 << 20)
        for found in _TIME.finditer(data):
            first = min(first, float(found[1]))
            if float(found[1]) > resumed - 1_000:
                return dropped + found.start(), first
        kept = min(len(data), _KEPT)  # a time that the end of a read cuts in two
        dropped += len(data) - kept
        data = data[len(data) - kept :]
