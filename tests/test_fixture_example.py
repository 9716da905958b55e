"""The example of the README runs as it is printed there: pytest, the plugin, and a page in a real browser."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from test_page import ARGUMENTS, CHROMIUM

import feeds

pytest_plugins = "pytester"

ROOT = Path(feeds.__file__).parent.parent
TEXT = (ROOT / "feeds" / "README.md").read_text(encoding="utf-8")
(SECTION,) = re.findall(r"^## Testing against it\n(.*?)^## ", TEXT, re.MULTILINE | re.DOTALL)

CONFTEST = f"""
import pytest
from playwright.sync_api import sync_playwright

@pytest.fixture
def page():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path={str(CHROMIUM)!r}, args={ARGUMENTS!r})
        yield browser.new_page()
        browser.close()
"""


def block(language: str) -> str:
    """The one example in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    assert isinstance(found, str)
    return found


def test_the_example_is_short_and_the_first_page_has_the_same() -> None:
    assert f"```python\n{block('python')}```" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert sum(1 for line in block("python").splitlines() if line.strip()) < 15


@pytest.mark.browser
def test_the_example_runs(pytester: pytest.Pytester) -> None:
    if not CHROMIUM.exists():
        reason = f"there is no Chromium at {CHROMIUM}; set CHROMIUM to where it is"
        if "browser" in os.environ.get("TICKERPLANT_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    pytester.makeini(
        "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function"
    )
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(block("python"))
    (pytester.path / "ui.html").write_text(block("html"), encoding="utf-8")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_every_method_and_fixture_is_in_the_tables() -> None:
    from feeds import pytest_plugin
    from feeds.directing.facade import Methods

    rows = "\n".join(re.findall(r"^\| `.*$", SECTION, re.MULTILINE))
    for name in vars(Methods):
        assert name.startswith("_") or f"`{name}(" in rows, name
    fixtures = [name for name in vars(pytest_plugin) if "ticker_feed" in name]
    for name in fixtures:
        assert name.startswith(("_", "pytest")) or f"| `{name}` |" in rows, name
