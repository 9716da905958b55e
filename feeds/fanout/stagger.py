"""
Staggered turns: while writing to everybody takes a good part of a turn, each turn writes to one phase of the members.

An event waits for the end of its turn, and then for its place in the loop over connections. Where that loop takes as long
as a turn, the two are half a turn each, on average. With four phases, turns are four times shorter, and each writes all
that is pending to a quarter of the members. An event then waits half a turn and an eighth; at the pace of turns there are no
more writes than before. Where turns come sooner than that (see :class:`feeds.clock.ScaledClock`) and take little time, whole
ones are quicker: they are few writes each, and there is no phase to wait for.
"""

from feeds.fanout.roster import PHASES, Roster

__all__ = ["Stagger"]

_BUSY = 0.5
"""Begin where writing takes this share of a turn, on average."""
_QUIET = 0.55
"""End where it takes less than this: more, since there are more turns than there would be otherwise."""
_NEWEST = 1 / 16
"""Weight of the newest turn in the average."""
_FEWEST = 64
"""Members that it is worth while for."""
_LOOK_TURNS = 256
_UNEVEN = 1.5


class Stagger:
    """
    Chooses whom each turn writes to.

    Args:
        roster: who there is.
        turn_s: the pace of turns, in real seconds; 0: they have none, and aren't staggered.
    """

    def __init__(self, roster: Roster, turn_s: float) -> None:
        self._roster, self._turn_s = roster, turn_s
        self.phase: int | None = None
        """The phase to write to next; None: everybody."""
        self._pending = [0] * PHASES  # events, by phase
        self._on = False
        self._took = 0.0
        self._turns = 0
        self._mean = 0.0

    @property
    def share(self) -> float:
        """How much of a turn it is until the next."""
        return 1.0 if self.phase is None else 1 / PHASES

    @property
    def waiting(self) -> bool:
        """Whether something is pending for a phase to come."""
        return any(self._pending)

    def has_room(self, events: int, most: int) -> bool:
        """Tell whether so many more events can wait for the next phases, and no message would have more than ``most``."""
        return max(self._pending) + events <= most

    def published(self, events: int) -> None:
        """Note that so many more are pending, for everybody."""
        self._pending = [pending + events for pending in self._pending]

    def written(self, phase: int | None) -> None:
        """Note that nothing is pending any more for a phase; None: for nobody."""
        if phase is None:
            self._pending = [0] * PHASES
        else:
            self._pending[phase] = 0

    def wrote(self, took: float) -> None:
        """Note that the phase was written to, and how long that took, in seconds; then decide again whether to stagger."""
        self._took += took
        if self.phase is None:
            self._note()
            if self._on or (self._mean > _BUSY * self._turn_s > 0 and self._worth_while()):
                self._roster.spread()
                self._on, self.phase, self._mean = True, 0, self._turn_s
            return
        self.phase += 1
        if self.phase < PHASES:
            return
        self._note()
        self._turns += 1
        self.phase = 0
        if self._mean < _QUIET * self._turn_s:
            self._on, self.phase, self._mean = False, None, 0.0
        elif self._turns % _LOOK_TURNS == 0 and self._uneven():
            self.phase = None  # everybody, once: nothing may be pending for those who change over

    def _note(self) -> None:
        """Note that everybody was written to. A hiccup counts as one full turn, however long it was."""
        self._mean += (min(self._took, self._turn_s) - self._mean) * _NEWEST
        self._took = 0.0

    def _worth_while(self) -> bool:
        return sum(self._roster.sizes()) >= _FEWEST

    def _uneven(self) -> bool:
        sizes = self._roster.sizes()
        return max(sizes) * PHASES > _UNEVEN * sum(sizes)
