"""
Trading status: whether a symbol trades, and the codes that say why it doesn't.

Reason codes are those of the US tape, as Nasdaq Trader lists them ("Trade Halt Codes") and the UTP and CTA plans use
them. Rows of a batch hold numbers: a status is its position in :data:`STATUSES`, a reason its position in
:data:`REASONS`.
"""

__all__ = [
    "EXTENDED",
    "QUOTES_IN",
    "REASONS",
    "REGULAR",
    "STATUSES",
    "TRADES_IN",
    "reason_number",
    "status_number",
]

STATUSES = (
    "trading",
    "limit_state",
    "quoting",
    "paused",
    "halted",
    "closed",
    "pre_market",
    "post_market",
    "straddle_state",
)
"""
What a symbol may be in.

``trading``; ``limit_state``, in which one side of the quote stands at a price band; ``quoting``, in which there are
quotes and no trades, as before a reopening; ``paused`` for volatility; ``halted`` for any other reason; ``closed``; ``pre_market`` and ``post_market``, the sessions before
and after the regular one; ``straddle_state``, in which the bid is below the bands or the ask above them.
"""

EXTENDED = frozenset({"pre_market", "post_market"})
"""Sessions outside of regular hours."""

REGULAR = frozenset({"trading", "limit_state", "straddle_state"})
"""In which of them it trades in regular hours."""

TRADES_IN = REGULAR | EXTENDED
"""In which of them the market makes trades."""

QUOTES_IN = TRADES_IN | {"quoting"}
"""In which of them the market makes quotes."""

REASONS: dict[str | None, str] = {
    None: "",
    "T1": "halt: news pending",
    "T2": "halt: news released",
    "T3": "news and resumption times",
    "T5": "single-stock trading pause in effect",
    "T6": "halt: extraordinary market activity",
    "T7": "single-stock trading pause, quotations have resumed",
    "T8": "halt: exchange-traded fund",
    "T12": "halt: additional information requested",
    "H4": "halt: non-compliance",
    "H9": "halt: not current",
    "H10": "halt: SEC trading suspension",
    "H11": "halt: regulatory concern",
    "O1": "operations halt",
    "IPO1": "new issue not yet trading",
    "M1": "corporate action",
    "M2": "quotation not available",
    "LUDP": "volatility trading pause",
    "LUDS": "volatility trading pause, straddle condition",
    "MWC1": "market-wide circuit breaker, level 1",
    "MWC2": "market-wide circuit breaker, level 2",
    "MWC3": "market-wide circuit breaker, level 3",
    "MWCQ": "market-wide circuit breaker, resumption",
    "R4": "qualifications issues reviewed, resumption",
    "R9": "filing requirements satisfied, resumption",
    "C3": "news not forthcoming, resumption",
    "C4": "qualifications halt ended, resumption",
    "C9": "qualifications halt concluded, resumption",
    "C11": "halt by another authority concluded, resumption",
    "R1": "new issue available",
    "R2": "issue available",
    "D": "deleted",
}
"""The reason codes, and what each means; None: no reason is given."""

_REASON_NUMBERS = {reason: number for number, reason in enumerate(REASONS)}


def status_number(status: str) -> int:
    """
    Give the number of a status.

    Raises:
        ValueError: there is no such status.
    """
    if status not in STATUSES:
        raise ValueError(f"status {status!r} is not one of {', '.join(STATUSES)}")
    return STATUSES.index(status)


def reason_number(reason: str | None) -> int:
    """
    Give the number of a reason.

    Raises:
        ValueError: there is no such reason.
    """
    if reason not in _REASON_NUMBERS:
        raise ValueError(f"reason {reason!r} is not one of {', '.join(filter(None, REASONS))}")
    return _REASON_NUMBERS[reason]
