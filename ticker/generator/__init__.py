"""From the processes of a model to trades and quotes, block by block."""
