"""JobSubmitPlugins=throttle: a user submits so many jobs an hour, SchedulerParameters=jobs_per_user_per_hour, and no more.

It counts what it was asked about since it began, in the hour behind each submission; root is not counted.
"""

from __future__ import annotations

import time
from collections import deque
from types import SimpleNamespace

from slurm.plugins.records import Submission
from slurm.plugins.refused import Refused

HOUR = 3600.0
WORD = "jobs_per_user_per_hour="
_when: dict[int, deque[float]] = {}


def job_submit(job: Submission, settings: SimpleNamespace) -> None:
    """Refuse who submitted as many in the hour behind."""
    most = allowed(settings.SchedulerParameters)
    if most is None or job.uid == 0:
        return
    now = time.monotonic()
    mine = _when.setdefault(job.uid, deque())
    while mine and mine[0] <= now - HOUR:
        mine.popleft()
    if len(mine) >= most:
        minutes = int((mine[0] + HOUR - now) // 60) + 1
        raise Refused(f"{job.user} has submitted {len(mine)} jobs within an hour, as many as this site takes: try again in {minutes} "
                      "minutes")
    mine.append(now)


def allowed(parameters: str) -> int | None:
    """What SchedulerParameters say; None: as many as one likes."""
    found = next((word.removeprefix(WORD) for word in parameters.split(",") if word.startswith(WORD)), "")
    return int(found) if found.isascii() and found.isdigit() and int(found) else None
