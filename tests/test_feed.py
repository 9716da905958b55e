"""What all connections share: the greeting, finding symbols, snapshots."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from feeds.dialects.native import NativeEncoder
from feeds.engine.feed import ALWAYS, Feed, instrument_object
from feeds.errors import Code, RequestError
from feeds.fanout.hub import Hub
from ticker import __version__
from ticker.batch import BARS, CHANNELS, QUOTES, TRADES
from ticker.market import Market
from ticker.universe import Universe


def feed_of(symbols: str = "AAPL,AMZN,GOOGL,MSFT,BRK.B,A") -> Feed:
    market = Market(Universe.parse(symbols), seed=7, rate=50.0)
    encoder = NativeEncoder(market.universe)
    hub = Hub(len(market.universe), CHANNELS, encoder)
    return Feed(market, encoder, hub, market.epoch, 5000)


def test_the_greeting_is_the_documented_object() -> None:
    feed = replace(feed_of(), epoch="9f3c2a7be01d4c55")
    assert feed.hello() == (
        b'[{"type":"hello","protocol":1,"server":"tickerplant/'
        + __version__.encode()
        + b'","epoch":"9f3c2a7be01d4c55","seed":7,"synthetic":true,"symbols":6,'
        b'"channels":["trades","quotes","bars","status","depth"],'
        b'"intervals":["1s","1m","5m","1h","1d"],"depth_levels":20,"heartbeat_ms":5000,"auth":false}]'
    )


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["MSFT"], ["MSFT"]),
        (["MSFT", "AAPL"], ["MSFT", "AAPL"]),
        (["MSFT", "MSFT"], ["MSFT"]),
        (["*"], ["AAPL", "AMZN", "GOOGL", "MSFT", "BRK.B", "A"]),
        (["A*"], ["AAPL", "AMZN", "A"]),
        (["A?*"], ["AAPL", "AMZN"]),
        (["????"], ["AAPL", "AMZN", "MSFT"]),
        (["*.B"], ["BRK.B"]),
        (["GOOGL", "*"], ["GOOGL", "AAPL", "AMZN", "MSFT", "BRK.B", "A"]),
        (["A*", "AAPL", "MSFT"], ["AAPL", "AMZN", "A", "MSFT"]),
        ([], []),
    ],
)
def test_symbols_and_patterns_are_found_each_once_in_the_order_asked_for(
    names: list[str], found: list[str]
) -> None:
    feed = feed_of()
    assert [feed.market.universe.symbols[i] for i in feed.resolve(names)] == found


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("APPL", "unknown symbol 'APPL'; did you mean 'AAPL'?"),
        ("aapl", "unknown symbol 'aapl'; did you mean 'AAPL'?"),
        ("MSTF", "unknown symbol 'MSTF'; did you mean 'MSFT'?"),
        ("XYZZY", "unknown symbol 'XYZZY'; ask for the list with 'symbols'"),
        ("A.PL", "unknown symbol 'A.PL'; did you mean 'AAPL'?"),
        ("Z*", "the pattern 'Z*' matches no symbol"),
        ("?", None),
        ("??", "the pattern '??' matches no symbol"),
        ("[A]*", "the pattern '[A]*' matches no symbol"),
        ("a*", "the pattern 'a*' matches no symbol"),
        ("☃", "unknown symbol '☃'; ask for the list with 'symbols'"),
        ("it's", "unknown symbol \"it's\"; ask for the list with 'symbols'"),
        ("\n", "unknown symbol '\\n'; ask for the list with 'symbols'"),
        (
            "X" * 100_000,
            "unknown symbol '" + "X" * 37 + "...'; ask for the list with 'symbols'",
        ),
        ("*" * 41 + "Z", "the pattern '" + "*" * 37 + "...' matches no symbol"),
    ],
)
def test_an_unknown_symbol_is_named_and_the_nearest_one_suggested(
    name: str, message: str | None
) -> None:
    feed = feed_of()
    if message is None:
        assert feed.resolve([name]) == [5]
        return
    with pytest.raises(RequestError) as error:
        feed.resolve(["AAPL", name], "req")
    assert (error.value.code, error.value.message, error.value.request_id) == (
        Code.UNKNOWN_SYMBOL,
        message,
        "req",
    )


def test_a_snapshot_tells_where_every_channel_is() -> None:
    """That of the market at this moment: trades, quotes and status always, bars of the intervals asked for."""
    feed = feed_of()
    feed.market.step(feed.market.now_us + 3_000_000)
    seq = feed.market.sequences()
    texts = feed.snapshots([3, 0], (BARS, TRADES))
    snapshots = [orjson.loads(text) for text in texts]
    assert [s["symbol"] for s in snapshots] == ["MSFT", "AAPL"]
    assert snapshots[0]["seq"] == {
        "trades": seq[TRADES, 3],
        "quotes": seq[QUOTES, 3],
        "status": 0,
        "bars:1s": seq[BARS, 3],
    }
    assert all("id" not in s for s in snapshots)
    (with_id,) = feed.snapshots([1], (), 0)
    assert orjson.loads(with_id)["id"] == 0
    assert list(orjson.loads(with_id)["seq"]) == ["trades", "quotes", "status"]


def test_every_snapshot_tells_the_same_channels_first() -> None:
    assert [c for c in ALWAYS if c >= BARS] == []


def test_an_instrument_is_the_documented_object() -> None:
    (apple,) = Universe.parse("AAPL")
    assert orjson.dumps(instrument_object(apple)) == (
        b'{"symbol":"AAPL","name":"Apple Inc.","sector":"Technology","tick_size":0.01,"round_lot":100,'
        b'"exchange":"Q","tape":"C"}'
    )
