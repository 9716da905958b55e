"""
What all tests share: property tests draw the same examples in every run, however slow the machine is, and real output can be
put into the documents.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

settings.register_profile(
    "tickerplant",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tickerplant")
# It also draws constants of whatever modules of ours are loaded by then, which depends on the tests that ran before.
_providers: Any = providers
_providers.is_local_module_file = lambda _: False


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `make docs` needs."""
    parser.addoption(
        "--write-docs",
        action="store_true",
        help="where a document shows another output than there is, put it there",
    )
