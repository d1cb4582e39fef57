"""sacctmgr show runawayjobs: jobs that have not ended in the database and of which slurmctld knows nothing, and their end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from slurm.client.accounting import ClusterAccounting
from slurm.commands import sacctmgr_change
from slurm.commands.shell import Shell
from slurm.model.accounting import JobFilter, JobRow
from slurm.model.states import JobState
from slurm.notation import moment
from slurm.options.resolve import Resolved
from slurm.render import accounting_table
from slurm.render.accounting_table import Column
from slurm.render.fields import Field

_GOING_ON = [JobState.PENDING, JobState.RUNNING, JobState.SUSPENDED]
NOTE = ("NOTE: Runaway jobs are jobs that don't exist in the controller but are still considered pending, running or suspended in the "
        "database")
QUESTION = (
    "\nWould you like to fix these runaway jobs?\n"
    "(This will set the end time for each job to the latest out of the start, eligible, or submit times, and set the state to completed.\n"
    "Once corrected, this will trigger the rollup to reroll usage from before the earliest submit time of all the runaway jobs.)\n\n"
    " (You have 30 seconds to decide)\n(N/y): ")
_WIDTHS = (("ID", -12), ("Name", 10), ("Partition", 10), ("Cluster", 10), ("State", 10), ("TimeSubmit", 19), ("TimeStart", 19),
    ("TimeEnd", 19))


def show(shell: Shell, resolved: Resolved, words: Sequence[str]) -> int:
    """Show them, and end them if that is wanted; the exit status."""
    channel = shell.channel()
    door = ClusterAccounting(channel)
    found = runaways(shell, door)
    if not found:
        shell.out(f"Runaway Jobs: No runaway jobs found on cluster {door.cluster}")
        return 0
    shell.out(NOTE)
    columns = [Column(Field(name, "", name, ""), width) for name, width in _WIDTHS]
    rows = [_cells(row) for row in found]
    header = not resolved.flag("noheader")
    structured = resolved.flag("parsable") or resolved.flag("parsable2")
    lines = (accounting_table.parsable(columns, rows, header=header, ending=not resolved.flag("parsable2")) if structured
             else accounting_table.lines(columns, rows, header=header))
    for text in lines:
        shell.stdout.write(text + "\n")
    if resolved.flag("readonly"):
        return 0
    if not resolved.flag("immediate") and not sacctmgr_change.committed(shell, QUESTION):
        shell.out(" Changes Discarded")
        return 0
    channel.call({"type": "EndRunaways", "cluster": door.cluster, "jobs": [[row.job.id, row.job.restarts] for row in found]})
    return 0


def runaways(shell: Shell, door: ClusterAccounting) -> list[JobRow]:
    """What the database says is going on and the controller knows nothing of.

    The database is asked first: what begins meanwhile is none.
    """
    going_on = [row for row in door.jobs(JobFilter(states=_GOING_ON, steps=False, since=1.0, until=shell.now())) if not row.job.end_time]
    if not going_on:
        return []
    listed = shell.channel().call({"type": "ListJobs", "fields": ["JobID", "ArrayJobID"], "filter": {"states": ["all"]}})
    known = {text for row in cast("list[list[str]]", listed.get("rows", [])) for text in row}
    return [row for row in going_on if str(row.job.id) not in known and str(row.job.array_job or row.job.id) not in known]


def _cells(row: JobRow) -> list[str]:
    job = row.job
    return [str(job.id), job.name, job.partition, row.cluster, job.state.name, _moment(job.submit_time), _moment(job.start_time),
        _moment(job.end_time)]


def _moment(at: float) -> str:
    return moment.show(at) if at else "Unknown"
