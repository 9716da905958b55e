"""The smallest useful client: connect, subscribe, print trades.

python minimal.py [URL [HOW_MANY_TRADES]]
"""

import asyncio
import signal
import sys

import aiohttp


async def main(url: str = "ws://127.0.0.1:8765/ws", count: str = "inf") -> None:
    """Print trades of two symbols, *count* of them or until the server closes."""
    left = float(count)
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as feed:
        await feed.send_json({"action": "subscribe", "symbols": ["AAPL", "MSFT"]})
        async for message in feed:
            for event in message.json():  # every message is an array of events
                if event["type"] == "trade" and left > 0:
                    print(f"{event['symbol']:<5} {event['price']:.2f} x {event['size']}")
                    left -= 1
            if left <= 0:
                break


if __name__ == "__main__":
    for name in {"SIGPIPE", "SIGINT"} & set(dir(signal)):  # end quietly after `| head` and Ctrl-C
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    asyncio.run(main(*sys.argv[1:]))
