"""The state of one connection: requests in, replies out. No I/O."""
