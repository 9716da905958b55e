"""uWebSockets through socketify, as both recommend: subscribe to topics, `app.publish(topic)`."""

import asyncio
import json
from pathlib import Path

from socketify import App, OpCode, WebSocket

from bench.peers.common import BACKLOG_BYTES, Schedule, announce, arguments

EVERYTHING = "*"


class Publisher:
    """Publishes turn after turn once all clients have subscribed."""

    def __init__(self, app: App, load: Path, rate: float) -> None:
        found = json.loads(load.read_text())
        self._app, self._rate = app, rate
        self._texts = [event["text"] for event in found["turn"]]
        self._missing: int = found["clients"]
        self._turn = [(event["symbol"].encode(), event["text"].encode()) for event in found["turn"]]

    def on_message(self, ws: WebSocket, message: str, _opcode: OpCode) -> None:
        """Subscribe the client to its topics: its symbols, or the one topic "*"."""
        symbols = json.loads(message)["symbols"]
        for topic in symbols:
            ws.subscribe(topic)
        self._missing -= 1
        if not self._missing:
            publish = self.publish_at_rate if self._rate else self.publish
            self._app.run_async(publish(everything=symbols == EVERYTHING))

    async def publish(self, *, everything: bool) -> None:
        """Publish for ever; each pass of the loop flushes what uWebSockets has gathered."""
        publish, text_frame = self._app.publish, OpCode.TEXT
        turn = [(EVERYTHING.encode() if everything else topic, text) for topic, text in self._turn]
        while True:
            for topic, text in turn:
                publish(topic, text, text_frame)
            await asyncio.sleep(0)

    async def publish_at_rate(self, *, everything: bool) -> None:
        """Publish each event when it is due, looked at a thousand times a second."""
        publish, text_frame = self._app.publish, OpCode.TEXT
        topics = [EVERYTHING.encode() if everything else topic for topic, _ in self._turn]
        schedule = Schedule(self._texts, self._rate)
        while True:
            for number, text in schedule.due():
                publish(topics[number], text, text_frame)
            await asyncio.sleep(0.001)


def main() -> None:
    """Serve; uWebSockets itself skips a client that has more than the limit outstanding."""
    app = App()
    options = arguments()
    publisher = Publisher(app, options.load, options.rate)
    behavior = {
        "max_backpressure": BACKLOG_BYTES,
        "idle_timeout": 600,  # the load client sends nothing after its subscription
        "message": publisher.on_message,
    }
    app.ws("/ws", behavior)
    app.listen({"host": "127.0.0.1", "port": 0}, lambda config: announce(config.port))
    app.run()


if __name__ == "__main__":
    main()
