"""What there is to say of a job that holds nodes and does not simply run: it is suspended, or gives way to another."""

from __future__ import annotations

from collections.abc import Callable

from slurm.core import promises
from slurm.model.job import Job
from slurm.notation import moment
from slurm.sched.view import View

_BY = {
    "operator": "by an operator: it goes on with scontrol resume",
    "preemption": "it gives way to {winner} and goes on when its CPUs are free again",
    "gang": "it shares its CPUs with others, which have their turn now",
}


def of_running(view: View, job: Job, sees: Callable[[Job], bool]) -> list[tuple[str, str]]:
    """(what, sentence) of it; [] of a job that runs as it should. Jobs that the asker may not see are not named."""
    found: list[tuple[str, str]] = []
    other = view.jobs.get(job.preempted_for)
    winner = f"job {other.shown_id}" if other is not None and sees(other) else "another job"
    if job.suspended_by:
        since = moment.show(job.suspend_time)
        found.append(("suspended", f"since {since}, {_BY[job.suspended_by].format(winner=winner)}"))
    if job.preempt_mode:
        ends = f"it may go on until {moment.show(job.kill_at)}, then it is ended" if job.kill_at else "it is ended"
        found.append(("gives way", f"to {winner} since {moment.show(job.preempt_time)}: {ends}"
                      + (" and runs again later" if job.preempt_mode == "requeue" else "")))
    return found


def of_givers(view: View, job: Job, sees: Callable[[Job], bool]) -> list[tuple[str, str]]:
    """Who gives way to a waiting job, and until when."""
    found: list[tuple[str, str]] = []
    for giver in promises.givers(view, job):
        until = f"is to end by {moment.show(giver.kill_at)}" if giver.kill_at and not giver.completing else "is being ended"
        found.append((f"job {giver.shown_id}" if sees(giver) else "a job", f"gives way to it and {until}"))
    return found
