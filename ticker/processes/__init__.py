"""The processes that a model is made of: the walk, shocks, volatility, arrivals, signs, spreads. Each names its source."""
