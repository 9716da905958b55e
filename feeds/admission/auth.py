"""
Bearer tokens (RFC 6750). No I/O.

A token is never kept, only its keyed digest, so that no repr or dump of an object can show it. Digests have the same
length and are compared in constant time, so the time reveals nothing either, not even the token's length.
"""

import hmac
import re
import secrets
from collections.abc import Iterable

from feeds.errors import ConfigError

__all__ = ["NO_TOKENS", "Tokens", "bearer"]

_ALLOWED = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, 2.1: what a header can carry
_MAX_LENGTH = 1_024


class Tokens:
    """
    The tokens that are accepted; false if there are none, and everybody may read.

    Raises:
        ConfigError: one of them can't be sent in a header; the message doesn't tell it.
    """

    __slots__ = ("_digests", "_key")

    def __init__(self, tokens: Iterable[str]) -> None:
        self._key = secrets.token_bytes(32)
        accepted = list(tokens)
        for token in accepted:
            if not _ALLOWED.fullmatch(token) or len(token) > _MAX_LENGTH:
                raise ConfigError(
                    f"token: one of {len(token)} characters can't be used: 1 to {_MAX_LENGTH} of"
                    " A-Z a-z 0-9 - . _ ~ + /, with = at the end, are allowed"
                )
        self._digests = [self._digest(token) for token in accepted]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def __repr__(self) -> str:
        return f"<{len(self._digests)} tokens>"

    def accept(self, token: str) -> bool:
        """Tell whether a token is one of these; takes as long whether or not."""
        digest = self._digest(token)
        return any([hmac.compare_digest(digest, own) for own in self._digests])  # noqa: C419  looks at all of them

    def _digest(self, token: str) -> bytes:
        # A lone surrogate, which JSON can carry, is no reason to fail.
        return hmac.digest(self._key, token.encode(errors="surrogatepass"), "sha256")


def bearer(authorization: str | None, query: str | None) -> str | None:
    """
    Find a request's token.

    Args:
        authorization: the header of this name.
        query: the parameter ``token``.

    Returns:
        The header's token, else the query's, else None. Other schemes, such as a proxy's Basic, are not for us.
    """
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return query


NO_TOKENS = Tokens(())
"""Everybody may read."""
