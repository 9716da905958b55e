"""A replay: a tape played as a market."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import content, events, naive_bars
from tapes import START_S, MemoryTape, Row, quote, trade

from ticker.batch import BARS, INTERVALS, QUOTES, TRADES, TickBatch
from ticker.market import Market
from ticker.replay import MOST_AT_ONCE, Replay, Terms
from ticker.tape import Survey, TapeError
from ticker.universe import Universe
from ticker.venue import Venue

START = START_S * 1_000_000
ROWS = [
    quote(0, 0.25, 187.40, 187.45),
    trade(0, 0.25, 187.45, 7),
    trade(1, 0.25, 20.01),
    trade(1, 1.0, 20.5),
    quote(0, 1.75, 187.42, 187.43),
    trade(0, 2.5, 187.42),
]


def replay(
    rows: list[Row] = ROWS, *, chunk: int = 3, start_us: int | None = None, **terms: Any
) -> Replay:
    tape = MemoryTape(["AAPL", "ZZZZ"][: 1 + max(row[0] for row in rows)], rows, chunk)
    return Replay(tape, Survey(tape), Terms(**terms), start_us)


def times(batch: TickBatch) -> list[float]:
    """The times of trades and quotes, in seconds after the tape's start."""
    return [(t - START) / 1e6 for t in batch[batch.channel < BARS].time.tolist()]


def test_a_replay_gives_what_is_on_the_tape() -> None:
    """At its times, in its order, numbered by symbol and channel, with bars as soon as they are over."""
    played = replay()
    batch = played.step(START + 3_000_000)
    assert played.universe.symbols == ("AAPL", "ZZZZ")
    rows = zip(
        *(getattr(batch, n).tolist() for n in ("symbol", "channel", "seq", "price", "size", "ask")),
        strict=True,
    )
    assert [row for row in rows if row[1] < BARS] == [
        (0, QUOTES, 1, 18740, 200, 18745),
        (0, TRADES, 1, 18745, 7, 0),
        (1, TRADES, 1, 2001, 100, 0),
        (1, TRADES, 2, 2050, 100, 0),
        (0, QUOTES, 2, 18742, 200, 18743),
        (0, TRADES, 2, 18742, 100, 0),
    ]
    assert times(batch) == [0.25, 0.25, 0.25, 1.0, 1.75, 2.5]
    bars = batch[batch.channel == BARS]
    assert [(int(s), (int(t) - START) / 1e6) for s, t in zip(bars.symbol, bars.time, strict=True)]
    assert len(bars) == 4
    assert played.sequences()[TRADES].tolist() == [2, 2]


def test_what_is_known_of_a_symbol_is_told() -> None:
    """Well-known names have their data, unless they were made to stand for something else."""
    assert replay().universe[0].name == "Apple Inc."
    assert replay().universe[0].tick_size == 0.01
    renamed = replay(rename={"ZZZZ": "AAPL", "AAPL": "DEMO"}).universe
    assert renamed.symbols == ("DEMO", "AAPL")
    assert renamed[1].name == ""


def test_before_the_first_quote_there_is_none() -> None:
    """A tape of trades alone has no bid and ask; the first price is the previous close."""
    state = replay().snapshot(1)
    assert (state.bid, state.bid_size, state.ask, state.ask_size) == (None, None, None, None)
    assert (state.last, state.prev_close, state.size, state.open) == (2001, 2001, None, None)
    played = replay()
    played.step(START + 1_000_000)
    assert (played.snapshot(0).bid, played.snapshot(0).ask_size) == (18740, 200)
    assert played.snapshot(1).bid is None


def test_at_the_end_the_time_goes_on() -> None:
    """Without events, but for bars that close."""
    played = replay()
    assert not played.over
    played.step(START + 2_500_000)
    assert not played.over
    assert times(played.step(START + 2_500_001)) == [2.5]
    assert played.over
    later = played.step(START + 90_000_000)
    assert times(later) == []
    assert sorted(set(later.channel.tolist())) == [BARS, BARS + 1]
    assert played.now_us == START + 90_000_000


def test_a_loop_begins_anew_at_the_next_whole_second() -> None:
    """Later times, sequences that go on."""
    played = replay(loop=True)
    batch = played.step(START + 9_000_000)
    once = [0.25, 0.25, 0.25, 1.0, 1.75, 2.5]
    assert times(batch) == [t + 3 * n for n in range(3) for t in once]
    assert played.rounds == 3
    played.step(START + 10_500_000)
    assert (played.played, played.over) == (0.5, False)
    assert not played.over
    aapl = batch[(batch.symbol == 0) & (batch.channel == TRADES)]
    assert aapl.seq.tolist() == [1, 2, 3, 4, 5, 6]


def test_a_replay_can_begin_at_another_time() -> None:
    played = replay(start_us=START + 86_400_000_000)
    assert times(played.step(START + 86_402_000_000))[:2] == [86_400.25, 86_400.25]
    with pytest.raises(ValueError, match="not a whole second"):
        replay(start_us=START + 1)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.integers(0, 40)), min_size=1),
    st.integers(1, 5),
    st.lists(st.integers(1, 4), max_size=8),
    st.booleans(),
)
def test_chunks_and_steps_change_nothing(
    drawn: list[tuple[int, bool, int]], chunk: int, limits: list[int], loop: bool
) -> None:
    """Whatever the chunks, and however it is asked, the bytes are the same."""
    rows = [trade(0, 0, 19.01), trade(1, 0, 19.01)]
    rows += [
        quote(s, t / 4, 20 + n / 8, 21 + n / 8) if is_quote else trade(s, t / 4, 20 + n / 8, n + 1)
        for n, (s, is_quote, t) in enumerate(sorted(drawn, key=lambda d: d[2]))
    ]
    until = START + 25_000_000
    whole = replay(rows, chunk=1_000, loop=loop).step(until)
    played = replay(rows, chunk=chunk, loop=loop)
    parts = [played.step(until, limit) for limit in limits]
    parts += [played.step(START + n * 700_000) for n in range(1, 36)]
    parts.append(played.step(until))
    assert content(TickBatch.join(parts)) == content(whole)


