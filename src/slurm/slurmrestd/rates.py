"""How often one user may ask: so many requests a second, and twice as many at once; who asks more often is answered 429."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from slurm.model.errors import NotNow
from slurm.slurmrestd.authentication import Claim

RETRY_AFTER = 1
"""Seconds, of the header Retry-After: whoever had no request left has one by then."""
BURST_SECONDS = 2
REMEMBERED = 4096
"""Claims that slurmctld believed lately, so that it need not be asked for the sake of a refusal; and users whose requests are counted."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class TooMany(NotNow):
    """This user asks too much at once, or too often."""


class Rates:
    """What each user has left, as slurmctld knows him; root's and, with 0 `a_second`, everybody's requests are not counted. Any thread."""

    def __init__(self, a_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._a_second = a_second
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # user → requests, as of when
        self._users: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, claim: Claim, user: str) -> None:
        """One request of a user whose claim slurmctld has believed. TooMany."""
        if self._a_second and user != "root":
            with self._lock:
                _keep(self._users, _digest(claim), user)
                _keep(self._left, user, (self._found(user) - 1, self._clock()))

    def ask(self, claim: Claim) -> None:
        """TooMany where this claim was believed lately and its user has no request left: slurmctld is spared such requests."""
        with self._lock:
            user = self._users.get(_digest(claim)) if self._users else None
            if user is not None:
                self._found(user)

    def _found(self, user: str) -> float:
        most = float(self._a_second * BURST_SECONDS)
        now = self._clock()
        left, at = self._left.get(user, (most, now))
        left = min(most, left + (now - at) * self._a_second)
        if left < 1:
            raise TooMany(message=f"you have asked more than {self._a_second} times a second", hints=[
                f"try again in {RETRY_AFTER} second; GET /slurm/watch tells of changes without being asked"])
        return left


def _keep(kept: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)


def _digest(claim: Claim) -> bytes:
    return hashlib.blake2b(f"{claim.user}\n{claim.token}".encode(), digest_size=16).digest()
