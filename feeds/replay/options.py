"""What a user wants replayed, and how; checked when it is made."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import log10
from pathlib import Path
from typing import Self

from feeds.errors import ConfigError
from feeds.replay.file import FileTape
from feeds.replay.mapping import ColumnMap
from ticker.instruments import SYMBOL_PATTERN
from ticker.replay import Replay, Terms
from ticker.tape import Survey, TapeError, TapeRows

__all__ = ["Prepared", "ReplayOptions"]

log = logging.getLogger("feeds")


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """
    Which file to replay, and how.

    Raises:
        ConfigError: an option isn't allowed; the message names it, its value and what is.
    """

    path: Path
    """NDJSON of ``tickerplant record``, or NDJSON, CSV or Parquet of trades and quotes."""
    columns: ColumnMap = field(default_factory=ColumnMap)
    """Which of its columns is what."""
    loop: bool = False
    """Whether to start over at its end."""
    rename: Mapping[str, str] = field(default_factory=dict)
    """Other names, by the symbol in the file."""
    scale: float = 1.0
    """Multiplies prices; a power of ten moves their grid along."""
    size_scale: float = 1.0
    """Multiplies sizes."""
    _known: list["Prepared"] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("scale", "size_scale"):
            value = getattr(self, name)
            if not 1e-9 <= value <= 1e12:
                raise ConfigError(
                    f"replay-{name.replace('_', '-')} {value!r} is not between 1e-09 and 1e+12"
                )
        for name in self.rename.values():
            if not SYMBOL_PATTERN.fullmatch(name):
                raise ConfigError(f"replay-rename: {name!r} is no symbol")

    @property
    def places(self) -> int | None:
        """By how many decimal places the scale moves prices to the left; None if it is no power of ten."""
        places = -round(log10(self.scale))
        return places if self.scale == float(f"1e{-places}") else None

    @classmethod
    def parse(cls, path: str, columns: str, rename: str, **options: float | bool) -> Self:
        """
        Read what a user typed.

        Raises:
            ConfigError: an option isn't allowed.
        """
        names: dict[str, str] = {}
        for part in filter(None, rename.split(",")):
            old, _, new = (piece.strip() for piece in part.partition("="))
            if not old or not new or old in names:
                raise ConfigError(f"replay-rename {part!r} is not OLD=NEW, or is there twice")
            names[old] = new
        return cls(Path(path), ColumnMap.parse(columns), rename=names, **options)  # type: ignore[arg-type]

    def prepare(self, progress: Callable[[float], None] | None = None) -> "Prepared":
        """
        Go through the whole file once: every value is checked before anybody is served.

        A second time it is only opened, as long as it hasn't changed: sessions and resets don't wait for it.

        Args:
            progress: is told from time to time how far that is, from 0 to 1.

        Raises:
            ConfigError: the file can't be read, or a value in it isn't allowed; the message names file, line and value.
        """
        for known in self._known:
            if (tape_again := known.tape.again()) is not None:
                return Prepared(self, tape_again, known.survey)
        try:
            tape = FileTape(self.path, self.columns, self.size_scale, places=self.places or 0)
            survey = Survey(_Watched(tape, progress) if progress else tape)
        except TapeError as error:
            text = str(error)
            raise ConfigError(text if str(self.path) in text else f"{self.path}: {text}") from error
        for what, count in tape.left_out.items():
            if count:
                log.warning("%s: left out %d %s", self.path, count, what)
        prepared = Prepared(self, tape, survey)
        self._known[:] = [prepared]
        return prepared


@dataclass(frozen=True, slots=True)
class Prepared:
    """A tape that was gone through, and can be played."""

    options: ReplayOptions
    tape: FileTape
    survey: Survey

    def replay(self, start_us: int, seed: int) -> Replay:
        """
        Give the replay.

        Args:
            start_us: its time at the start.
            seed: the seed that is told.

        Raises:
            ConfigError: a symbol or a price isn't allowed.
        """
        options = self.options
        scale = 1.0 if options.places is not None else options.scale
        terms = Terms(options.loop, scale, options.rename, self.tape.synthetic, seed)
        try:
            return Replay(self.tape, self.survey, terms, start_us)
        except TapeError as error:
            raise ConfigError(f"{options.path}: {error}") from error


class _Watched:
    """A tape that tells how far it is."""

    def __init__(self, tape: FileTape, progress: Callable[[float], None]) -> None:
        self._tape, self._progress = tape, progress

    @property
    def symbols(self) -> Sequence[str]:
        return self._tape.symbols

    def chunks(self) -> Iterator[TapeRows]:
        for rows in self._tape.chunks():
            yield rows
            self._progress(self._tape.done())
