"""Turns: whose question is answered now.

A user's questions come one after another, so that nobody's thousand keep others, or records, waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from slurm.model.errors import NotNow

MOST_WAITING = 64
"""Questions of one user that wait for their turn."""


class Turns:
    """One question of each user at a time; those with `first` (root, SlurmUser) wait for nobody."""

    def __init__(self) -> None:
        self._users: dict[int, asyncio.Semaphore] = {}
        self._waiting: dict[int, int] = {}

    @asynccontextmanager
    async def turn(self, uid: int, *, first: bool) -> AsyncIterator[None]:
        """Inside it is this user's turn; NotNow when too many of his wait already."""
        if first:
            yield
            return
        if self._waiting.get(uid, 0) > MOST_WAITING:
            raise NotNow(message="slurmdbd is asked too much at once", hints=[
                f"{MOST_WAITING} questions of yours wait already: try again in a moment"])
        self._waiting[uid] = self._waiting.get(uid, 0) + 1
        try:
            async with self._users.setdefault(uid, asyncio.Semaphore()):
                yield
        finally:
            self._waiting[uid] -= 1
            if not self._waiting[uid]:
                del self._waiting[uid], self._users[uid]
