"""What happened before the market started, made backwards: days, bars, trades, quotes."""
