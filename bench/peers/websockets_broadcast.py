"""websockets as its documentation recommends: `broadcast(connections, message)`."""

import asyncio
from pathlib import Path

from websockets.asyncio.server import ServerConnection, broadcast, serve

from bench.peers.common import BACKLOG_BYTES, Audience, announce, at_rate, pause_while, run


async def main(load: Path, rate: float) -> None:
    """Serve, wait for the clients, then broadcast turn after turn."""
    audience: Audience[ServerConnection] = Audience(load)

    async def handler(connection: ServerConnection) -> None:
        async for message in connection:
            audience.subscribe(connection, message)

    def behind() -> bool:
        # broadcast() has no backpressure; the documentation leaves that to the caller.
        return any(
            connection.transport.get_write_buffer_size() > BACKLOG_BYTES
            for connection in audience.clients
        )

    # The load client answers no pings.
    async with serve(handler, "127.0.0.1", 0, ping_interval=None) as server:
        announce(server.sockets[0].getsockname()[1])
        await audience.ready.wait()
        if rate:
            await at_rate(audience, rate, lambda text, to: broadcast(to, text.decode()))
        check_every = audience.check_every
        while True:
            await pause_while(behind)
            for _ in range(check_every):
                for text, subscribers in audience.turn:
                    broadcast(subscribers, text)
                await asyncio.sleep(0)


if __name__ == "__main__":
    run(main)
