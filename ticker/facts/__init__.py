"""The literature's stylised facts of markets, and verdicts on whether a tape shows them."""

from ticker.facts.judge import NothingToJudgeError, judge
from ticker.facts.panel import Panel
from ticker.facts.simulate import simulate
from ticker.facts.ticks import Ticks
from ticker.facts.verdict import Band, Verdict, accepted

__all__ = [
    "Band",
    "NothingToJudgeError",
    "Panel",
    "Ticks",
    "Verdict",
    "accepted",
    "judge",
    "simulate",
]
