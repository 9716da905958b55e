"""Bytes on their way out: frames and envelopes around encoded events, shared compression, and the seam to the socket."""
