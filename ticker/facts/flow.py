"""Facts about the order flow: arrivals, signs, spreads, volume, and the shape of the day."""

import numpy as np

from ticker.facts.fact import Measured, fact
from ticker.facts.measures import correlation, deseasonalised
from ticker.facts.verdict import Band
from ticker.facts.view import View, median

__all__ = ["FLOW_FACTS"]

_DAY = 390
_SMOOTH = 15


# Of n trades that know nothing of each other, two of three autocorrelations are within 1 / sqrt(n): there must be enough of them
# that this is far less than what is between the band and a market.
@fact("1b", "bid-ask bounce", "Roll 1984", trades=500, together=3_000)
def bounce(view: View) -> Measured:
    """Trade prices jump between bid and ask, so that their changes turn back at once, and only once."""
    found = view.panel.bounce()[view.kept]
    later = np.abs(np.nanmedian(found[:, 1:], axis=0)).max()
    return {
        "ACF lag 1": (median(found[:, 0]), Band(-0.5, -0.02)),
        "largest |ACF|, lags 2-10": (float(later), Band(high=0.05)),
    }


@fact("10", "volume and volatility", "Cont 2001, fact 10", minutes=300, trades=300)
def volume_and_volatility(view: View) -> Measured:
    """Busy minutes are volatile minutes, also without the shape of the day; in clock time (Ratliff-Crain et al. 2025)."""
    volume = deseasonalised(view.column("volume"))
    return {"corr(volume, |r|)": (median(correlation(volume, view.size)), Band(0.15, 0.8))}


@fact(
    "11",
    "intraday shape",
    "Wood et al. 1985; Ozenbas 2008",
    session=_DAY,
    sessions=5,
    trades=500,
)
def day_shape(view: View) -> Measured:
    """The day begins wild and busy, calms down, and ends busy."""
    size, volume = np.abs(view.returns), view.column("volume")
    early, noon, late = slice(0, 30), slice(150, 270), slice(-30, None)
    bands = {
        ("|r|", "open"): (size, early, Band(1.5, 4)),
        ("|r|", "close"): (size, late, Band(1.1, 2.5)),
        ("volume", "open"): (volume, early, Band(1.5, 4)),
        ("volume", "close"): (volume, late, Band(1.5, 5)),
    }
    measured: Measured = {}
    for (name, end), (values, when, band) in bands.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = values[:, :, when].mean(axis=(1, 2)) / values[:, :, noon].mean(axis=(1, 2))
        measured[f"{name} {end}/noon"] = (median(ratio), band)
    return measured


@fact("13", "clustered arrivals", "Hawkes 1971; Filimonov, Sornette 2012", session=10, trades=500)
def clustered_arrivals(view: View) -> Measured:
    """Trades come in bursts."""
    second, minute = (median(f[view.kept]) for f in view.panel.fano())
    return {
        "Fano factor, 1 s": (second, Band(1.3, max(1.3, minute))),
        "Fano factor, 60 s": (minute, Band(3, 40)),
    }


@fact("14", "order-sign memory", "Lillo, Farmer 2004", trades=500, together=10_000, quoted=1)
def sign_memory(view: View) -> Measured:
    """Buyers follow buyers; who started a trade is told by Lee and Ready's rule."""
    found = view.panel.signs()[view.kept][view.quoted]
    return {
        "ACF lag 1": (median(found[:, 0]), Band(0.1, 0.6)),
        "ACF lag 20": (median(found[:, 19]), Band(low=0.02)),
    }


@fact("15", "spread", "Wyart et al. 2008", minutes=30, quoted=1)
def spreads(view: View) -> Measured:
    """At least a tick wide, tight where much is traded, wider when it is volatile."""
    spread, volume = (view.column(name)[view.quoted] for name in ("spread", "volume"))
    volume = volume.sum(axis=(1, 2))
    liquid = volume >= np.median(volume)
    # The volatility of the minutes around: a single minute's return says little about it.
    size = np.abs(view.returns[view.quoted])
    width = min(_SMOOTH, size.shape[2])
    kernel = np.full(width, 1 / width)
    smooth = np.apply_along_axis(np.convolve, 2, size, kernel, mode="same")
    return {
        "crossed or locked quotes": (float(view.panel.crossed), Band(high=0)),
        "smallest, ticks": (float(view.panel.smallest), Band(low=1)),
        "liquid half, ticks": (median(spread.mean(axis=(1, 2))[liquid]), Band(1, 3)),
        "corr(spread, volatility)": (median(correlation(spread, smooth)), Band(low=1e-9)),
    }


@fact("16", "shape of bars", "Feller 1951, range of a random walk", minutes=30, trades=100)
def bar_shape(view: View) -> Measured:
    """A bar's range is longer than its body, in bars whose body is longer than a basis point."""
    opening, high, low, close = (view.column(c) for c in ("open", "high", "low", "close"))
    symbols = len(opening)
    with np.errstate(invalid="ignore", divide="ignore"):
        body = np.abs(np.log(close / opening)).reshape(symbols, -1)
        long = body > 1e-4
        ratio = np.log(high / low).reshape(symbols, -1) / body
        mean = np.where(long, ratio, 0).sum(axis=1) / long.sum(axis=1)
    return {"mean range / body": (median(mean), Band(1.2, 6))}


FLOW_FACTS = (
    bounce,
    volume_and_volatility,
    day_shape,
    clustered_arrivals,
    sign_memory,
    spreads,
    bar_shape,
)
