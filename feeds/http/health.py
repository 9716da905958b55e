"""Whether the feed is healthy: one function decides, and ``/health`` and ``/metrics`` report it."""

from typing import Any

from feeds.clock import Clock
from feeds.engine.pump import Pump

__all__ = ["Health", "describe"]


class Health:
    """
    The health of one pump.

    *Stalled* is a pump that has not finished a turn for some time though it should have, as something in it waits for
    ever; and one whose market is that far behind its clock: it gives more events than this machine can write. A clock that stands still until it is moved asks
    for no turn, so that is never stalled; one that goes as fast as clients read says itself when there is nothing to do.

    Args:
        pump: what is judged.
        clock: its clock.
        stall_timeout: seconds without a finished turn, or behind the clock, after which it is stalled.
    """

    def __init__(self, pump: Pump, clock: Clock, stall_timeout: float) -> None:
        self._pump, self._stall_timeout = pump, stall_timeout
        self._turns_by_itself = clock.speed > 0 or clock.drains

    def state(self) -> dict[str, Any]:
        """Give ``status``, which is ``ok``, ``stalled`` or ``failed``, and what there is to say about it."""
        if self._pump.failure is not None:
            return {"status": "failed", "error": describe(self._pump.failure)}
        timing = self._pump.timing
        since = timing.timer() - timing.finished
        if self._turns_by_itself and since > self._stall_timeout:
            return {"status": "stalled", "stalled_s": round(since, 3)}
        if (behind := self._pump.behind_s) > self._stall_timeout:
            return {"status": "stalled", "behind_s": round(behind, 3)}
        return {"status": "ok"}

    @property
    def ok(self) -> bool:
        """Whether there is nothing to say."""
        return bool(self.state()["status"] == "ok")


def describe(error: BaseException) -> str:
    """Tell an error in one line: what it is, what it says, and the place in the code that it comes from."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return text
    path = trace.tb_frame.f_code.co_filename.replace("\\", "/").split("/")
    return f"{text} ({'/'.join(path[-2:])}:{trace.tb_lineno})"
