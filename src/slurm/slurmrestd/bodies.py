"""Bodies of requests: how large one may be, and how much of all of them is held at once, in all and of one user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from slurm.model.errors import InvalidRequest, NotNow

LARGEST_BODY = 8 * 1024 * 1024
"""Bytes. slurmctld takes scripts of 4 MiB (max_script_size), and environments far smaller."""
LARGEST_TOGETHER = 64 * 1024 * 1024
"""Bytes of all bodies that are held at once."""
LARGEST_OF_A_USER = LARGEST_TOGETHER // 2


class TooLarge(InvalidRequest):
    """A body larger than any that slurmctld would take."""


class Crowded(NotNow):
    """Others' bodies take all the place that there is."""


class Bodies:
    """How much of bodies is held now."""

    def __init__(self) -> None:
        self._held = 0
        self._held_of: dict[str, int] = {}

    @contextmanager
    def of(self, user: str) -> Iterator[Callable[[int], None]]:
        """What takes place for so many bytes more of one request of this user: Crowded where there is none.

        All of it is given back behind.
        """
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            if self._held + size > LARGEST_TOGETHER:
                raise Crowded(message="slurmrestd is reading too many large requests", hints=["try again in a moment"])
            if self._held_of.get(user, 0) + size > LARGEST_OF_A_USER:
                raise Crowded(message="slurmrestd is reading too many large requests of yours", hints=["try again when they are answered"])
            self._count(user, size)
            mine += size

        try:
            yield take
        finally:
            self._count(user, -mine)

    def _count(self, user: str, size: int) -> None:
        self._held += size
        self._held_of[user] = self._held_of.get(user, 0) + size
        if not self._held_of[user]:
            del self._held_of[user]
