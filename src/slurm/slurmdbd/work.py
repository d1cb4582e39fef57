"""The threads on which the database is used: one that writes, some that answer, one for what happens by itself.

The event loop waits for none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

ANSWERING = 4
T = TypeVar("T")


class Work:
    """One daemon's threads. What a call raises comes out of the await."""

    def __init__(self) -> None:
        self._writing = ThreadPoolExecutor(1, "writing")
        self._asking = ThreadPoolExecutor(ANSWERING, "asking")
        self._keeping = ThreadPoolExecutor(1, "keeping")

    async def write(self, call: Callable[[], T]) -> T:
        """Records and registrations: one after another, in the order in which they came."""
        return await asyncio.get_running_loop().run_in_executor(self._writing, call)

    async def ask(self, call: Callable[[], T]) -> T:
        """Questions: a few at once."""
        return await asyncio.get_running_loop().run_in_executor(self._asking, call)

    async def keep(self, call: Callable[[], T]) -> T:
        """Roll-up, purge, archives."""
        return await asyncio.get_running_loop().run_in_executor(self._keeping, call)

    async def close(self, seconds: float) -> bool:
        """Let what was begun end, so many seconds at most; whether it did."""
        pools = (self._writing, self._asking, self._keeping)
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + seconds
        while any(thread.is_alive() for pool in pools for thread in pool._threads):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.01)
        return True
