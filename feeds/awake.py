"""How long this process has been running, not how long ago it began: a pause of it counts for nothing."""

from collections.abc import Callable

__all__ = ["PAUSE_S", "Awake"]

PAUSE_S = 1.0
"""From how long on this process is taken to have been stopped, where it looks at the time far more often."""


class Awake:
    """
    Real seconds in which this process runs, from any origin; it must look at them often.

    A process may be stopped for a while, as by ``SIGSTOP``, ``docker pause``, a debugger, or a virtual machine that stands
    still. Then it has not read what its clients sent, nor seen what they took, and must not hold that against them.

    Args:
        monotonic: gives all real seconds.
        longest_s: between two looks; what is longer was a pause, and doesn't count.
        usual_s: between two looks, where that is long: a pause counts as that much, so that time goes on, if slowly, where
            somebody looks late each time because there is so much else to do.
    """

    __slots__ = ("_longest_s", "_lost", "_monotonic", "_seen", "_usual_s")

    def __init__(
        self,
        monotonic: Callable[[], float],
        longest_s: float = PAUSE_S,
        usual_s: float = 0.0,
    ) -> None:
        self._monotonic, self._usual_s = monotonic, usual_s
        self._longest_s = longest_s + usual_s
        self._seen, self._lost = monotonic(), 0.0

    def __call__(self) -> float:
        now = self._monotonic()
        passed = now - self._seen
        if passed > self._longest_s:
            self._lost += passed - self._usual_s
        self._seen = now
        return now - self._lost
