"""
Exchanges and tapes: the letters with which the US tapes say where a symbol is listed and where a trade was made.

The letters are those of the participants in the CTA and UTP Plans (ctaplan.com, utpplan.com). A tape is what the reports of a
symbol go to, by its listing: A of the NYSE, B of all exchanges but these two, C of Nasdaq.
"""

from collections.abc import Mapping

__all__ = ["EXCHANGES", "LISTING", "MIX", "exchange_number", "tape_of"]

EXCHANGES = {
    "A": "NYSE American",
    "B": "Nasdaq Texas",
    "C": "NYSE National",
    "D": "FINRA, trades off exchange",
    "F": "Texas Stock Exchange",
    "G": "24X National Exchange",
    "H": "MIAX Pearl",
    "J": "Cboe EDGA",
    "K": "Cboe EDGX",
    "L": "Long-Term Stock Exchange",
    "M": "NYSE Texas",
    "N": "New York Stock Exchange",
    "P": "NYSE Arca",
    "Q": "Nasdaq, on tape C",
    "T": "Nasdaq, on tapes A and B",
    "U": "MEMX",
    "V": "IEX",
    "X": "Nasdaq PSX",
    "Y": "Cboe BYX",
    "Z": "Cboe BZX",
}
"""Where trades are made, by letter."""

LISTING = {"N": "A", "A": "B", "F": "B", "M": "B", "P": "B", "V": "B", "Z": "B", "Q": "C"}
"""The exchanges that list, and the tape of what they list."""

_AWAY = {"D": 450, "K": 60, "Z": 50, "U": 40, "V": 30, "Y": 15, "J": 15}
_AWAY |= {"H": 13, "B": 5, "C": 5, "X": 5, "M": 3, "F": 1, "G": 1, "L": 2, "A": 5}

MIX: Mapping[str, Mapping[str, int]] = {
    "A": _AWAY | {"N": 180, "T": 80, "P": 40},
    "B": _AWAY | {"P": 160, "T": 100, "N": 40},
    "C": _AWAY | {"Q": 200, "P": 60, "N": 40},
}
"""By tape, how many of a thousand trades are made where: plausible, and nearly half of them off exchange, as in 2025."""

_NUMBERS = {letter: number for number, letter in enumerate(EXCHANGES, 1)}


def exchange_number(letter: str | None) -> int:
    """
    Give the number of an exchange, from 1; None: 0, no exchange is told.

    Raises:
        ValueError: there is none with this letter.
    """
    if letter is None:
        return 0
    if not isinstance(letter, str) or letter not in _NUMBERS:
        raise ValueError(f"exchange {letter!r} is not one of {', '.join(EXCHANGES)}")
    return _NUMBERS[letter]


def tape_of(listing: str) -> str:
    """
    Give the tape of a symbol that is listed on an exchange; none, ``""``, if that isn't told.

    Raises:
        ValueError: the exchange lists nothing.
    """
    if listing and listing not in LISTING:
        raise ValueError(
            f"exchange {listing!r} lists nothing; those that do are {', '.join(LISTING)}"
        )
    return LISTING.get(listing, "")
