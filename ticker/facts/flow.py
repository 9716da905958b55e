"""Facts about the order flow: arrivals, signs, spreads, volume, and the shape of the day."""

import numpy as np

from ticker.facts.measures import correlation, deseasonalised
from ticker.facts.verdict import Band, Verdict
from ticker.facts.view import View, median

__all__ = ["FLOW_FACTS"]

_DAY = 390


def bounce(view: View) -> Verdict:
    """Fact 1b: trade prices jump between bid and ask, so that their changes turn back at once, and only once."""
    found = view.panel.bounce()[view.kept]
    later = np.abs(np.nanmedian(found[:, 1:], axis=0)).max() if len(found) else np.nan
    return Verdict(
        "1b",
        "bid-ask bounce",
        {"ACF lag 1": median(found[:, 0]), "largest |ACF|, lags 2-10": float(later)},
        {"ACF lag 1": Band(-0.5, -0.02), "largest |ACF|, lags 2-10": Band(high=0.05)},
        "Roll 1984",
        missing=_trades(view, 500),
    )


def volume_and_volatility(view: View) -> Verdict:
    """Fact 10: busy minutes are volatile minutes, also without the shape of the day."""
    volume = deseasonalised(view.column("volume"))
    return Verdict(
        "10",
        "volume and volatility",
        {"corr(volume, |r|)": median(correlation(volume, view.size))},
        {"corr(volume, |r|)": Band(0.15, 0.8)},
        "Cont 2001, fact 10; Ratliff-Crain et al. 2025",
        missing=view.lack(minutes=300),
    )


def day_shape(view: View) -> Verdict:
    """Fact 11: the day begins wild and busy, calms down, and ends busy."""
    measured = {}
    for name, values in (
        ("|r|", np.abs(view.returns)),
        ("volume", view.column("volume")),
    ):
        if values.shape[2] == _DAY:
            middle = values[:, :, 150:270].mean(axis=(1, 2))
            with np.errstate(invalid="ignore", divide="ignore"):
                measured[f"{name} open/mid"] = median(values[:, :, :30].mean(axis=(1, 2)) / middle)
                measured[f"{name} close/mid"] = median(
                    values[:, :, -30:].mean(axis=(1, 2)) / middle
                )
    bands = (Band(1.5, 4), Band(1.1, 2.5), Band(1.5, 4), Band(1.5, 5))
    lack = view.lack(session=_DAY, minutes=5 * _DAY)
    return Verdict(
        "11",
        "intraday shape",
        measured,
        dict(zip(measured, bands, strict=False)),
        "Wood et al. 1985; Ozenbas 2008",
        missing=lack,
    )


def clustered_arrivals(view: View) -> Verdict:
    """Fact 13: trades come in bursts."""
    second, minute = (median(f[view.kept]) for f in view.panel.fano())
    return Verdict(
        "13",
        "clustered arrivals",
        {"Fano factor, 1 s": second, "60 s": minute},
        {"Fano factor, 1 s": Band(1.3, minute), "60 s": Band(3, 40)},
        "Hawkes 1971; Filimonov, Sornette 2012",
        missing=view.lack(session=10) or _trades(view, 500),
    )


def sign_memory(view: View) -> Verdict:
    """Fact 14: buyers follow buyers."""
    found = view.panel.signs()[view.kept]
    return Verdict(
        "14",
        "order-sign memory",
        {"ACF lag 1": median(found[:, 0]), "lag 20": median(found[:, 19])},
        {"ACF lag 1": Band(0.1, 0.6), "lag 20": Band(low=0.02)},
        "Lillo, Farmer 2004; signs by Lee, Ready 1991",
        missing=_trades(view, 500),
    )


def spreads(view: View) -> Verdict:
    """Fact 15: at least a tick wide, tight where much is traded, wider when it is volatile."""
    spread, count = view.column("spread"), view.column("volume").sum(axis=(1, 2))
    liquid = count >= np.median(count)
    # The volatility of the minutes around: a single minute's return says little about it.
    size = np.abs(view.returns)
    width = min(15, size.shape[2])
    kernel = np.full(width, 1 / width)
    smooth = np.apply_along_axis(np.convolve, 2, size, kernel, mode="same")
    return Verdict(
        "15",
        "spread",
        {
            "crossed or locked quotes": float(view.panel.crossed),
            "smallest, ticks": float(view.panel.smallest),
            "liquid, ticks": median(spread.mean(axis=(1, 2))[liquid]),
            "corr(spread, volatility)": median(correlation(spread, smooth)),
        },
        {
            "crossed or locked quotes": Band(high=0),
            "smallest, ticks": Band(low=1),
            "liquid, ticks": Band(1, 3),
            "corr(spread, volatility)": Band(low=1e-9),
        },
        "Wyart et al. 2008",
        missing=view.lack(minutes=30),
    )


def bar_shape(view: View) -> Verdict:
    """Fact 16: a bar's range is longer than its body."""
    opening, high, low, close = (view.column(c) for c in ("open", "high", "low", "close"))
    with np.errstate(invalid="ignore"):
        body = np.abs(np.log(close / opening))
        long = body > 1e-4
        ratio = np.where(long, np.log(high / low) / np.where(long, body, 1), np.nan)
    counted = np.isfinite(ratio).reshape(len(ratio), -1)
    total = np.nansum(ratio.reshape(len(ratio), -1), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        measured = {"mean range / body": median(total / counted.sum(axis=1))}
    return Verdict(
        "16",
        "shape of bars",
        measured,
        {"mean range / body": Band(1.2, 6)},
        "Feller 1951, of the range of a random walk",
        missing=view.lack(minutes=30),
    )


def _trades(view: View, each: int) -> str:
    least = view.lack()
    if least:
        return least
    mean = view.panel.trades / len(view.panel.sectors)
    return "" if mean >= each else f"{each} trades a symbol, not {mean:.0f}"


FLOW_FACTS = (
    bounce,
    volume_and_volatility,
    day_shape,
    clustered_arrivals,
    sign_memory,
    spreads,
    bar_shape,
)
