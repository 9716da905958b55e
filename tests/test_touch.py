"""The touch: what each trade leaves of the quote, one event after the other, and what happens at the edges."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from markets import SECOND, START, UNIVERSES, run

from ticker.batch import QUOTES, TRADES, TickBatch
from ticker.generator.touch import Points, Touch, remaining
from ticker.instruments import Instrument
from ticker.ladder import Ladders
from ticker.market import Market
from ticker.processes.mix import MOST_FOLLOWED, mix_of
from ticker.script import ScriptedQuote, ScriptedTrade
from ticker.staging.taking import Shown, Taking
from ticker.universe import Universe

NAMES = ("symbol", "channel", "seq", "time", "price", "size", "ask", "ask_size")


def read(market: Market, seconds: int) -> Counter[str]:
    """Go through some seconds, assert that each trade leaves what it must, and count what happened."""
    universe, seen = market.universe, Counter[str]()
    ladders = Ladders(market.seed, universe, cents=market.rules == "us")
    quotes = [tuple(column) for column in market.standing().T.tolist()]
    due: dict[int, tuple[int, list[tuple[int, int]]]] = {}
    batch = run(market, seconds)
    for row in zip(*(getattr(batch, name).tolist() for name in NAMES), strict=True):
        symbol, channel, seq, time, price, size, ask, ask_size = row
        bid, bid_size, best_ask, best_size = quotes[symbol]
        best = [(bid, bid_size), (best_ask, best_size)]
        if channel == QUOTES:
            at, left = due.pop(symbol, (-1, best))
            told = [(price, size), (ask, ask_size)]
            for side, (expected, shares) in enumerate(left if at == time else told):
                if not shares:  # the level behind
                    quote = [np.array([value]) for value in (seq - 1, *quotes[symbol])]
                    expected = int(ladders.at(np.array([symbol]), *quote).price[0, side, 1])
                    expected = expected or max(1, best[side][0] - 1)
                assert told[side][0] == expected
                assert told[side][1] == shares or not shares
            quotes[symbol] = (price, size, ask, ask_size)
        elif channel == TRADES:
            assert symbol not in due
            lot = universe[symbol].round_lot
            what = "block" if size >= 20 * lot else "inside"
            for side, (level, shown) in enumerate(best):
                if price == level and what != "block":
                    assert size <= shown
                    left = (shown - size) // lot * lot
                    what = "left" if left else "gone"
                    best[side] = (level, left) if side or level > 1 else (level, shown)
            seen[what] += 1
            due[symbol] = time, best
    return seen


@pytest.mark.parametrize("which", sorted(UNIVERSES))
@pytest.mark.parametrize("model", ["full", "gbm"])
@pytest.mark.parametrize("rules", ["open", "us"])
def test_each_trade_leaves_what_it_must(which: str, model: str, rules: str) -> None:
    """The rest of the best level, or the level behind it; the other side as it was."""
    universe = Universe(UNIVERSES[which][:4])
    market = Market(universe, seed=21, rate=8, model=model, rules=rules)
    assert market.step(START + SECOND) is not None  # with rules, the auction
    seen = read(market, 60)
    assert min(seen["left"], seen["gone"], seen["inside"]) > 5


def test_a_bid_at_the_lowest_price_never_runs_out() -> None:
    """And one just above it falls to it, however far the next level would be."""
    universe = Universe([Instrument("P", 0.01, tick_size=0.0001, spread=20.0, round_lot=1)])
    lot = np.ones(1, dtype=np.int64)
    for bid in (1, 2):
        quote = np.array([bid]), np.array([9])
        touch = Touch(Ladders(7, universe), lot, *quote, takes=True)
        fresh, symbol = np.array([True, False, False]), np.zeros(3, dtype=np.int64)
        prices, lots = np.array([[bid] * 3, [9] * 3]), np.full((2, 3), 2)
        points = Points(symbol, np.array([0, 3]), fresh, prices, lots)
        draws = np.full(2, 1 << 15, dtype=np.uint16)  # a round lot each
        sold = touch.take(points, touch.standing(points), np.full(2, bid), draws, draws)
        assert sold.tolist() == [1, 1]
        assert prices[0].tolist() == [bid, bid, 1]
        assert lots[0, :2].tolist() == ([2, 2] if bid == 1 else [2, 1])
        assert touch.price.tolist() == [[1], [9]]


def test_a_quote_follows_each_trade_as_long_as_there_are_enough_of_them() -> None:
    """Up to two fifths of trades; beyond, the next quote knows nothing of them, but none is larger than what is shown."""
    for share in (MOST_FOLLOWED, 0.41, 0.9):
        market = Market(Universe.of_size(3), seed=5, rate=30, trade_share=share)
        batch = run(market, 60)
        batch = batch[batch.channel <= QUOTES]
        assert (batch.channel == TRADES).mean() == pytest.approx(share, abs=0.02)
        mine = batch[batch.symbol == 0]
        trade = np.flatnonzero(mine.channel == TRADES)[:-1]
        followed = (mine.channel[trade + 1] == QUOTES) & (mine.time[trade + 1] == mine.time[trade])
        assert followed.all() == mix_of(share).followed == (share <= MOST_FOLLOWED)
        assert_within(mine, 100)


def assert_within(mine: TickBatch, lot: int) -> None:
    """No trade at the touch of a symbol's standing quote is larger than what that shows, but for blocks."""
    quote = None
    for row in zip(*(getattr(mine, name).tolist() for name in NAMES), strict=True):
        _, channel, _, _, price, size, ask, ask_size = row
        if channel == QUOTES:
            quote = {price: size, ask: ask_size}
        elif quote is not None and size < 20 * lot:
            assert size <= quote.get(price, size)


