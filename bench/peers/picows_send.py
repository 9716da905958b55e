"""picows as its broadcast example shows it: for each client, `transport.send(TEXT, message)`."""

import asyncio
from pathlib import Path

from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

from bench.peers.common import Audience, announce, at_rate, pause_while, run


class Client(WSListener):
    """One connection; it's held for as long as picows says that writing is paused."""

    def __init__(self, audience: Audience[WSTransport], held: set["Client"]) -> None:
        self._audience = audience
        self._held = held

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take the subscription."""
        if frame.msg_type == WSMsgType.TEXT:
            self._audience.subscribe(transport, frame.get_payload_as_bytes())

    def pause_writing(self) -> None:
        """Hold the next turn: this client's buffer is past its high-water mark."""
        self._held.add(self)

    def resume_writing(self) -> None:
        """Go on."""
        self._held.discard(self)


async def main(load: Path, rate: float) -> None:
    """Serve, wait for the clients, then send turn after turn."""
    audience: Audience[WSTransport] = Audience(load)
    held: set[Client] = set()

    def listener(_request: WSUpgradeRequest) -> Client:
        return Client(audience, held)

    server = await ws_create_server(listener, "127.0.0.1", 0)
    announce(server.sockets[0].getsockname()[1])

    def send(message: bytes, subscribers: list[WSTransport]) -> None:
        for transport in subscribers:
            transport.send(WSMsgType.TEXT, message)

    await audience.ready.wait()
    if rate:
        await at_rate(audience, rate, send)
    turn = [(text.encode(), subscribers) for text, subscribers in audience.turn]
    while True:
        await pause_while(lambda: bool(held))
        for message, subscribers in turn:
            send(message, subscribers)
        await asyncio.sleep(0)


if __name__ == "__main__":
    run(main)
