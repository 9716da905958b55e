"""
Scenes: which scenario happens to which symbols, and when; given by name, or in a TOML file.

A file has a table ``[[scene]]`` for each; those of several files add up.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ticker.scenario import MAX_S, Change, Points, Print, Scenario, check_range
from ticker.scenarios import SCENARIOS, scenario_named
from ticker.universe import Universe

__all__ = ["START_S", "Scene", "SceneError", "read_scenes"]

START_S = 10.0
"""When a scene begins, in seconds after the market, unless it says when: so that somebody is there to see it."""

_MOST_SCENES = 100
_PLACE = ("symbols", "start_s", "seed")
_TERMS = ("size", "duration_s", "volatility")
_CURVES = ("path", "volatility", "spread", "activity", "quotes_s")


class SceneError(ValueError):
    """A scene can't be read; the message names the file, the place and the value."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A scenario and its place in a market."""

    scenario: Scenario
    symbols: tuple[str, ...] | None = None
    """Symbols and patterns; None: all of them, or the first, as the scenario says."""
    start_s: float = START_S
    """Seconds after the start of the market."""
    seed: int | None = None
    """Of its noise; None: the market's."""

    def ids(self, universe: Universe) -> list[int] | None:
        """
        Give the ids of the symbols to which it happens.

        Raises:
            SceneError: a symbol is unknown, or a pattern matches none.
        """
        if self.symbols is None:
            return None
        found: list[int] = []
        for name in self.symbols:
            number = universe.find(name)
            matches = universe.match(name) if number is None else [number]
            if not matches:
                near = universe.suggest(name[:40])
                hint = f"; did you mean {near!r}?" if near else ""
                raise SceneError(
                    f"scenario {self.scenario.name}: no symbol is called {name!r}{hint}"
                )
            found += matches
        return found


def read_scenes(text: str) -> list[Scene]:
    """
    Read what a user typed: the name of a scenario, or the path of a TOML file.

    Raises:
        SceneError: it is neither; the message says where, and what is allowed.
    """
    if text in SCENARIOS:
        return [Scene(scenario_named(text))]
    path = Path(text)
    if path.suffix.lower() != ".toml":
        raise SceneError(
            f"scenario {text!r} is not one of {', '.join(SCENARIOS)}, and no TOML file"
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise SceneError(f"can't read the scenario file {text!r}: {reason}") from error
    tables = content.pop("scene", [])
    if content:
        raise SceneError(
            f"{path}: unknown key {next(iter(content))!r}; the tables are written [[scene]]"
        )
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables) or not tables:
        raise SceneError(f"{path}: there must be tables, written [[scene]]")
    if len(tables) > _MOST_SCENES:
        raise SceneError(f"{path}: {len(tables)} scenes; at most {_MOST_SCENES} are allowed")
    scenes = []
    for number, table in enumerate(tables, 1):
        try:
            scenes.append(_scene(table))
        except ValueError as error:
            raise SceneError(f"{path}, scene {number}: {error}") from error
    return scenes


def _scene(table: Mapping[str, Any]) -> Scene:
    name = table.get("scenario")
    keys = (
        _TERMS if name is not None else (*_CURVES, "changes", "trades", "silences", "bands", "name")
    )
    allowed = ("scenario", *_PLACE, *keys, "alike")
    for key in table:
        if key not in allowed:
            what = f"a scene of {name!r}" if name is not None else "a scene without 'scenario'"
            raise SceneError(f"unknown key {key!r}; {what} may have {', '.join(allowed)}")
    place = _place(table)
    terms = {key: table[key] for key in keys if key in table}
    scenario = _own(terms) if name is None else _named(name, terms)
    alike = table.get("alike", False)
    if not isinstance(alike, bool):
        raise SceneError(f"alike {alike!r} is not true or false")
    return Scene(replace(scenario, alike=alike), **place)


