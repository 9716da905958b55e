"""Who gets in, and how much they may use: listening, TLS, tokens, origins, connections, requests, unread answers."""
