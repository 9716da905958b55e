"""What a test commands and waits for: the market, its time, its events."""
