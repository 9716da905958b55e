"""When the market trades, and how busy it is: holidays, sessions, the shape of a day."""
