"""aiohttp as its documentation shows it: for each client, `await ws.send_str(text)`."""

import asyncio
from pathlib import Path

from aiohttp import WSMsgType, web

from bench.peers.common import Audience, announce, at_rate, run


async def main(load: Path, rate: float) -> None:
    """Serve, wait for the clients, then send turn after turn."""
    audience: Audience[web.WebSocketResponse] = Audience(load)

    async def handler(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                audience.subscribe(ws, message.data)
        return ws

    app = web.Application()
    app.router.add_get("/ws", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    announce(runner.addresses[0][1])

    async def send(text: str, subscribers: list[web.WebSocketResponse]) -> None:
        for ws in subscribers:
            # Backpressure is send_str's own: it waits for a client whose buffer is full.
            await ws.send_str(text)

    await audience.ready.wait()
    if rate:
        await at_rate(audience, rate, lambda text, clients: send(text.decode(), clients))
    while True:
        for text, subscribers in audience.turn:
            await send(text, subscribers)
        await asyncio.sleep(0)


if __name__ == "__main__":
    run(main)
