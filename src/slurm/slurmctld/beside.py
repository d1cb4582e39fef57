"""Heavy looks at the cluster, in a process beside: a fork sees the state of this moment, and the controller answers others meanwhile.

The child only reads and writes its answer; it shares no lock, socket or signal with the controller. Changes are never made here.
Places are given asker after asker, one at a time to each, so that nobody's costly questions keep the others from an answer.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import traceback
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager

AT_ONCE = 2
"""More would not be faster on a controller's few cores, and each may touch as much memory as the state has."""
FOR_THE_FIRST = 1
"""Places beyond these, for root and operators alone."""
SECONDS = 120.0
_CHUNK = 1 << 20


class Places:
    """AT_ONCE places. An asker has one of them at a time; who has `first` may have as many as there are, and some that are kept for him."""

    def __init__(self) -> None:
        self._taken: Counter[Hashable] = Counter()
        self._waiting: dict[tuple[Hashable, bool], deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def place(self, asker: Hashable, *, first: bool) -> AsyncIterator[None]:
        """Have a place while inside, once it is this asker's turn."""
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault((asker, first), deque()).append(granted)
        self._grant()
        try:
            await granted
            yield
        finally:
            if not granted.cancelled():
                self._taken[asker] -= 1
                if not self._taken[asker]:
                    del self._taken[asker]
            self._grant()

    def _grant(self) -> None:
        while (key := next((key for key in self._waiting if self._may(*key)), None)) is not None:
            waiting = self._waiting.pop(key)
            granted = waiting.popleft()
            if not granted.cancelled():  # he waits no more
                self._taken[key[0]] += 1
                granted.set_result(None)
            if waiting:
                self._waiting[key] = waiting  # behind the others

    def _may(self, asker: Hashable, first: bool) -> bool:
        taken = self._taken.total()
        return taken < AT_ONCE + FOR_THE_FIRST if first else taken < AT_ONCE and not self._taken[asker]


class Beside:
    """Runs `work() -> bytes` in forked children, AT_ONCE at a time."""

    def __init__(self) -> None:
        self._places = Places()

    async def run(self, work: Callable[[], bytes], asker: Hashable = "", *, first: bool = False) -> bytes:
        """What `work` returned; RuntimeError when it failed (its traceback is in the log) or took longer than SECONDS.

        `asker`: whose turn it takes.
        """
        async with self._places.place(asker, first=first):
            reading, writing = os.pipe()
            sys.stderr.flush()
            child = os.fork()
            if child == 0:
                _live(work, writing)
            os.close(writing)
            try:
                async with asyncio.timeout(SECONDS):
                    answer = await _read_all(reading)
            except BaseException:
                os.kill(child, signal.SIGKILL)
                raise
            finally:
                os.close(reading)
                _, status = os.waitpid(child, 0)  # it has written all, or is being killed: this does not take long
        if status:
            raise RuntimeError(f"the process beside ended with status {status}")
        return answer


async def _read_all(descriptor: int) -> bytes:
    loop = asyncio.get_running_loop()
    os.set_blocking(descriptor, False)
    ended: asyncio.Future[None] = loop.create_future()
    parts: list[bytes] = []

    def take() -> None:
        try:
            part = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return
        parts.append(part)
        if not part and not ended.done():
            ended.set_result(None)

    loop.add_reader(descriptor, take)
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
    return b"".join(parts)


def _live(work: Callable[[], bytes], writing: int) -> None:
    """The child's life; it never returns."""
    status = 1
    try:
        gc.disable()  # it would touch, and so copy, every page of the state
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        # With the descriptors go the locks of pid file and journal: should the controller be killed now, its successor may start.
        os.closerange(3, writing)
        os.closerange(writing + 1, os.sysconf("SC_OPEN_MAX"))
        answer = memoryview(work())
        while answer:
            answer = answer[os.write(writing, answer):]
        status = 0
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(status)
