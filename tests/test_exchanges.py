"""Exchanges have the letters of the US tapes."""

import pytest

from ticker.names import FAMOUS
from ticker.reference.exchanges import EXCHANGES, LISTING, MIX, exchange_number, tape_of


def test_every_tape_has_a_mix_of_a_thousand_trades_of_known_exchanges() -> None:
    """One for each tape, and where a symbol is listed it is traded."""
    assert set(MIX) == set(LISTING.values()) == {"A", "B", "C"}
    for mix in MIX.values():
        assert sum(mix.values()) == 1_000
        assert set(mix) <= set(EXCHANGES)
    assert all(letter in MIX[tape] for letter, tape in LISTING.items())
    assert "T" not in MIX["C"], "Nasdaq is Q on its own tape"
    assert not {"Q"} & {*MIX["A"], *MIX["B"]}, "and T on the others"


def test_numbers_leave_none_for_nobody() -> None:
    """From 1, in order."""
    assert exchange_number(None) == 0
    assert [exchange_number(letter) for letter in EXCHANGES] == [*range(1, len(EXCHANGES) + 1)]


@pytest.mark.parametrize("wrong", ["", "W", "q", "NYSE", 1])
def test_an_unknown_exchange_is_named(wrong: object) -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match=r"^exchange .* is not one of A, B, C") as error:
        exchange_number(wrong)  # type: ignore[arg-type]
    assert repr(wrong) in str(error.value)


def test_the_tape_goes_by_the_listing() -> None:
    """A of the NYSE, C of Nasdaq, B of the others; what lists nothing is refused."""
    assert {letter: tape_of(letter) for letter in "NQPAZV"} == {
        "N": "A",
        "Q": "C",
        **dict.fromkeys("PAZV", "B"),
    }
    assert tape_of("") == ""
    with pytest.raises(
        ValueError, match="'D' lists nothing; those that do are N, A, F, M, P, V, Z, Q"
    ):
        tape_of("D")


def test_well_known_names_are_listed_where_they_are() -> None:
    """On the NYSE or Nasdaq, each with its tape, and all of them in the first tier of limit up, limit down."""
    listed = {i.symbol: i.exchange for i in FAMOUS}
    assert {s for s, letter in listed.items() if letter == "Q"} == {
        "AAPL",
        "MSFT",
        "NVDA",
        "AMZN",
        "GOOGL",
        "META",
        "TSLA",
        "AVGO",
        "COST",
        "WMT",
        "PEP",
        "NFLX",
        "AMD",
        "INTC",
    }
    assert set(listed.values()) == {"N", "Q"}
    assert {(i.exchange, i.tape) for i in FAMOUS} == {("N", "A"), ("Q", "C")}
    assert {i.tier for i in FAMOUS} == {1}
