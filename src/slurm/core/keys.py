"""Keys of submissions: which job a request made that may come a second time, because its reply did not arrive.

A key lives with its job and, for those who ask again late, KEPT_SECONDS after the job left memory; of these at most MOST.
"""

from __future__ import annotations

from collections import OrderedDict

from slurm.model.ids import JobId, Uid

KEPT_SECONDS = 600.0
MOST = 20_000

Key = tuple[Uid, str]


class Keys:
    """(uid, key) → job.

    `live` those of jobs in memory, `past` with the time at which the job left it; what changes in `past` is put into `unsaved`.
    """

    def __init__(self, unsaved: set[Key]) -> None:
        self._unsaved = unsaved
        self.live: dict[Key, JobId] = {}
        self.past: OrderedDict[Key, tuple[JobId, float]] = OrderedDict()

    def find(self, uid: Uid, key: str) -> JobId | None:
        """The job that this key of this user made, None when there is none or no key."""
        if not key:
            return None
        found = self.live.get((uid, key))
        if found is None and (uid, key) in self.past:
            found = self.past[uid, key][0]
        return found

    def add(self, uid: Uid, key: str, job: JobId) -> None:
        """A job was made by a request with this key ("": without one)."""
        if key:
            self.live[uid, key] = job

    def retire(self, uid: Uid, key: str, at: float) -> None:
        """The job, or the last of its array, left memory."""
        job = self.live.pop((uid, key), None)
        if job is not None:
            self.past[uid, key] = (job, at)
            self._unsaved.add((uid, key))
        self._forget(at)

    def move(self, by: float) -> None:
        """The clock was set: keys are kept as long from now as they were to be before."""
        for key, (job, at) in self.past.items():
            self.past[key] = (job, at + by)
            self._unsaved.add(key)

    def _forget(self, at: float) -> None:
        while self.past:
            oldest = next(iter(self.past))
            if len(self.past) <= MOST and self.past[oldest][1] + KEPT_SECONDS > at:
                return
            del self.past[oldest]
            self._unsaved.add(oldest)
