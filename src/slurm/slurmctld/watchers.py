"""Who waits for which job: srun and salloc for their allocation, `sbatch -W` for the end, event streams for everything.

A watcher is woken after every visible change of its job and decides for itself whether it has seen enough.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from slurm.model.ids import JobId

Wake = Callable[[JobId], None]


class Watchers:
    """Callbacks by job id; `everything` gets every change."""

    def __init__(self) -> None:
        self._by_job: dict[JobId, list[Wake]] = defaultdict(list)
        self._everything: list[Wake] = []

    def watch(self, job: JobId, wake: Wake) -> Callable[[], None]:
        """Call `wake` after each change of `job` until the returned function is called."""
        self._by_job[job].append(wake)

        def stop() -> None:
            waiting = self._by_job.get(job, [])
            if wake in waiting:
                waiting.remove(wake)
            if not waiting:
                self._by_job.pop(job, None)

        return stop

    def watch_all(self, wake: Wake) -> Callable[[], None]:
        """Call `wake` after each change of any job until the returned function is called."""
        self._everything.append(wake)
        return lambda: self._everything.remove(wake) if wake in self._everything else None

    def announce(self, *jobs: JobId) -> None:
        """Wake whoever watches one of these jobs (a task of an array also wakes those who watch the array)."""
        for job in jobs:
            for wake in (*self._by_job.get(job, ()), *self._everything):
                wake(job)

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._by_job.values()) + len(self._everything)
