"""A mark is where a trade was made and what is special about it, as one number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.reference.conditions import CONDITIONS
from ticker.reference.exchanges import EXCHANGES
from ticker.reference.marks import mark_of, marked, moves

CODES = [c.code for c in CONDITIONS]
sets_of_codes = st.lists(st.sampled_from(CODES), unique=True)


@given(st.sampled_from([None, *EXCHANGES]), sets_of_codes)
def test_a_mark_says_what_was_put_in(exchange: str | None, codes: list[str]) -> None:
    """And fits into the column of a batch."""
    mark = mark_of(exchange, codes)
    assert marked(int(np.int64(mark))) == (exchange, tuple(sorted(codes, key=CODES.index)))
    assert mark >= 0


def test_nothing_special_is_zero() -> None:
    """So a market without rules has zeros."""
    assert mark_of(None) == 0
    assert marked(0) == (None, ())


@given(st.lists(st.tuples(st.sampled_from([None, *EXCHANGES]), sets_of_codes)))
def test_a_trade_moves_what_all_of_its_conditions_let_it(
    trades: list[tuple[str | None, list[str]]],
) -> None:
    """Each condition has a veto; where it was made counts for nothing."""
    found = moves(np.array([mark_of(*trade) for trade in trades], dtype=np.int64))
    by_code = {c.code: c for c in CONDITIONS}
    for name in ("last", "range", "volume"):
        expected = [all(getattr(by_code[c], name) for c in codes) for _, codes in trades]
        assert getattr(found, name).tolist() == expected


@pytest.mark.parametrize(
    ("exchange", "codes", "message"),
    [("?", ["I"], "exchange '?' is not"), ("Q", ["?"], "condition '\\?' is not")],
)
def test_what_is_unknown_is_refused(exchange: str, codes: list[str], message: str) -> None:
    """Be it the exchange or a condition."""
    with pytest.raises(ValueError, match=message.replace("'?'", "'\\?'")):
        mark_of(exchange, codes)
