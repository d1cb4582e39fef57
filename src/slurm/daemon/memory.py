"""Memory that is not needed any more goes back to the system, instead of staying with the process for a next time."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
LARGE_BYTES = 1024 * 1024


def give_back() -> bool:
    """Have glibc take what is larger than LARGE_BYTES from the system alone, and return what is free at the end of its heap; False where
    the C library knows no such thing.

    By itself glibc raises both limits to tens of MB with the first large message, and a burst of them stays for ever.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)) and bool(mallopt(_M_TRIM_THRESHOLD, LARGE_BYTES))