def test_bars_are_those_of_the_trades_played() -> None:
    rows = [trade(0, n / 3, 100 + (n * 7919 % 13) / 4, n + 1) for n in range(500)]
    played = replay(rows)
    batch = played.step(START + 300_000_000)
    trades = [(e.time, e.price, e.size) for e in events(batch) if e.channel == TRADES]
    bars, partial = played.bars(0, "1m", 10)
    assert not partial
    expected = list(naive_bars(trades, INTERVALS["1m"] * 1_000_000))
    columns = (bars.start, bars.open, bars.high, bars.low, bars.close, bars.volume)
    assert list(zip(*(c.tolist() for c in columns), strict=True)) == [b[:6] for b in expected]


@pytest.mark.parametrize("scale", [0.01, 0.37, 1.5, 1e3])
def test_scaled_prices_are_on_the_grid_and_quotes_stay_quotes(scale: float) -> None:
    """Within half a tick of the product, and bid < ask where it was."""
    plain = replay().step(START + 3_000_000)
    played = replay(scale=scale)
    batch = played.step(START + 3_000_000)
    tick = batch.channel < BARS
    symbol = batch.symbol[tick]
    price = played.universe.prices(symbol, batch.price[tick])
    exact = plain.price[plain.channel < BARS] * 0.01 * scale
    half = played.universe.column("tick_size")[symbol] / 2
    assert (np.abs(price - exact) <= half + 1e-9).all()
    quotes = batch[batch.channel == QUOTES]
    assert (quotes.ask > quotes.price).all()
    assert (batch.seq[tick] == plain.seq[plain.channel < BARS]).all()


@pytest.mark.parametrize(
    ("size", "lot"), [(0, 1), (1, 1), (300, 100), (1_000, 300), (5_400_000, 2_000_000)]
)
def test_books_are_of_lots_as_large_as_the_tapes_quotes(size: int, lot: int) -> None:
    """A third of the mean size of quotes, to one digit, since quotes have three lots in the mean."""
    rows: list[Row] = [(0, True, 0.0, 10.0, size, 10.5, size), trade(0, 1.0, 10.0)]
    assert replay(rows).lots.tolist() == [lot]


def test_a_locked_or_crossed_quote_stays_as_it_is() -> None:
    """What was on the tape is played."""
    batch = replay([quote(0, 0, 20.01, 20.01), quote(0, 0.5, 20.02, 20.01)]).step(START + 900_000)
    assert list(zip(batch.price.tolist(), batch.ask.tolist(), strict=True)) == [
        (2001, 2001),
        (2002, 2001),
    ]


def test_the_epoch_names_tape_and_terms() -> None:
    epochs = [
        replay().epoch,
        replay(loop=True).epoch,
        replay(scale=2.0).epoch,
        replay(rename={"ZZZZ": "Y"}).epoch,
        replay(start_us=START + 1_000_000).epoch,
        replay(ROWS[:-1]).epoch,
        replay(seed=5).epoch,
    ]
    assert len(set(epochs)) == len(epochs)
    assert replay().epoch == epochs[0]


def test_what_cannot_be_played_is_refused() -> None:
    """Symbols that aren't allowed, names for what isn't there, prices out of range."""
    tape = MemoryTape(["BRK B"], [trade(0, 0, 100.0)])
    with pytest.raises(TapeError, match=r"symbol 'BRK B'.*are allowed"):
        Replay(tape, Survey(tape))
    with pytest.raises(TapeError, match="no symbol 'MSFT' on the tape"):
        replay(rename={"MSFT": "X"})
    with pytest.raises(TapeError, match="symbol 'ZZZZ' is there twice"):
        replay(rename={"AAPL": "ZZZZ"})
    with pytest.raises(TapeError, match=r"price 1874500000\.0 is not between"):
        replay(scale=1e7)


def test_a_tape_that_changed_is_noticed() -> None:
    tape = MemoryTape(["A"], [trade(0, 0, 100.0)])
    played = Replay(tape, Survey(tape))
    tape.symbols, tape.rows = ["A", "B"], [trade(1, 0, 100.0)]
    with pytest.raises(TapeError, match="has changed"):
        played.step(START + 1_000_000)


def test_rows_of_one_time_stay_together_up_to_a_limit() -> None:
    """However the chunks are cut; a file without times of the day is refused, not read into memory."""
    rows = [trade(0, 1, 100.0) for _ in range(10)]
    assert len(replay(rows, chunk=3).step(START + 1_500_000, limit=2)) == 10
    tape = MemoryTape(["A"], [trade(0, 1, 100.0)] * (MOST_AT_ONCE + 3), 50_000)
    with pytest.raises(TapeError, match="more than 200000 rows have the time"):
        Replay(tape, Survey(tape)).step(START + 2_000_000)


def test_a_market_and_a_replay_are_venues() -> None:
    """What a feed asks for, both have."""
    venues: list[Venue] = [Market(Universe.of_size(1), seed=7), replay()]
    assert [venue.synthetic for venue in venues] == [True, False]
    assert not any(venue.over for venue in venues)
