"""Scenes: what a user writes, by name or in a TOML file, becomes a scenario in its place, or one clear error."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from markets import START, content, run

import ticker
from feeds.config import FeedConfig
from feeds.errors import ConfigError
from feeds.replay import ReplayOptions
from ticker.batch import STATUS, TRADES
from ticker.market import Market
from ticker.reference.marks import marked
from ticker.scenario import MAX_S, Change, Scenario
from ticker.scenarios import SCENARIOS, scenario_named
from ticker.staging.scenes import START_S, Scene, SceneError, read_scenes
from ticker.universe import Universe


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_a_name_is_a_scene(name: str) -> None:
    """Ten seconds after the start, so that somebody is there to see it."""
    (scene,) = read_scenes(name)
    assert scene == Scene(scenario_named(name), None, START_S, None)
    assert scene.scenario.name == name


def test_a_file_says_what_happens_to_whom_and_when(tmp_path: Path) -> None:
    text = """
    [[scene]]
    scenario = "flash_crash"
    symbols = ["AAPL", "M*"]
    start_s = 5
    size = -0.2
    duration_s = 90
    volatility = 2.5
    seed = 4
    alike = true

    [[scene]]
    symbols = "TSLA"
    path = [[0, 0], [10, 0.05], [10, -0.1]]
    volatility = 3
    spread = [[0, 1], [5, 2.0]]
    quotes_s = [[1, 100], [2, 100]]
    silences = [[20, 30]]
    changes = [
      { at_s = 40, status = "halted", reason = "T1" },
      { at_s = 60, status = "trading", cross = true },
    ]
    bands = 2
    name = "mine"
    """
    crash, own = read_scenes(written(tmp_path, text))
    expected = scenario_named("flash_crash", size=-0.2, duration_s=90, volatility=2.5)
    assert crash == Scene(replace(expected, alike=True), ("AAPL", "M*"), 5, 4)
    assert own == Scene(
        Scenario(
            "mine",
            path=((0, 0), (10, 0.05), (10, -0.1)),
            volatility=((0, 3), (MAX_S, 3)),
            spread=((0, 1), (5, 2.0)),
            quotes_s=((1, 100), (2, 100)),
            silences=((20, 30),),
            changes=(Change(40, "halted", "T1"), Change(60, "trading", cross=True)),
            bands=2,
        ),
        ("TSLA",),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[scenes]]", "unknown key 'scenes'; the tables are written [[scene]]"),
        ("", "there must be tables, written [[scene]]"),
        ("scene = 1", "there must be tables, written [[scene]]"),
        ("[[scene", "can't read the scenario file"),
        ("[[scene]]\n" * 101, "101 scenes; at most 100 are allowed"),
        ('[[scene]]\nscenario="crash"', "scene 1: scenario 'crash' is not one of calm, volatile"),
        ("[[scene]]\nscenario=5", "scene 1: scenario 5 is no name"),
        ("[[scene]]", "scene 1: nothing happens in it: it needs 'scenario', or one of path, "),
        (
            '[[scene]]\nscenario="calm"\n[[scene]]\nscenario="calm"\npath=[[0,0]]',
            "scene 2: unknown key 'path'; a scene of 'calm' may have scenario, symbols, start_s, seed, size,",
        ),
        ("[[scene]]\nsize=1", "unknown key 'size'; a scene without 'scenario' may have"),
        ('[[scene]]\nscenario="calm"\nsize=1' + "0" * 400, "is not between -1e+09 and 1e+09"),
        ('[[scene]]\nscenario="calm"\nsize=nan', "size nan is not between"),
        ("[[scene]]\nspread=inf", "spread: a value inf is not between 1 and 1000"),
        ('[[scene]]\nscenario="calm"\nsize="big"', "size 'big' is not a number"),
        ('[[scene]]\nscenario="calm"\nduration_s=0', "duration_s 0 is not between 0.001 and"),
        ('[[scene]]\nscenario="calm"\nstart_s=-1', "start_s -1 is not between 0 and"),
        ('[[scene]]\nscenario="calm"\nsymbols=[]', "symbols is empty; leave it out"),
        ('[[scene]]\nscenario="calm"\nsymbols=3', "symbols 3 is not a list of symbols"),
        ('[[scene]]\nscenario="calm"\nseed=1.5', "seed 1.5 is not a whole number"),
        ("[[scene]]\npath=1", "path 1 is not a list"),
        ("[[scene]]\npath=[[0]]", "path: [0] is not a pair of numbers, [seconds, value]"),
        ("[[scene]]\npath=[[0, true]]", "path: [0, True] is not a pair of numbers"),
        ("[[scene]]\nvolatility=-2", "volatility: a value -2 is not between 0 and 100"),
        ("[[scene]]\nbands=7", "bands 7 is not 1 or 2"),
        ("[[scene]]\nname=7", "name 7 is no text"),
        ("[[scene]]\ntrades=[1]", "trades: 1 is not a table"),
        ("[[scene]]\ntrades=[{at=1}]", "trades: unknown key 'at'; it may have at_s, price, size"),
        ("[[scene]]\ntrades=[{at_s=1}]", "trades: 'price' is missing"),
        ("[[scene]]\ntrades=[{at_s=1,price='x'}]", "a trade's price 'x' is not a number"),
        ("[[scene]]\ntrades=[{at_s=-1,price=1}]", "a trade's time -1 is not between 0 and"),
        ("[[scene]]\ntrades=[{at_s=1,price=1,size=1.5}]", "size 1.5 is not a whole number"),
        ("[[scene]]\ntrades=[{at_s=1,price=1,exchange='?'}]", "exchange '?' is not one of A, B"),
        ("[[scene]]\ntrades=[{at_s=1,price=1,conditions='I'}]", "conditions 'I' is not a list"),
        ("[[scene]]\ntrades=[{at_s=1,price=1,conditions=['?']}]", "condition '?' is not one of"),
        ("[[scene]]\nchanges=[1]", "changes: 1 is not a table"),
        ("[[scene]]\nchanges=[{at=1}]", "changes: unknown key 'at'; it may have at_s, status"),
        ("[[scene]]\nbands=1\nalike=1", "alike 1 is not true or false"),
        ("[[scene]]\nalike=true", "nothing happens in it"),
        ("[[scene]]\nchanges=[{at_s=1}]", "changes: 'status' is missing"),
        ("[[scene]]\nchanges=[{at_s=1,status='up'}]", "status 'up' is not one of trading"),
        ("[[scene]]\nchanges=[{at_s=1,status='halted',reason=[1]}]", "reason [1] is no text"),
        ("[[scene]]\nchanges=[{at_s=1,status='halted',cross=1}]", "cross 1 is not true or false"),
    ],
)
def test_a_file_with_a_mistake_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """The message has the place, the value and what is allowed."""
    with pytest.raises(SceneError) as caught:
        read_scenes(written(tmp_path, text))
    assert message in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_a_file_has_trades_of_its_own(tmp_path: Path) -> None:
    """With what is special about them; they come as they are, even in a halt, and must be on the grid."""
    text = """
    [[scene]]
    symbols = "AAPL"
    start_s = 1
    changes = [{ at_s = 0, status = "halted" }]
    trades = [
        { at_s = 1, price = 200.01 },
        { at_s = 2.5, price = 99, size = 7, exchange = "V", conditions = ["I", "T"] },
    ]
    """
    (scene,) = read_scenes(written(tmp_path, text))
    assert scene.scenario.duration_s == 2.5
    market = Market(Universe.parse("AAPL"), seed=1, rate=0, scenes=[scene])
    batch = market.step(market.now_us + 10_000_000)
    rows = batch[batch.channel == TRADES]
    told = zip(rows.price.tolist(), rows.size.tolist(), map(marked, rows.ask.tolist()), strict=True)
    assert [*told] == [(20001, 100, (None, ())), (9900, 7, ("V", ("I", "T")))]
    assert (market.snapshot(0).last, market.snapshot(0).volume) == (20001, 107)
    (wrong,) = read_scenes(written(tmp_path, "[[scene]]\ntrades=[{at_s=1,price=1.005}]"))
    with pytest.raises(ValueError, match=r"price 1\.005 is not on the grid of 0\.01"):
        Market(Universe.parse("AAPL"), seed=1, scenes=[wrong])


def test_what_is_neither_a_name_nor_a_file_is_refused() -> None:
    with pytest.raises(SceneError, match=r"scenario 'crash' is not one of calm, .*, and no TOML"):
        read_scenes("crash")
    with pytest.raises(SceneError, match=r"can't read the scenario file 'none.toml': No such file"):
        read_scenes("none.toml")


def test_symbols_are_those_of_the_market() -> None:
    universe = Universe.parse("AAPL,MSFT,META")
    calm = scenario_named("calm")
    assert Scene(calm).ids(universe) is None
    assert Scene(calm, ("M*", "AAPL")).ids(universe) == [1, 2, 0]
    with pytest.raises(SceneError, match="scenario calm: no symbol is called 'APPL'; did you mean"):
        Scene(calm, ("APPL",)).ids(universe)


def test_a_market_with_scenes_is_one_in_which_they_are_played() -> None:
    """And is another run than one without: sequences of the two mean nothing to each other."""
    universe = Universe.of_size(3)
    scene = Scene(scenario_named("volatile"), ("AAPL",), start_s=1)
    with_it, played = Market(universe, seed=7, scenes=[scene]), Market(universe, seed=7)
    assert with_it.epoch != played.epoch
    assert with_it.epoch == Market(universe, seed=7, scenes=(scene,)).epoch
    played.play(scene.scenario, START + 1_000_000, [0])
    assert content(run(with_it, 5)) == content(run(played, 5))


def test_a_config_takes_names_and_files(tmp_path: Path) -> None:
    path = written(tmp_path, '[[scene]]\nscenario="calm"\nsymbols=["NONE"]')
    assert FeedConfig(scenario="calm").scenario == ("calm",)
    config = FeedConfig(scenario=("microburst", "flash_crash"), symbols="3")
    assert config.market(START).epoch != FeedConfig(symbols="3").market(START).epoch
    for wrong, message in (
        ("crash", "scenario 'crash' is not one of"),
        (path, "scenario calm: no symbol is called 'NONE'"),
    ):
        with pytest.raises(ConfigError, match=message):
            FeedConfig(scenario=wrong).market(START)


def test_a_tape_has_no_scenario(tmp_path: Path) -> None:
    """What happened has happened."""
    with pytest.raises(ConfigError, match="scenario and replay exclude each other"):
        FeedConfig(scenario="calm", replay=ReplayOptions(tmp_path / "tape.ndjson"))


README = (Path(ticker.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_the_table_of_the_document_has_every_scenario_with_its_defaults() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| [^|]* \| (\w+) \| ([^|]*) \| ([^|]*) \| x ([^|]*) \|$", README, re.M
    )
    documented = {
        name: (who == "all", *(float(n.replace(",", "")) for n in numbers))
        for name, who, *numbers in rows
    }
    assert documented == {
        name: (scenario_named(name).everybody, named.size, named.duration_s, named.volatility)
        for name, named in SCENARIOS.items()
    }


def test_the_example_of_the_document_can_be_played(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    crash, own = read_scenes(written(tmp_path, example))
    assert crash.scenario.name == "flash_crash"
    market = Market(Universe.parse("AAPL,MSFT,META,TSLA"), seed=7, scenes=[crash, own])
    batch = run(market, 101)
    changed = batch[batch.channel == STATUS]
    assert set(changed.symbol.tolist()) == {3}
