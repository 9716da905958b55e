"""
Which web pages may read: origins (RFC 6454) and hosts. No I/O.

A browser lets any page send requests to a server on this machine, and opens WebSockets for it without asking anybody. Two
things give such a page away: its ``Origin``, and, if its owner has pointed its own name at this machine (DNS
rebinding), the name in ``Host``, under which nobody else knows this server.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable

from feeds.admission.limits import Refusal
from feeds.errors import ConfigError, HttpCode

__all__ = ["Origins", "is_loopback"]

_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[^/?#@:\s\[\]]+)(?::(?P<port>\d{1,5}))?"
)
_HOST = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^/?#@:\s\[\]]+)(?::(?P<port>\d{1,5}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class Origins:
    """
    The origins from which pages may read.

    Args:
        host: the address that the server is bound to.
        allowed: further origins, such as ``https://app.example``, ``null``, or ``*`` for all.

    Raises:
        ConfigError: one of these is no origin.
    """

    def __init__(self, host: str, allowed: Iterable[str] = ()) -> None:
        self._any = False
        self._allowed: set[str] = set()
        self.others = bool(allowed := list(allowed))
        """Whether any pages but the server's own may read."""
        self._hosts = {_bare(host), _bare(socket.gethostname()), "localhost"}
        self._exposed = not is_loopback(host)
        for text in allowed:
            if text == "*":
                self._any = True
            elif text == "null":
                self._allowed.add(text)
            elif match := _ORIGIN.fullmatch(text.lower()):
                self._allowed.add(_normal(match))
                self._hosts.add(_bare(match["host"]))
            else:
                raise ConfigError(
                    f"origin {text!r} is no origin: scheme, host and maybe port, as in https://app.example,"
                    " or null, or * is allowed"
                )

    def refuse(self, origin: str | None, host: str | None) -> Refusal | None:
        """
        Say why a request isn't answered.

        Args:
            origin: its ``Origin``; None: it is of no page, or of one that this server gave.
            host: its ``Host``.
        """
        if self._any or (origin is not None and self.allows(origin)):
            return None
        ours = origin is None or _same(origin, host)
        # What others call a server that they are to reach is for their DNS to say. Pages must be named all the same.
        lenient = self._exposed and origin is None
        if ours and host is not None and not lenient and not self._knows(host):
            text = (
                f"this server isn't {host[:80]!r}; start it with --origin to let it be called that"
            )
            return Refusal(403, HttpCode.FORBIDDEN_HOST, text)
        if ours:
            return None
        assert origin is not None
        text = (
            f"pages of {origin[:80]!r} may not read this feed; start it with --origin to let them"
        )
        return Refusal(403, HttpCode.FORBIDDEN_ORIGIN, text)

    def allows(self, origin: str) -> bool:
        """Tell whether pages of an origin that isn't the server's own may read: those need headers that say so."""
        if self._any or origin in self._allowed:
            return True
        match = _ORIGIN.fullmatch(origin.lower())
        return match is not None and _normal(match) in self._allowed

    def _knows(self, host: str | None) -> bool:
        match = _HOST.fullmatch((host or "").lower())
        if match is None:
            return False
        name = _bare(match["host"])
        # No DNS is asked for an address, so none can be made to lead here.
        return name in self._hosts or name.endswith(".localhost") or _address(name) is not None


def _same(origin: str, host: str | None) -> bool:
    """Tell whether an origin is that of the server itself, as it was addressed."""
    ours = _ORIGIN.fullmatch(origin.lower())
    named = _HOST.fullmatch((host or "").lower())
    if ours is None or named is None or ours["scheme"] not in _DEFAULT_PORTS:
        return False
    default = _DEFAULT_PORTS[ours["scheme"]]
    return (ours["host"], ours["port"] or default) == (named["host"], named["port"] or default)


def _normal(match: re.Match[str]) -> str:
    port = match["port"]
    if port is None or port == _DEFAULT_PORTS.get(match["scheme"]):
        return f"{match['scheme']}://{match['host']}"
    return f"{match['scheme']}://{match['host']}:{port}"


def _bare(host: str) -> str:
    return host.lower().strip("[]").rstrip(".")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen on can be reached from this machine only."""
    name = _bare(host)
    address = _address(name)
    return name == "localhost" if address is None else address.is_loopback
