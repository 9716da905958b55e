"""What is done in turns, but not in each of them."""

from feeds.clock import Clock

__all__ = ["Rest"]


class Rest:
    """
    The time after something was done, in which it isn't done again.

    Args:
        clock: tells it. On one without a pace there is no rest: a turn is what somebody asked for.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = clock.seconds()

    def over(self, seconds: float) -> bool:
        """Tell whether it is time again; if so, begin a rest of so many seconds."""
        now = self._clock.seconds()
        if self._clock.speed and now < self._until:
            return False
        self._until = now + seconds
        return True
