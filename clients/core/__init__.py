"""What ``client`` is made of: connecting, reconnecting, resuming, falling back, decoding."""
