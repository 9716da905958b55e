"""
Counts open connections, in all and by address, and keeps what those of one address share. No I/O.

Of IPv6, an address is a network of 64 bits, as that is what one customer gets at least (RFC 6177, RFC 7421): who has one has
as many addresses in it as it likes. A link-local one is that of a machine.
"""

import ipaddress
from collections import Counter
from weakref import WeakValueDictionary

from feeds.admission.budget import ADDRESS_CONNECTIONS, Account
from feeds.admission.limits import RETRY_AFTER_S, Limits, Refusal
from feeds.admission.quota import ADDRESS_PACED, Quota
from feeds.errors import HttpCode

__all__ = ["MOST_ACCOUNTS", "Turnstile", "address_of"]

MOST_ACCOUNTS = 10_000
"""Addresses that something is remembered of."""


_NETWORK_BITS = 64


def address_of(host: str) -> str:
    """Give what counts as the address of a peer."""
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host)
    if address.ipv4_mapped is not None:  # on a socket for both
        return str(address.ipv4_mapped)
    if address.is_link_local or address.is_loopback:
        return str(address)
    return str(ipaddress.IPv6Network((int(address), _NETWORK_BITS), strict=False))


class Turnstile:
    """
    Counts open connections, in all and by address, and refuses those over a limit.

    Args:
        limits: how many there may be.
        refused: counts those that can't, by the error's code; None: nobody asks.
    """

    def __init__(self, limits: Limits, refused: Counter[str] | None = None) -> None:
        self._limits = limits
        self._refused: Counter[str] = Counter() if refused is None else refused
        self._by_address: Counter[str] = Counter()
        self._accounts: dict[str, Account] = {}
        self._quotas: WeakValueDictionary[str, Quota] = WeakValueDictionary()
        self.inside = 0
        """Connections that came in and haven't left."""

    def enter(self, address: str) -> Refusal | None:
        """Count a connection in, or say why not; who came in must :meth:`leave`."""
        refusal = self._why_not(address)
        if refusal is None:
            self.inside += 1
            self._by_address[address] += 1
        else:
            self._refused[refusal.code] += 1
        return refusal

    def leave(self, address: str) -> None:
        """Count a connection out."""
        self.inside -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    def account(self, address: str, now: float) -> Account:
        """
        Give what all connections from an address have together.

        It outlives the last of them, so that connecting again doesn't get rid of a debt.

        Args:
            address: whose.
            now: the time in seconds, from any origin.
        """
        found = self._accounts.get(address)
        if found is None:
            if len(self._accounts) >= MOST_ACCOUNTS:
                self._forget(now)
            found = self._accounts[address] = Account.of(self._limits, self._clients, now)
        return found

    def _forget(self, now: float) -> None:
        """Forget those of whom there is nothing to remember; where there are still too many, a tenth of all, the oldest."""
        self._accounts = {a: b for a, b in self._accounts.items() if not b.full(now)}
        too_many = len(self._accounts) - MOST_ACCOUNTS * 9 // 10
        for address in [*self._accounts][: max(0, too_many)]:
            del self._accounts[address]

    def quota(self, address: str) -> Quota:
        """Give what all connections from an address may have together at a pace; kept as long as one of them keeps it."""
        found = self._quotas.get(address)
        if found is None:
            found = self._quotas[address] = Quota(round(ADDRESS_PACED * self._clients))
        return found

    @property
    def _clients(self) -> float:
        """As how many clients of the usual kind an address counts: behind a proxy, it is let have many connections."""
        return max(1.0, self._limits.max_per_address / ADDRESS_CONNECTIONS)

    def _why_not(self, address: str) -> Refusal | None:
        limits = self._limits
        if self._by_address[address] >= limits.max_per_address:
            text = f"{limits.max_per_address} connections from {address}; no more are allowed"
            return Refusal(429, HttpCode.TOO_MANY_FROM_ADDRESS, text, RETRY_AFTER_S)
        if self.inside >= limits.max_connections:
            text = f"{limits.max_connections} connections; no more are allowed"
            return Refusal(503, HttpCode.TOO_MANY_CONNECTIONS, text, RETRY_AFTER_S)
        return None
