"""Connections that last, WebSocket and plain HTTP: how they begin, what is said on them, and how they end."""
