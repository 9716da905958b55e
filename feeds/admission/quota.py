"""Quotas: what the connections of one address may have together of what all have in common. No I/O."""

__all__ = ["ADDRESS_PACED", "MOST_RATES", "Quota"]

ADDRESS_PACED = 200_000
"""
Symbols times channels with ``latest`` that one address may have, of the 2,000,000 that there are; more where it may have more
connections than :data:`feeds.admission.budget.ADDRESS_CONNECTIONS`.
"""

MOST_RATES = 16
"""Different rates of ``latest`` on one connection."""


class Quota:
    """
    How much is taken of what one address may have.

    Args:
        most: what it may have.
    """

    __slots__ = ("__weakref__", "most", "taken")

    def __init__(self, most: int = ADDRESS_PACED) -> None:
        self.most, self.taken = most, 0

    def room(self, more: int) -> bool:
        """Tell whether so much more may be taken."""
        return self.taken + more <= self.most
