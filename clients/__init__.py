"""Clients of the feed. They import nothing of the market and the server: copy what you need."""
