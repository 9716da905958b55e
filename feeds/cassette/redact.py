"""
Secrets stay out of a cassette. No I/O.

A value is a secret if its name says so: ``token``, ``api_key``, ``clientSecret``; or if it is part of a request to log in.
Once seen, it is known, and taken out wherever it comes up again, under whatever name.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import orjson

from feeds.dialects.fields import read_json

__all__ = ["REDACTED", "SECRET_WORDS", "Redactor"]

REDACTED = "[redacted]"

SECRET_WORDS = frozenset(
    (
        *("apikey", "auth", "authorization", "bearer", "cookie", "credential", "credentials"),
        *("jwt", "key", "pass", "passphrase", "passwd", "password", "pwd"),
        *("secret", "sig", "sign", "signature", "token"),
    )
)
"""A name is a secret's if it has one of these among its words: ``APCA-API-KEY-ID``, ``accessToken``, ``api_key``."""

_LOGINS = frozenset(["auth", "authenticate", "authorize", "login", "logon", "session.logon"])
"""What a request to log in has as a value; then all of its other values are secrets, wherever they stand."""
_HARMLESS = frozenset({"id"})

_SHORTEST = 6  # shorter values are likely to be words that stand elsewhere for something else
_SHORTEST_OF_LOGIN = 12  # of values whose names don't say what they are
_MOST_KNOWN = 1_000

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_COLON = re.compile(r"\s*:\s*")
_BARE = re.compile(r"[^\s,\]}]*")
_DECODER = json.JSONDecoder()


class Redactor:
    """
    Takes secrets out of what is to be written.

    Args:
        names: names of secrets beside those that :data:`SECRET_WORDS` finds.
        keep: names of what is no secret, though it sounds like one.
    """

    def __init__(self, names: Iterable[str] = (), keep: Iterable[str] = ()) -> None:
        self._names = {name.lower() for name in names}
        self._keep = {name.lower() for name in keep}
        self._known: dict[str, None] = {}  # in order of when they were last seen
        # Most messages have none of these words, nor any escapes that could hide one.
        words = "|".join(map(re.escape, [*SECRET_WORDS, *self._names, "\\u"]))
        self._hint = re.compile(words, re.IGNORECASE)

    def secret(self, name: str) -> bool:
        """Tell whether what has this name is a secret."""
        if name.lower() in self._keep:
            return False
        words = (word.lower() for word in _WORD.findall(name))
        return name.lower() in self._names or any(word in SECRET_WORDS for word in words)

    def learn(self, value: str) -> None:
        """Know a secret from now on; short ones, and numbers, would be found in what is no secret."""
        if len(value) < _SHORTEST or value.isdecimal() or value == REDACTED:
            return
        self._known.pop(value, None)
        self._known[value] = None
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def learn_headers(self, headers: Mapping[str, str]) -> None:
        """Know the secrets in the headers of a request: ``Authorization``, ``Cookie``, and those with such names."""
        for name, value in headers.items():
            if not self.secret(name) or name.lower().startswith("sec-websocket-"):
                continue
            for part in (value, *re.split(r"[\s;,]+", value)):
                self.learn(part)
                self.learn(part.partition("=")[2])

    def learn_url(self, url: str) -> None:
        """Know the secrets in an address: its password, and parameters with such names."""
        parts = urlsplit(url)
        self.learn(unquote(parts.password or ""))
        self.path(f"{parts.path}?{parts.query}")

    def path(self, path: str) -> str:
        """Take secrets out of a path with its query."""
        bare, mark, query = path.partition("?")
        pairs = []
        for name, value in parse_qsl(query, keep_blank_values=True):
            if self.secret(name) and value:
                self.learn(value)
                value = REDACTED
            pairs.append((name, value))
        if any(value == REDACTED for _, value in pairs):
            query = urlencode(pairs, quote_via=quote, safe="[]/:@,")
        return self._scrub(f"{bare}{mark}{query}")

    def text(self, text: str, *, inward: bool) -> str:
        """
        Take secrets out of a message; one without any stays as it is, to the letter.

        Args:
            text: JSON, or anything else, in which only what is known is found.
            inward: whether the client sent it; only then can it be a request to log in.
        """
        text = self._fields(text)
        if inward and (login := self._login(text)) is not None:
            text = login
        return self._scrub(text)

    def data(self, data: str | bytes, *, inward: bool) -> str | bytes:
        """Take secrets out of a text or binary message; a binary one that isn't text keeps its length."""
        if isinstance(data, str):
            return self.text(data, inward=inward)
        try:
            return self.text(data.decode(), inward=inward).encode()
        except UnicodeDecodeError:
            for known in self._known:
                raw = known.encode()
                data = data.replace(raw, b"*" * len(raw))
            return data

    def _fields(self, text: str) -> str:
        """Replace the values of fields with the names of secrets, whether or not the text around them is valid JSON."""
        if self._hint.search(text) is None:
            return text
        pieces, done, at = [], 0, 0
        while match := _STRING.search(text, at):
            at = match.end()
            colon = _COLON.match(text, at)
            if colon is None or not self.secret(_plain(match[0])):
                continue
            end = _end_of_value(text, colon.end())
            value = text[colon.end() : end]
            at = end
            if value not in ("true", "false", "null", "", '""'):
                self._learn_all(value)
                pieces += [text[done : colon.end()], f'"{REDACTED}"']
                done = end
        return "".join([*pieces, text[done:]]) if pieces else text

    def _learn_all(self, value: str, shortest: int = 0) -> None:
        for string in _STRING.findall(value):
            if len(plain := _plain(string)) >= shortest:
                self.learn(plain)

    def _login(self, text: str) -> str | None:
        try:
            item = read_json(text.encode())
        except orjson.JSONDecodeError:
            return None
        if not isinstance(item, dict):
            return None
        told = {n for n, v in item.items() if isinstance(v, str) and v.lower() in _LOGINS}
        if not told:
            return None
        for name in item.keys() - told - _HARMLESS - self._keep:
            self._learn_all(orjson.dumps(item[name]).decode(), _SHORTEST_OF_LOGIN)
            item[name] = REDACTED
        return orjson.dumps(item).decode()

    def _scrub(self, text: str) -> str:
        for known in self._known:
            if known in text:
                text = text.replace(known, REDACTED)
        return text


def _plain(string: str) -> str:
    """Give what a JSON string stands for."""
    try:
        value: Any = json.loads(string, strict=False)
    except ValueError:
        return string[1:-1]
    return str(value)


def _end_of_value(text: str, start: int) -> int:
    """Find where a JSON value ends; in what isn't JSON, it goes on to the end."""
    first = text[start : start + 1]
    if first == '"':
        match = _STRING.match(text, start)
        return match.end() if match else len(text)
    if first in ("{", "["):
        try:
            return _DECODER.raw_decode(text, start)[1]
        except (ValueError, RecursionError):
            return len(text)
    bare = _BARE.match(text, start)
    return bare.end() if bare else len(text)
