"""The structure: who may import whom, and how long a module and a function may be."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("ticker", "feeds", "clients")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
OURS = {*PACKAGES, "tests", "bench"}

MODULE_LINES = 260
FUNCTION_LINES = 50

# Inside a package, a folder or module imports only from floors below its own.
FLOORS = {
    "feeds": (
        {"awake", "errors", "timer"},
        {"clock", "dialects", "replay", "wire"},
        {"counters"},
        {"admission", "fanout"},
        {"engine", "notation", "observation"},
        {"config", "protocol"},
        {"faults", "http", "opening"},
        {"cassette", "connections"},
        {"plant"},
        {"plants"},
        {"directing"},
        {"control"},
        {"routes"},
        {"server"},
        {"cli", "testing"},
        {"__main__", "pytest_plugin"},
    ),
    "ticker": (
        {"randomness", "reference", "tape", "trading_day"},
        {"instruments"},
        {"names"},
        {"universe"},
        {"cents", "processes"},
        {"ladder", "parts"},
        {"batch", "model"},
        {"backfill", "generator", "rows", "script"},
        {"bookkeeping", "regulation", "scenario"},
        {"replay", "scenarios", "venue"},
        {"staging"},
        {"market"},
        {"facts"},
    ),
    "clients": (
        {"events", "failures", "minimal"},
        {"core", "order_book"},
        {"client"},
        {"sync", "terminal"},
        {"loadgen", "record", "watch"},
        {"load"},
    ),
}
WITH_AIOHTTP = {
    "feeds.cassette",
    "feeds.connections.conversation",
    "feeds.connections.farewell",
    "feeds.connections.streams",
    "feeds.connections.upgrade",
    "feeds.connections.websocket",
    "feeds.control",
    "feeds.http.access",
    "feeds.http.answers",
    "feeds.http.guarded",
    "feeds.http.rest",
    "feeds.http.unreadable",
    "feeds.routes",
    "feeds.server",
}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top(name: str) -> str:
    return name.split(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_go_one_way(path: Path) -> None:
    """ticker imports numpy only, feeds imports ticker, clients import nothing of ours."""
    package = module_name(path).split(".")[0]
    found = {top(name) for name in imports(path)}
    ours = found & OURS - {package}
    if package == "ticker":
        assert ours == set()
        assert found <= {"ticker", "numpy", *sys.stdlib_module_names}
        assert "asyncio" not in found
    elif package == "feeds" and module_name(path).startswith("feeds.cli"):
        assert ours <= {"ticker", "clients"}
    elif package == "feeds":
        assert ours <= {"ticker"}
    else:
        assert ours == set()


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_packages_are_built_in_floors(path: Path) -> None:
    """Lower floors know nothing of higher ones, and in feeds only the server and its HTTP siblings import aiohttp."""
    name = module_name(path)
    package, _, rest = name.partition(".")
    if not rest:
        return
    own = top(rest)
    floors = FLOORS[package]
    floor = next((n for n, names in enumerate(floors) if own in names), None)
    assert floor is not None, f"{package}.{own} has no floor: say where it belongs"
    below = set().union(*floors[:floor])
    for target in imports(path):
        parts = target.split(".")
        if parts[0] == package and len(parts) > 1 and parts[1] != "__version__":
            assert parts[1] in below | {own}, f"{name} imports {target}"
        if parts[0] == "aiohttp" and package == "feeds":
            assert any(f"{name}.".startswith(f"{allowed}.") for allowed in WITH_AIOHTTP)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_floor_has_its_modules(package: str) -> None:
    """No floor names a module that is not there."""
    there = {
        module_name(path).split(".")[1]
        for path in (ROOT / package).rglob("*.py")
        if path != ROOT / package / "__init__.py"
    }
    assert set().union(*FLOORS[package]) == there


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_is_in_the_table_of_its_readme(package: str) -> None:
    """With the first words of its docstring."""
    readme = (ROOT / package / "README.md").read_text(encoding="utf-8")
    told = dict(
        re.findall(r"^\| \[`(\w+)/`\]\(\1/__init__\.py\) \| (.+) \|$", readme, re.MULTILINE)
    )
    there = {}
    for init in (ROOT / package).glob("*/__init__.py"):
        about = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8")))
        assert about is not None
        words = about.split("\n\n")[0].replace("``", "`").replace("\n", " ")
        there[init.parent.name] = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", words)
    assert told == there


def test_no_module_imports_itself_in_a_circle() -> None:
    """Within a folder too, imports have no cycles."""
    named = {module_name(path): path for path in MODULES}
    names = set(named)
    graph = {name: names & set(imports(path)) - {name} for name, path in named.items()}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    "path", [*MODULES, *sorted((ROOT / "bench").rglob("*.py"))], ids=module_name
)
def test_modules_and_functions_are_small(path: Path) -> None:
    """A module has at most 260 lines, a function 50, both with their docstrings."""
    text = path.read_text()
    assert len(text.splitlines()) <= MODULE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < FUNCTION_LINES, f"{node.name} is too long"


def test_test_modules_are_flat() -> None:
    """No folder of tests shadows a package."""
    assert not any((ROOT / "tests" / package).exists() for package in PACKAGES)
