"""Turns of those who ask: however much one asks for, threads are left for the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread

PART = 0.5
"""Of the threads one user may have, as slurmctld knows him; his further requests wait."""


class Turns:
    """How many threads each user has now."""

    def __init__(self) -> None:
        self._places: dict[str, asyncio.Semaphore] = {}
        self._inside: dict[str, int] = {}  # those who wait included

    @asynccontextmanager
    async def of(self, user: str) -> AsyncIterator[None]:
        """One of this user's threads, as soon as he has one left."""
        if user not in self._places:
            threads = anyio.to_thread.current_default_thread_limiter().total_tokens
            self._places[user] = asyncio.Semaphore(max(1, int(threads * PART)))
        self._inside[user] = self._inside.get(user, 0) + 1
        try:
            async with self._places[user]:
                yield
        finally:
            self._inside[user] -= 1
            if not self._inside[user]:
                del self._inside[user], self._places[user]
