"""The lines of a crontab whose job does not run again: they become remarks, so that their owner sees it in his crontab."""

from __future__ import annotations

import msgspec

from slurm.core.state import ClusterState
from slurm.model.job import Job

DISABLED = "#DISABLED: "


def give_up(state: ClusterState, job: Job) -> None:
    """A job that scrontab made has ended for good: nobody runs it again. Nothing happens where its crontab is another one by now."""
    crontab = state.crontabs.get(job.owner.uid)
    if job.cron is None or crontab is None or job.id not in crontab.jobs:
        return
    lines = crontab.text.split("\n")
    for at in range(job.cron.first_line - 1, min(job.cron.last_line, len(lines))):
        if not lines[at].startswith(DISABLED):
            lines[at] = DISABLED + lines[at]
    state.crontabs[job.owner.uid] = msgspec.structs.replace(
        crontab, text="\n".join(lines), jobs=[other for other in crontab.jobs if other != job.id])
    state.unsaved.crontabs.add(job.owner.uid)
    job.cron = None
