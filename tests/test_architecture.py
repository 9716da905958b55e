"""The structure: who may import whom, and how long a module and a function may be."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("ticker", "feeds", "clients")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
OURS = {*PACKAGES, "tests", "bench"}

MODULE_LINES = 260
FUNCTION_LINES = 50

# Inside feeds, a module imports only from floors below its own.
FLOORS = (
    {"errors"},
    {
        "acks",
        "audience",
        "auth",
        "backlog",
        "board",
        "clock",
        "frame",
        "history",
        "interest",
        "journal",
        "laggard",
        "limits",
        "fields",
        "histogram",
        "listen",
        "memory",
        "peers",
        "replay",
        "times",
        "tls",
        "trades",
        "transport",
    },
    {
        "budget",
        "cursor",
        "dialects",
        "envelope",
        "families",
        "hosting",
        "inbound",
        "naming",
        "options",
        "origins",
        "patience",
        "patterns",
        "reply",
        "requests",
        "stats",
        "subscription",
        "timing",
    },
    {"depth"},
    {
        "answers",
        "bodies",
        "deflate",
        "gate",
        "group",
        "newest",
        "query",
        "recall",
        "scripted",
        "states",
        "turnstile",
    },
    {"door", "lanes", "unreadable", "visit"},
    {"observed", "roster"},
    {"clientele"},
    {"slow"},
    {"delivery"},
    {"pacer"},
    {"hub", "resume"},
    {"drain", "feed", "stagger", "underway"},
    {"pump"},
    {"config", "desk", "faults", "health", "lookout", "picture", "pulse", "subscriber", "vigil"},
    {"farewell", "metrics", "opening", "session"},
    {"access", "upgrade"},
    {"service"},
    {"conversation", "guarded", "rest", "streams"},
    {"websocket"},
    {"plant"},
    {"plants"},
    {"driving", "expect"},
    {"timekeeper"},
    {"director"},
    {"control"},
    {"routes"},
    {"cassette", "facade", "server"},
    {"testing"},
    {"cli", "pytest_plugin"},
    {"__main__"},
)
WITH_AIOHTTP = {
    *{
        "access",
        "answers",
        "cassette",
        "control",
        "conversation",
        "farewell",
        "guarded",
        "rest",
        "routes",
        "server",
        "streams",
    },
    *{"unreadable", "upgrade", "websocket"},
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


@pytest.mark.parametrize("path", sorted((ROOT / "feeds").rglob("*.py")), ids=module_name)
def test_feeds_is_built_in_floors(path: Path) -> None:
    """Inside feeds, lower floors know nothing of higher ones, and only the server and its HTTP siblings import aiohttp."""
    parts = module_name(path).split(".")
    if len(parts) == 1:
        return
    own = parts[1]
    floor = next((n for n, names in enumerate(FLOORS) if own in names), None)
    assert floor is not None, f"{own} has no floor: say where it belongs"
    below = set().union(*FLOORS[:floor])
    for name in imports(path):
        target = name.split(".")
        if target[0] == "feeds" and len(target) > 1:
            assert target[1] in below | {own}, f"{own} imports {target[1]}"
        if target[0] == "aiohttp":
            assert own in WITH_AIOHTTP


def test_every_floor_has_its_modules() -> None:
    """No floor names a module that is not there."""
    there = {
        module_name(path).split(".")[1]
        for path in (ROOT / "feeds").rglob("*.py")
        if path.parent != ROOT / "feeds" or path.stem != "__init__"
    }
    assert set().union(*FLOORS) == there


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
