"""The rules of the US market at work: sessions, auctions, price bands, pauses, circuit breakers."""
