"""The judge: verdicts on all facts about a panel, in the order of the literature's table."""

from ticker.facts.flow import FLOW_FACTS
from ticker.facts.panel import Panel
from ticker.facts.returns import RETURN_FACTS
from ticker.facts.verdict import Verdict
from ticker.facts.view import View

__all__ = ["NothingToJudgeError", "judge"]


class NothingToJudgeError(ValueError):
    """A tape has no symbol that anything could be said about."""


def judge(panel: Panel) -> list[Verdict]:
    """
    Give a verdict on each fact, by its number.

    Raises:
        NothingToJudgeError: no symbol of the panel was quoted in every session and moved.
    """
    view = View(panel)
    if not len(view.kept):
        raise NothingToJudgeError(
            "no symbol was quoted and moved in every session: there is nothing to judge"
        )
    verdicts = [fact.judge(view) for fact in (*RETURN_FACTS, *FLOW_FACTS)]
    return sorted(verdicts, key=lambda v: (int(v.number.rstrip("b")), v.number))