def _named(name: Any, terms: Mapping[str, Any]) -> Scenario:
    """Give a scenario by its name and terms."""
    if not isinstance(name, str):
        raise SceneError(f"scenario {name!r} is no name")
    for key, value in terms.items():
        check_range(key, value, -1e9, 1e9)
    return scenario_named(name, **terms)


def _place(table: Mapping[str, Any]) -> dict[str, Any]:
    """Give symbols, start and seed, where they are told."""
    place: dict[str, Any] = {}
    if "symbols" in table:
        symbols = table["symbols"]
        symbols = [symbols] if isinstance(symbols, str) else symbols
        if not isinstance(symbols, list) or not all(isinstance(s, str) for s in symbols):
            raise SceneError(f"symbols {symbols!r} is not a list of symbols and patterns")
        if not symbols:
            raise SceneError("symbols is empty; leave it out for all of them")
        place["symbols"] = tuple(symbols)
    if "start_s" in table:
        check_range("start_s", table["start_s"], 0, MAX_S)
        place["start_s"] = table["start_s"]
    if "seed" in table:
        seed = table["seed"]
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise SceneError(f"seed {seed!r} is not a whole number")
        place["seed"] = seed
    return place


def _own(terms: Mapping[str, Any]) -> Scenario:
    """Make a scenario of curves, changes of status, trades and silences."""
    values: dict[str, Any] = {"name": "own"}
    for key, value in terms.items():
        if key in _CURVES or key == "silences":
            values[key] = _points(key, value)
        elif key == "changes":
            values[key] = tuple(_change(change) for change in _list(key, value))
        elif key == "trades":
            values[key] = tuple(_print(trade) for trade in _list(key, value))
        elif key == "name" and not isinstance(value, str):
            raise SceneError(f"name {value!r} is no text")
        else:
            values[key] = value
    if set(values) <= {"name", "bands"} and "bands" not in values:
        raise SceneError(
            "nothing happens in it: it needs 'scenario', or one of " + ", ".join(_CURVES)
        )
    return Scenario(**values)


def _list(key: str, value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise SceneError(f"{key} {value!r} is not a list")
    return value


def _points(key: str, value: Any) -> Points:
    """Read points, [[seconds, value], ...], or a number that holds all the time that a scenario may last."""
    if isinstance(value, int | float) and not isinstance(value, bool) and key in _CURVES[1:]:
        return ((0, value), (MAX_S, value))
    for point in _list(key, value):
        if (
            not isinstance(point, list)
            or len(point) != 2
            or not all(isinstance(n, int | float) and not isinstance(n, bool) for n in point)
        ):
            raise SceneError(f"{key}: {point!r} is not a pair of numbers, [seconds, value]")
    return tuple((point[0], point[1]) for point in value)


def _change(value: Any) -> Change:
    _check_table("changes", value, ("at_s", "status", "reason", "cross"), 2)
    if not isinstance(value.get("reason", ""), str):
        raise SceneError(f"changes: reason {value['reason']!r} is no text")
    if not isinstance(value.get("cross", False), bool):
        raise SceneError(f"changes: cross {value['cross']!r} is not true or false")
    return Change(**value)


def _print(value: Any) -> Print:
    _check_table("trades", value, ("at_s", "price", "size", "exchange", "conditions"), 2)
    codes = value.get("conditions", [])
    if not isinstance(codes, list):
        raise SceneError(f"trades: conditions {codes!r} is not a list of codes, such as ['I']")
    if isinstance(value.get("size", 1), float):
        raise SceneError(f"trades: size {value['size']!r} is not a whole number")
    return Print(**(value | {"conditions": tuple(codes)}))


def _check_table(key: str, value: Any, fields: tuple[str, ...], required: int) -> None:
    """Check that a value is a table of some fields, of which the first ones must be there."""
    if not isinstance(value, dict):
        raise SceneError(f"{key}: {value!r} is not a table")
    for name in value:
        if name not in fields:
            raise SceneError(f"{key}: unknown key {name!r}; it may have {', '.join(fields)}")
    for name in fields[:required]:
        if name not in value:
            raise SceneError(f"{key}: {name!r} is missing in {value!r}")
