"""Memory that connections gave back, given back to the system."""

import ctypes
from collections.abc import Callable

__all__ = ["give_back"]


def _find() -> Callable[[int], object] | None:
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # not glibc; Windows has no None
        return None
    return trim


_trim = _find()


def give_back() -> bool:
    """
    Return free memory to the system, where the C library would keep it (glibc); tells whether it could be asked to.

    Backlogs are many pieces of some kilobytes, and what lives between them keeps the heap from shrinking by itself.
    Cost: about a millisecond for each hundred megabytes.
    """
    if _trim is None:
        return False
    _trim(0)
    return True
