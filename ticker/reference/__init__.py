"""What the US tapes call things: exchanges, sale conditions, trading status; and the market's rules, as data."""
