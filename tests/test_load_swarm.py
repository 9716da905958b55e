"""All connections of one process."""

import asyncio
import resource
from dataclasses import replace

import orjson
import pytest
from fake_feed import FakeFeed, plays, trade

from clients.loadgen.swarm import Plan, Swarm, raise_file_limit

UNIVERSE = tuple(f"S{n}" for n in range(3000))


def plan(url: str = "ws://x/ws", **changes: object) -> Plan:
    defaults = Plan(
        url=url,
        clients=3,
        universe=UNIVERSE,
        symbols_each=20,
        channels=("trades", "quotes"),
        interval=None,
        ramp=0.0,
        seed=1,
        token=None,
        verify=True,
    )
    return replace(defaults, **changes)  # type: ignore[arg-type]


def test_a_client_chooses_by_the_seed_and_its_number() -> None:
    """Twice the same, and different from the next client and from another seed."""
    symbols = plan().symbols(7)
    assert symbols == plan(clients=99, first=50).symbols(7)
    assert len(set(symbols)) == 20
    assert symbols != plan().symbols(8)
    assert symbols != plan(seed=2).symbols(7)


@pytest.mark.parametrize("count", [None, 3000, 4000])
def test_everything_is_asked_for_as_everything(count: int | None) -> None:
    """One entry instead of thousands."""
    assert plan(symbols_each=count).symbols(0) == ["*"]


def test_requests_hold_what_the_plan_says() -> None:
    """Long lists are cut, and no snapshots are wanted."""
    requests = plan(symbols_each=2500, interval="1s").requests(0)
    rest = [orjson.loads(request) for request in requests]
    assert [len(request["symbols"]) for request in rest] == [1000, 1000, 500]
    del rest[0]["symbols"]
    assert rest[0] == {
        "action": "subscribe",
        "channels": ["trades", "quotes"],
        "snapshot": False,
        "interval": "1s",
    }


@pytest.mark.asyncio
async def test_it_connects_counts_and_leaves() -> None:
    """Only what comes while it measures counts."""
    async with FakeFeed(plays([trade("AAPL", 1)])) as feed:
        swarm = Swarm(plan(feed.url, universe=("AAPL", "MSFT"), symbols_each=1))
        await swarm.connect()
        assert swarm.tally.connected == feed.connections == 3
        stop = asyncio.Event()
        stop.set()
        result = await swarm.measure(10.0, stop)
        await swarm.close()
    assert (result.connected, result.traffic.events, result.histogram) == (3, 0, b"")
    assert result.connect_s > 0
    symbols = [request["symbols"] for request in feed.requests]
    assert sorted(symbols) == sorted(swarm.plan.symbols(number) for number in range(3))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ws://127.0.0.1:1/ws", "Connection refused"),
        ("{url}x?y=1", "HTTP status 404"),
    ],
)
async def test_clients_that_fail_are_counted_by_reason(url: str, reason: str) -> None:
    """The others go on."""
    async with FakeFeed(plays()) as feed:
        swarm = Swarm(plan(url.format(url=feed.url)))
        await swarm.connect()
        await swarm.close()
    (found,) = swarm.tally.failures
    assert swarm.tally.failures[found] == 3
    assert reason in found
    assert swarm.tally.connected == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("verify", [True, False])
async def test_a_secure_address_is_spoken_to_securely(verify: bool) -> None:
    """A plain server doesn't understand that."""
    async with FakeFeed(plays()) as feed:
        swarm = Swarm(plan(feed.url.replace("ws:", "wss:"), clients=1, verify=verify))
        await swarm.connect()
    (reason,) = swarm.tally.failures
    assert "SSL" in reason


@pytest.mark.asyncio
async def test_a_connection_that_never_becomes_live_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a time that is long enough for a busy server."""
    monkeypatch.setattr("clients.loadgen.swarm.PATIENCE_S", 0.01)
    async with FakeFeed(lambda peer: peer.request("never")) as feed:
        feed.scripts = (lambda peer: peer.ws.receive(),)
        swarm = Swarm(plan(feed.url, clients=1))
        feed.scripts = (_reads_only,)
        await swarm.connect()
    assert dict(swarm.tally.failures) == {"not live within 0.01 s": 1}


async def _reads_only(peer: object) -> None:
    while True:
        await peer.request()  # type: ignore[attr-defined]


def test_the_limit_of_open_files_is_raised_as_far_as_it_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection is a file; the default of 1,024 is too few for many."""
    limits = [256, 4096]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.__setitem__(0, new[0]))
    assert raise_file_limit(100) == 256
    assert raise_file_limit(1000) == 1000
    assert raise_file_limit(9999) == 4096
    limits[1] = resource.RLIM_INFINITY
    assert raise_file_limit(9999) == 9999


def test_where_files_are_not_limited_nothing_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no module `resource`."""
    monkeypatch.setitem(__import__("sys").modules, "resource", None)
    assert raise_file_limit(5000) == 5000
