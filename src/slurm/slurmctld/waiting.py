"""Waiting: a request that is answered when its job has changed, or given up when the connection of its caller has ended."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from slurm.model.ids import JobId
from slurm.slurmctld.session import Session
from slurm.slurmctld.watchers import Watchers


class Waiting:
    """One session that waits for changes of one job (or of any task of an array); a context, after which nobody waits any more.

    `news` are the jobs that have changed, for whoever looks at many; he empties it.
    """

    def __init__(self, watchers: Watchers, session: Session, job: JobId) -> None:
        self._watchers = watchers
        self._session = session
        self._job = job
        self._woken = asyncio.Event()
        self.news: set[JobId] = set()

    def __enter__(self) -> Self:
        self._stop = self._watchers.watch(self._job, self._wake)
        self._session.waiting.add(self._woken)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()
        self._session.waiting.discard(self._woken)

    async def changed(self) -> bool:
        """Wait for the next change since the last call; False when the caller has gone."""
        if not self._session.closed:
            await self._woken.wait()
            self._woken.clear()
        return not self._session.closed

    def _wake(self, job: JobId) -> None:
        self.news.add(job)
        self._woken.set()
