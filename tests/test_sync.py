"""The client behind plain functions."""

import signal
import threading
from typing import Any

import pytest
from fake_feed import TIME, UNIVERSE, FakeFeed, Peer, feed_in_thread, plays, trade

from clients.core.backoff import Backoff
from clients.events import Connected, Snapshot, Trade
from clients.failures import ClosedError, ConnectError, ConnectionLostError, RequestError
from clients.sync import SyncTickerClient


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("feed ")}


def press_ctrl_c() -> None:
    """Signal the main thread, which is what a terminal's Ctrl-C amounts to."""
    ident = threading.main_thread().ident
    assert ident is not None
    signal.pthread_kill(ident, signal.SIGINT)


def client(feed: FakeFeed, **options: Any) -> SyncTickerClient:
    return SyncTickerClient(feed.url, **options)


def test_events_come_in_a_plain_loop_and_leaving_it_closes_everything() -> None:
    """No thread is left behind."""
    script = plays([trade("AAPL", 1)], [trade("AAPL", 2)])
    with feed_in_thread(script) as feed:
        with client(feed, symbols=["AAPL"]) as c:
            events = []
            for event in c:
                events.append(event)
                if isinstance(event, Trade) and event.seq == 2:
                    break
            assert c.hello is not None
            assert c.reconnects == 0
            assert threads() == {f"feed {feed.url}"}
        assert threads() == set()
    assert list(map(type, events)) == [Connected, Snapshot, Trade, Trade]


def test_requests_are_plain_calls() -> None:
    """With the results and errors of the asynchronous client."""

    async def script(peer: Peer) -> None:
        await peer.hello()
        request = await peer.request("subscribe")
        error = {"type": "error", "id": request["id"], "code": "unknown_symbol"}
        await peer.send(error | {"message": "unknown symbol 'X'"})
        await peer.serve()

    with feed_in_thread(script) as feed, client(feed) as c:
        with pytest.raises(RequestError, match="unknown symbol 'X'"):
            c.subscribe("X")
        assert c.subscribe("A*", channels=["quotes"]) == ("AAPL", "AMZN")
        assert c.unsubscribe("AAPL") == ("AAPL",)
        assert c.ping() == TIME
        assert [state.symbol for state in c.snapshot("MSFT")] == ["MSFT"]
        assert [entry.symbol for entry in c.symbols()] == list(UNIVERSE)


def test_an_error_of_the_connection_is_raised_in_the_loop() -> None:
    """After the events before it."""

    async def expels(peer: Peer) -> None:
        await peer.hello()
        await peer.grant(trade("AAPL", 1))
        await peer.close(1008, "too many errors")

    with feed_in_thread(expels) as feed, client(feed, symbols=["AAPL"]) as c:
        events = iter(c)
        assert [type(next(events)) for _ in range(3)] == [Connected, Snapshot, Trade]
        with pytest.raises(ClosedError, match="1008"):
            next(events)


def test_a_server_that_cannot_be_reached_is_an_error_and_leaves_no_thread() -> None:
    """Entering raises what the asynchronous client raises."""
    with feed_in_thread(None) as feed, pytest.raises(ConnectError, match="503"):
        client(feed).__enter__()
    assert threads() == set()


def test_after_closing_there_is_nothing_more() -> None:
    """Iteration stops, requests raise, closing again does nothing, what was taken remains."""
    script = plays([trade("AAPL", 1), trade("AAPL", 2)])
    with feed_in_thread(script) as feed, client(feed, symbols=["AAPL"]) as c:
        while not isinstance(event := next(c), Trade):
            pass
        c.close()
        assert [event, *c] == [Trade("AAPL", seq, TIME, 187.43, 100) for seq in (1, 2)]
        with pytest.raises(ConnectionLostError, match="the client is closed"):
            c.ping()
        c.close()


def test_ctrl_c_while_waiting_for_an_event_leaves_cleanly() -> None:
    """KeyboardInterrupt comes out of the loop, and the connection is closed."""

    async def interrupts(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        await peer.answer(await peer.request("ping"))
        press_ctrl_c()
        await peer.serve()

    with feed_in_thread(interrupts) as feed:

        def loop() -> None:
            with client(feed, symbols=["AAPL"]) as c:
                c.ping()
                for _ in c:
                    pass

        with pytest.raises(KeyboardInterrupt):
            loop()
        assert threads() == set()


def test_ctrl_c_while_connecting_leaves_cleanly() -> None:
    """There is no connection to close yet."""

    async def interrupts(peer: Peer) -> None:
        press_ctrl_c()
        await peer.request()

    with feed_in_thread(interrupts) as feed:
        with pytest.raises(KeyboardInterrupt):
            client(feed).__enter__()
        assert threads() == set()


def test_closing_before_the_thread_has_begun_ends_it() -> None:
    """Ctrl-C may come at any time, also while the thread is being started."""
    c = SyncTickerClient("ws://127.0.0.1:1/ws")
    c.close()
    c._thread.start()
    c._thread.join()
    assert c._task is not None, "it began, and saw that nothing is wanted of it"
    c.close()


def test_the_connection_is_kept_up_while_the_program_does_something_else() -> None:
    """The thread connects again although nobody reads."""
    again = threading.Event()

    async def breaks(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        peer.abort()

    async def returns(peer: Peer) -> None:
        await peer.hello()
        await peer.grant()
        again.set()
        await peer.serve()

    backoff = Backoff(random=lambda: 0.0)
    with feed_in_thread(breaks, returns) as feed, client(feed, symbols=["AAPL"], backoff=backoff) as c:  # fmt: skip
        assert again.wait(10)
        c.ping()
        assert c.reconnects == 1
