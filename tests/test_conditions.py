"""Conditions say what a trade moves, as the US tapes do."""

import pytest

from ticker.reference.conditions import CONDITIONS, condition_bits, condition_codes


def test_what_moves_the_last_price_moves_all_else_too() -> None:
    """So whoever has a last price has a high and a low, and shares."""
    assert all(c.range for c in CONDITIONS if c.last)
    assert all(c.volume for c in CONDITIONS if c.range)


def test_codes_are_single_letters_and_each_is_there_once() -> None:
    """And names are, too."""
    codes = [c.code for c in CONDITIONS]
    assert len(set(codes)) == len(codes) == len({c.name for c in CONDITIONS})
    assert all(len(code) == 1 and code.isalnum() for code in codes)


@pytest.mark.parametrize(
    ("codes", "last", "high_low", "volume"),
    [
        ("AFKOX156", True, True, True),
        ("PZ4", False, True, True),
        ("CHINRTUVW7", False, False, True),
        ("MQ", False, False, False),
    ],
)
def test_the_table_is_that_of_the_tapes(
    codes: str, last: bool, high_low: bool, volume: bool
) -> None:
    """By what moves what: everything, no last price, shares alone, nothing."""
    rows = {c.code: (c.last, c.range, c.volume) for c in CONDITIONS}
    assert {code: rows[code] for code in codes} == dict.fromkeys(codes, (last, high_low, volume))


def test_conditions_are_one_number_and_back() -> None:
    """In the order of the table, whatever the order in which they are told; twice counts once."""
    assert condition_codes(condition_bits([])) == ()
    assert condition_codes(condition_bits(["T", "I", "T"])) == ("I", "T")
    every = tuple(c.code for c in CONDITIONS)
    assert condition_codes(condition_bits(reversed(every))) == every


@pytest.mark.parametrize("wrong", ["@", "", "i", "TI", 4, None])
def test_an_unknown_condition_is_named(wrong: object) -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match=r"^condition .* is not one of A, C, F") as error:
        condition_bits(["I", wrong])  # type: ignore[list-item]
    assert repr(wrong) in str(error.value)
