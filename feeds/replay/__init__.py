"""Replay: files of trades and quotes, as tapes that a :class:`~ticker.replay.Replay` plays."""

from feeds.replay.file import FileTape
from feeds.replay.mapping import ColumnMap
from feeds.replay.options import Prepared, ReplayOptions

__all__ = ["ColumnMap", "FileTape", "Prepared", "ReplayOptions"]
