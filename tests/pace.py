"""How fast this machine is just now, for tests that hold what something costs against a limit in seconds of processor time.

The limits are those of the machine that they were set on. Another machine, or the same one while its neighbours fill the caches and lower the clock,
takes longer for everything; a test that fails there says nothing of the program.
"""

from __future__ import annotations

import json
import time

REFERENCE = 0.0085
"""Seconds of processor time that `_work` took on the machine of the limits."""
TRIES = 5


def pace() -> float:
    """How many times longer than on the machine of the limits processor work takes here and now: 1.0 where it takes no longer."""
    best = float("inf")
    for _ in range(TRIES):
        began = time.thread_time()
        _work()
        best = min(best, time.thread_time() - began)
    return max(1.0, best / REFERENCE)


def _work() -> None:
    """What a daemon does most of the time: dictionaries, lists, text."""
    kept: dict[str, list[int]] = {}
    for number in range(8_000):
        kept.setdefault(f"node{number % 500:04d}", []).append(number)
    json.loads(json.dumps({name: sorted(numbers, reverse=True) for name, numbers in kept.items()}))
