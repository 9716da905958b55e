"""How many connections the system's limit on open files leaves room for."""

import logging
import math
from bisect import bisect_right
from dataclasses import replace

from feeds.admission.limits import Limits

__all__ = ["fit_file_limit", "raise_file_limit"]

log = logging.getLogger("feeds")

_FILES_EACH = 2  # a connection, and our duplicate of it
_OTHER_FILES = 64


def fit_file_limit(limits: Limits, sessions: int = 1) -> Limits:
    """
    Give limits for which this process may open enough files: fewer connections, where it may not.

    So who is one too many is told so, instead of waiting for a connection that can't be accepted.

    Args:
        limits: what is asked for.
        sessions: how many markets there may be, each with a timer that is a file (:mod:`feeds.timer`).
    """
    files = _file_limit()
    if files >= _files(limits, sessions):
        return limits
    fitting = bisect_right(
        range(1, limits.max_connections),
        files,
        key=lambda n: _files(replace(limits, max_connections=n), sessions),
    )
    fitted = replace(limits, max_connections=max(1, fitting))
    log.info(
        "the system lets this process open %d files: enough for %d connections, not for %d",
        files,
        fitted.max_connections,
        limits.max_connections,
    )
    return fitted


def raise_file_limit(limits: Limits, sessions: int = 1) -> None:
    """
    Let this process open as many files as it may need, as far as the system allows that.

    For who has a process to himself: what isn't ours may use ``select``, which takes no number above 1,023.
    """
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, _files(limits, sessions)):  # macOS calls it unlimited, and means less
        if resource.RLIM_INFINITY in (soft, limit) or limit <= soft:
            continue
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        except (OSError, ValueError):
            continue
        soft = limit


def _files(limits: Limits, sessions: int) -> int:
    further = sessions - 1
    return _FILES_EACH * limits.max_connections + limits.max_waiting + further + _OTHER_FILES


def _file_limit() -> float:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return math.inf
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if soft == resource.RLIM_INFINITY else soft
