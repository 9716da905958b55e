"""Markets with the rules of the US market, for tests of them: at a time in New York."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from markets import COLUMNS, SECOND

from ticker.batch import TickBatch
from ticker.market import Market
from ticker.universe import Universe

__all__ = ["CHANGES", "NAMES", "market", "rows", "us"]

NEW_YORK = ZoneInfo("America/New_York")
NAMES = Universe.parse("AAPL,KO,COST")  # of two tapes; COST has lots of 40
CHANGES = {
    "2026-01-05T04:00": ("closed", "pre_market"),
    "2026-01-05T09:30": ("pre_market", "trading"),
    "2026-01-05T16:00": ("trading", "post_market"),
    "2026-01-05T20:00": ("post_market", "closed"),
    "2026-11-27T13:00": ("trading", "post_market"),
}


def us(text: str) -> int:
    """Unix time in microseconds of New York's time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * SECOND


def market(at: str, before_s: int = 3, **options: Any) -> Market:
    """A market with rules that starts some seconds before a time in New York."""
    own: dict[str, Any] = {"seed": 5, "rate": 40.0, "universe": NAMES}
    options = own | options
    start_us = us(at) - before_s * SECOND
    return Market(options.pop("universe"), rules="us", start_us=start_us, **options)


def rows(batch: TickBatch, channel: int, symbol: int | None = None) -> list[dict[str, Any]]:
    """Events of a channel as dicts."""
    found = zip(*(getattr(batch, name).tolist() for name in COLUMNS), strict=True)
    dicts = [dict(zip(COLUMNS, row, strict=True)) for row in found]
    return [d for d in dicts if d["channel"] == channel and symbol in (None, d["symbol"])]
