"""TIME_LIMIT_50, _80 and _90: that a part of a running job's time limit is over, which time alone brings about. Each is noted once, kills
or not.

What was noted before a restart is known by a clock that is written with each: a moment up to which all was noted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from slurm.core import notices
from slurm.core.cluster import Cluster
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.notice import LIMITS, MAIL, wishes
from slurm.store.group_commit import GroupCommit
from slurm.store.journal import Journal
from slurm.store.parcels import Note, Notes

log = logging.getLogger("slurmctld.notices")
LOOK_SECONDS = 5.0
AT_ONCE = 500
_encode = msgspec.msgpack.Encoder().encode
_Key = tuple[JobId, int, int, str]


class Limits:
    """Looks at running jobs whose owners asked for it; `noted()` is called when something was written."""

    def __init__(self, cluster: Cluster, journal: Journal, commit: GroupCommit, now: Callable[[], float], noted: Callable[[], None],
                 look: float = LOOK_SECONDS) -> None:
        self._cluster = cluster
        self._journal = journal
        self._commit = commit
        self._now = now
        self._noted = noted
        self._look = look
        self._before = 0.0
        self._told: set[_Key] = set()

    async def run(self) -> None:
        """Look now and again, until cancelled."""
        self._before = await asyncio.to_thread(self._journal.notes_clock)
        while True:
            await asyncio.sleep(self._look)
            if self._cluster.recording.mail:
                try:
                    await self.look()
                except Exception:
                    log.exception("time limits could not be looked at")

    async def look(self) -> None:
        """Note what is over now."""
        now, due, seen = self._now(), list[Note](), set[_Key]()
        ids = list(self._cluster.active)
        for start in range(0, len(ids), AT_ONCE):
            for job in filter(None, map(self._cluster.active.get, ids[start:start + AT_ONCE])):
                if "TIME_LIMIT_" in job.request.mail_type:
                    due += self._due(job, now, seen)
            await asyncio.sleep(0)
        self._told &= seen  # of jobs that ended nobody asks again
        if due:
            self._commit.submit([], lambda error: self._noted(), notes=Notes(due, clock=now))
            self._told |= seen

    def _due(self, job: Job, now: float, seen: set[_Key]) -> list[Note]:
        end = self._cluster.expected_end(job)
        if end is None:
            return []
        found = []
        for what in LIMITS.keys() & wishes(job.request.mail_type):
            moment = job.start_time + LIMITS[what] * (end - job.start_time)
            key = job.id, job.restarts, job.attempt, what
            if moment > now:
                continue
            seen.add(key)
            if key not in self._told and moment > self._before:
                notice = msgspec.structs.replace(notices.of_limit(self._cluster, job, what))
                record = msgspec.structs.replace(notice.record, end_time=now)
                found.append(Note(MAIL, ".".join(map(str, key)), _encode(msgspec.structs.replace(notice, record=record))))
        return sorted(found, key=lambda note: note.key)
