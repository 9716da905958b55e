"""
Sale conditions: what is special about a trade, and whether it moves the last price, high and low, and the volume.

The codes are those of tape C, and what each may move is what the tapes say of the consolidated last, high, low and volume: UTP
Plan, "UTDF: UTP Trade Data Feed" specification, and CTA Plan, "CTS: Consolidated Tape System" specification, tables of sale
conditions. Tapes A and B have the same ones, but neither ``A`` nor ``1``, and ``B`` instead of ``W``; here ``W`` is on all. A regular sale (``@``
there) has no condition here. Where the plans let a trade be the last price only if the day had no other one yet, it never is here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["CONDITIONS", "Condition", "condition_bits", "condition_codes"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, and what a trade that has it moves; of several, each has a veto."""

    code: str
    name: str
    last: bool = True
    """Whether it may be the last price, and so the open of a day and the open and close of a bar."""
    range: bool = True
    """Whether it counts for high and low."""
    volume: bool = True
    """Whether its shares count."""


def _only_volume(code: str, name: str) -> Condition:
    return Condition(code, name, last=False, range=False)


CONDITIONS = (
    Condition("A", "acquisition"),
    _only_volume("C", "cash sale"),
    Condition("F", "intermarket sweep"),
    _only_volume("H", "price variation trade"),
    _only_volume("I", "odd lot trade"),
    Condition("K", "rule 155 trade"),
    Condition("M", "market center official close", last=False, range=False, volume=False),
    _only_volume("N", "next day"),
    Condition("O", "opening print"),
    Condition("P", "prior reference price", last=False),
    Condition("Q", "market center official open", last=False, range=False, volume=False),
    _only_volume("R", "seller"),
    _only_volume("T", "extended hours trade"),
    _only_volume("U", "extended hours trade, sold out of sequence"),
    _only_volume("V", "contingent trade"),
    _only_volume("W", "average price trade"),
    Condition("X", "cross trade"),
    Condition("Z", "sold out of sequence", last=False),
    Condition("1", "stopped stock, regular trade"),
    Condition("4", "derivatively priced", last=False),
    Condition("5", "reopening print"),
    Condition("6", "closing print"),
    _only_volume("7", "qualified contingent trade"),
)
"""All conditions that a trade may have, in the order in which a trade tells them."""

_BITS = {condition.code: 1 << number for number, condition in enumerate(CONDITIONS)}


def condition_bits(codes: Iterable[str]) -> int:
    """
    Give conditions as one number: a bit for each, the first of :data:`CONDITIONS` the lowest.

    Raises:
        ValueError: one of them is unknown.
    """
    bits = 0
    for code in codes:
        if not isinstance(code, str) or code not in _BITS:
            raise ValueError(f"condition {code!r} is not one of {', '.join(_BITS)}")
        bits |= _BITS[code]
    return bits


def condition_codes(bits: int) -> tuple[str, ...]:
    """Give the codes of conditions that are one number."""
    return tuple(code for code, bit in _BITS.items() if bits & bit)
