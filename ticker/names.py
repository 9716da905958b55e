"""The built-in instruments: thirty well-known US names, and any number of synthetic ones."""

from ticker.instruments import Instrument
from ticker.randomness.noise import key
from ticker.reference.rules import round_lot

__all__ = ["FAMOUS", "SECTORS", "synthetic"]

SECTORS = (
    *("Technology", "Communication", "Consumer", "Financials", "Health Care", "Staples", "Energy"),
    *("Industrials", "Materials", "Utilities", "Real Estate"),
)
"""The eleven sectors of the usual US classification, by their short names."""

_TECH, _COMM, _CONS, _FIN, _HEALTH, _STAPLES, _ENERGY = SECTORS[:7]

# symbol, name, sector, price, volatility, spread in ticks, activity, where it is listed (as of 2026). Only the
# listing is real: nobody should mistake the numbers for today's.
_FAMOUS_ROWS = (
    ("AAPL", "Apple Inc.", _TECH, 187.43, 0.26, 1.3, 1.9, "Q"),
    ("MSFT", "Microsoft Corp.", _TECH, 428.10, 0.24, 2.6, 1.5, "Q"),
    ("NVDA", "NVIDIA Corp.", _TECH, 131.26, 0.48, 1.2, 2.6, "Q"),
    ("AMZN", "Amazon.com Inc.", _CONS, 186.54, 0.30, 1.4, 1.7, "Q"),
    ("GOOGL", "Alphabet Inc. Class A", _COMM, 165.80, 0.28, 1.4, 1.5, "Q"),
    ("META", "Meta Platforms Inc.", _COMM, 563.33, 0.35, 4.8, 1.3, "Q"),
    ("TSLA", "Tesla Inc.", _CONS, 248.98, 0.58, 2.4, 2.3, "Q"),
    ("AVGO", "Broadcom Inc.", _TECH, 172.50, 0.40, 2.5, 1.2, "Q"),
    ("BRK.B", "Berkshire Hathaway Inc. Class B", _FIN, 457.20, 0.15, 5.5, 0.6, "N"),
    ("JPM", "JPMorgan Chase & Co.", _FIN, 211.40, 0.21, 2.0, 0.9, "N"),
    ("V", "Visa Inc. Class A", _FIN, 276.15, 0.19, 2.6, 0.7, "N"),
    ("MA", "Mastercard Inc. Class A", _FIN, 494.30, 0.20, 6.2, 0.5, "N"),
    ("UNH", "UnitedHealth Group Inc.", _HEALTH, 584.70, 0.25, 9.5, 0.5, "N"),
    ("XOM", "Exxon Mobil Corp.", _ENERGY, 117.22, 0.24, 1.1, 1.0, "N"),
    ("JNJ", "Johnson & Johnson", _HEALTH, 161.90, 0.15, 1.6, 0.7, "N"),
    ("PG", "Procter & Gamble Co.", _STAPLES, 172.64, 0.16, 1.7, 0.6, "N"),
    ("HD", "Home Depot Inc.", _CONS, 402.85, 0.22, 6.4, 0.5, "N"),
    ("COST", "Costco Wholesale Corp.", _STAPLES, 887.10, 0.21, 18.0, 0.5, "Q"),
    ("WMT", "Walmart Inc.", _STAPLES, 80.72, 0.18, 1.0, 1.1, "Q"),
    ("KO", "Coca-Cola Co.", _STAPLES, 71.60, 0.14, 1.0, 0.8, "N"),
    ("PEP", "PepsiCo Inc.", _STAPLES, 169.35, 0.16, 1.8, 0.5, "Q"),
    ("MRK", "Merck & Co. Inc.", _HEALTH, 113.45, 0.21, 1.1, 0.7, "N"),
    ("ABBV", "AbbVie Inc.", _HEALTH, 196.40, 0.22, 1.9, 0.5, "N"),
    ("LLY", "Eli Lilly and Co.", _HEALTH, 886.20, 0.32, 22.0, 0.5, "N"),
    ("BAC", "Bank of America Corp.", _FIN, 39.68, 0.25, 1.0, 1.3, "N"),
    ("NFLX", "Netflix Inc.", _COMM, 706.90, 0.33, 14.0, 0.6, "Q"),
    ("AMD", "Advanced Micro Devices Inc.", _TECH, 160.12, 0.46, 1.5, 1.6, "Q"),
    ("INTC", "Intel Corp.", _TECH, 23.45, 0.44, 1.0, 1.3, "Q"),
    ("DIS", "Walt Disney Co.", _COMM, 96.20, 0.26, 1.1, 0.7, "N"),
    ("NKE", "Nike Inc. Class B", _CONS, 84.10, 0.28, 1.1, 0.5, "N"),
)

# The mean activity is exactly 1, so that a rate means what it says for the default market.
_MEAN_ACTIVITY = sum(row[6] for row in _FAMOUS_ROWS) / len(_FAMOUS_ROWS)

FAMOUS = tuple(
    Instrument(
        symbol=symbol,
        name=name,
        sector=sector,
        price=price,
        volatility=volatility,
        spread=spread,
        round_lot=round_lot(price),
        activity=round(activity / _MEAN_ACTIVITY, 6),
        exchange=exchange,
        tier=1,
    )
    for symbol, name, sector, price, volatility, spread, activity, exchange in _FAMOUS_ROWS
)
"""Thirty well-known US names, with plausible data."""

_FIRST = (
    *("Alder", "Birch", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Iris"),
    *("Juniper", "Kestrel"),
)
_SECOND = (
    *("Ridge", "Field", "Point", "Bridge", "Works", "Line", "Gate", "Stone", "Wave", "Peak"),
    *("Forge", "Loop", "Vale"),
)
_LAST = (
    *("Systems", "Networks", "Stores", "Capital", "Therapeutics", "Foods", "Energy"),
    *("Industries", "Materials", "Power", "Properties"),
)  # by sector
_FAMOUS_SYMBOLS = frozenset(i.symbol for i in FAMOUS)
_FOUR_LETTERS = 26**4


def synthetic(which: int | str) -> Instrument:
    """
    Invent an instrument: the ``which``-th of an endless list, or the one of that symbol.

    Its data depend on its symbol alone. The activities have mean 1 over many symbols.
    """
    symbol = which if isinstance(which, str) else _symbol(which)
    draw = key(0, "instrument", symbol)
    sector = draw % 11
    first, second = _FIRST[draw // 11 % 11], _SECOND[draw // 121 % 13]
    u1, u2, u3 = ((draw >> shift & 0xFFF) / 4096 for shift in (16, 28, 40))
    price = round(8.0 * 50.0**u1, 2)
    return Instrument(
        symbol=symbol,
        name=f"{first}{second.lower()} {_LAST[sector]}",
        sector=SECTORS[sector],
        price=price,
        volatility=round(0.15 + 0.4 * u2 * u2, 4),
        spread=round(max(1.0, price * (0.00008 + 0.00025 * u3) / 0.01), 2),
        round_lot=round_lot(price),
        activity=round(0.25 + 1.5 * u3, 4),
        exchange="NQ"[draw >> 15 & 1],
    )


def _symbol(index: int) -> str:
    # A walk through all four-letter words that visits each once: the multiplier shares no factor with 26.
    # Nothing famous has four letters twice, so skipping those keeps the words distinct.
    number = (index * 182_141 + 101_027) % _FOUR_LETTERS
    letters = ""
    for _ in range(4):
        number, letter = divmod(number, 26)
        letters += chr(65 + letter)
    return letters if letters not in _FAMOUS_SYMBOLS else letters + ".S"
