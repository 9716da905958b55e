"""The market: seeded, vectorised, in integer ticks. Imports numpy and nothing else."""

__version__ = "0.1.0"