def test_what_is_scripted_is_taken_at_its_word() -> None:
    """A scripted trade is as large as it likes and takes nothing; the walk's trades take nothing from a scripted quote."""
    plain, market = (Market(Universe.of_size(1), seed=5, rate=20) for _ in range(2))
    bid, _, ask, _ = market.standing()[:, 0].tolist()
    times = range(START + SECOND, START + 2 * SECOND, 1_000)
    for at in times:
        market.schedule(at, ScriptedQuote(0, bid, 150, ask, 50))
    market.schedule(times[100], ScriptedTrade(0, ask, 10_000))
    expected, batch = run(plain, 3), run(market, 3)
    (row,) = np.flatnonzero((batch.channel == TRADES) & (batch.size == 10_000))
    assert (batch.price[row], batch.time[row]) == (ask, times[100])
    scripted = np.isin(batch.time, times) & (batch.channel <= QUOTES)
    walk = batch[~scripted & (batch.channel <= QUOTES)]
    expected = expected[expected.channel <= QUOTES]
    for name in ("time", "price", "size", "ask", "ask_size"):
        assert (getattr(walk, name) == getattr(expected, name)).all()


def test_taking_from_odd_quotes_goes_by_whole_lots() -> None:
    """Of 250 shares an odd lot leaves 100, for an ask of 50 it is gone; what is behind stays until a fresh quote."""
    universe = Universe([Instrument("A", 100.0)])
    taking = Taking(universe, 7, 0.25, cents=False)
    rows = [
        (QUOTES, 1, 9_999, 250, 10_001, 50),
        (TRADES, 2, 9_999, 30, 0, 0),
        (QUOTES, 2, 9_999, 200, 10_001, 100),
        (TRADES, 3, 10_001, 400, 0, 0),
        (QUOTES, 3, 9_999, 200, 10_009, 700),
        (TRADES, 4, 10_001, 400, 0, 0),
        (QUOTES, 4, 9_999, 200, 10_001, 300),
        (TRADES, 5, 9_999, 400, 0, 0),
        (QUOTES, 5, 9_999, 600, 10_001, 300),
    ]
    channel, time, price, size, ask, ask_size = np.array(rows, dtype=np.int64).T
    columns = {"price": price, "size": size, "ask": ask, "ask_size": ask_size}
    batch = TickBatch.unnumbered(symbol=0 * time, channel=channel, time=time, **columns)
    origin, behind = np.zeros(len(time), np.uint8), (channel == QUOTES) & (time > 1)
    shown = Shown.of(np.array([[9_998], [100], [10_002], [100]]))
    whole, after = taking.take(batch, origin, behind, shown)
    bid, ask = Ladders(7, universe).behind(
        np.zeros(2, np.int64), np.arange(2), np.array([9_999, 10_001])
    )
    told = list(zip(whole.price, whole.size, whole.ask, whole.ask_size, strict=True))
    assert told[1:] == [
        (9_999, 30, 0, 0),
        (9_999, 100, 10_001, 50),
        (10_001, 50, 0, 0),
        (9_999, 100, ask, 700),
        (10_001, 400, 0, 0),  # between bid and ask
        (9_999, 100, ask, 700),
        (9_999, 100, 0, 0),
        (bid, 600, ask, 700),
    ]
    for cut in range(1, len(rows)):
        first, between = taking.take(batch[:cut], origin[:cut], behind[:cut], shown)
        second, end = taking.take(batch[cut:], origin[cut:], behind[cut:], between)
        parts = TickBatch.join([first, second])
        if cut % 2:  # a block never parts a trade from its quote
            assert all((getattr(parts, name) == getattr(whole, name)).all() for name in columns), (
                cut
            )
            assert (end.price == after.price).all()


def test_what_remains_is_a_running_sum() -> None:
    """From the first of those that belong together on."""
    taken = np.array([1, 2, 3, 4])
    left = remaining(np.array([5, 5, 9, 9]), taken, np.array([0, 0, 2, 2]))
    assert left.tolist() == [4, 2, 6, 2]
