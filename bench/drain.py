"""The load client's inner loop where there is no C compiler: the output of drain.c, slower."""

import json
import resource
import select
import socket
import sys
import time

__all__ = ["main"]

_CHUNK = 128 * 1024
_KEPT = 2


class _Client:
    def __init__(self, fd: int) -> None:
        self.sock = socket.socket(fileno=fd)
        self.tail = bytes(_KEPT)
        self.reset()

    def reset(self) -> None:
        self.events = self.bytes = self.reads = 0

    def take(self, buffer: bytearray, marker: bytes) -> bool:
        """Read once; return False when the connection is gone."""
        try:
            size = self.sock.recv_into(memoryview(buffer)[_KEPT:], _CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        buffer[:_KEPT] = self.tail
        self.events += buffer.count(marker, 0, _KEPT + size)
        self.tail = bytes(buffer[size : size + _KEPT])
        self.bytes += size
        self.reads += 1
        return size > 0


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _drain(clients: dict[int, _Client], poll: select.epoll, marker: bytes, until: float) -> int:
    """Serve all sockets until the deadline; return how many connections ended."""
    buffer = bytearray(_KEPT + _CHUNK)
    gone = 0
    while (left := until - time.monotonic()) > 0:
        for fd, _ in poll.poll(left):
            if not clients[fd].take(buffer, marker):
                poll.unregister(fd)
                gone += 1
    return gone


def main(argv: list[str]) -> None:
    """Drain the inherited sockets: WARM_UP_SECONDS SECONDS MARKER FD..."""
    warm_up, seconds, marker = float(argv[0]), float(argv[1]), argv[2].encode()
    clients = {int(fd): _Client(int(fd)) for fd in argv[3:]}
    poll = select.epoll()
    for fd in clients:
        poll.register(fd, select.EPOLLIN)
    gone = _drain(clients, poll, marker, time.monotonic() + warm_up)
    for client in clients.values():
        client.reset()
    print('{"event":"start"}', flush=True)
    start, cpu = time.monotonic(), _cpu_seconds()
    gone += _drain(clients, poll, marker, start + seconds)
    events = [client.events for client in clients.values()]
    result = {
        "event": "end",
        "clients": len(clients),
        "gone": gone,
        "events": sum(events),
        "bytes": sum(client.bytes for client in clients.values()),
        "reads": sum(client.reads for client in clients.values()),
        "wall": time.monotonic() - start,
        "cpu": _cpu_seconds() - cpu,
        "least": min(events),
        "most": max(events),
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
