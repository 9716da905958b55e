"""Each fault, as a real client observes it; the table in feeds/README.md says exactly that."""

from __future__ import annotations

import pytest
from fault_table import OBSERVERS, parameters_of, parse_call, rows
from wire import on_both_loops, running

from feeds.faults.kinds import KINDS

ROWS = rows()


def test_every_fault_has_its_row_and_every_row_its_fault() -> None:
    assert list(ROWS) == list(KINDS)
    assert set(OBSERVERS) == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_a_row_tells_what_is_done_and_the_parameters_with_their_defaults(name: str) -> None:
    assert ROWS[name].does == KINDS[name].does
    assert ROWS[name].parameters == (parameters_of(KINDS[name]) or "none")


@pytest.mark.parametrize("name", KINDS)
@on_both_loops
async def test_a_client_observes_what_the_row_says(name: str) -> None:
    """The example of the row is done to one client, of whose reports the row consists."""
    row = ROWS[name]
    fault = parse_call(row.example)
    assert fault.name == name
    async with running(symbols="AAPL,MSFT", rate=100) as server:
        observed = await OBSERVERS[name](server, fault)
        server.plant.websockets.faults.clear()
    assert observed == row.observed
