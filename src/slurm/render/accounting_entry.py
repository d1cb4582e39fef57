"""What one line of sacct is about, a past job or a step of one, and the facts of it that several fields and the JSON share.

Not here: how a fact becomes the text of a field (`accounting_values`, `accounting_usage`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from slurm.model.accounting import JobRecord, JobRow, StepRecord
from slurm.model.ids import step_name
from slurm.model.states import JobState
from slurm.notation import array

ARRAY_LENGTH = 64
"""Longest list of array task ids unless SLURM_BITSTR_LEN says otherwise."""


class Style(NamedTuple):
    """How whoever asks wants it: `now` seconds since the epoch, `time_format` SLURM_TIME_FORMAT, `unit` one of KMGTP or "" (--units),
    `convert` False: --noconvert, `array_length` SLURM_BITSTR_LEN, 0: whole; `local_uids` gives the uid of a user's name here
    (--use-local-uid)."""

    now: float
    time_format: str = ""
    convert: bool = True
    unit: str = ""
    array_length: int = ARRAY_LENGTH
    local_uids: dict[str, int] = {}
    expand_patterns: bool = False

    def moment(self, epoch: float, absent: str) -> str:
        """A point in time, `absent` for 0."""
        if epoch <= 0:
            return absent
        from slurm.notation import moment  # reports without times do without datetime

        return moment.show_as(self.time_format, epoch, self.now)


class Entry(NamedTuple):
    """A job, or one step of it."""

    row: JobRow
    step: StepRecord | None = None

    @property
    def job(self) -> JobRecord:
        """The job, also of a step."""
        return self.row.job

    @property
    def state(self) -> JobState:
        """The base state of the job or step."""
        return self.step.state if self.step is not None else self.job.state

    @property
    def start_time(self) -> float:
        """Seconds since the epoch, 0: not started."""
        return self.step.start_time if self.step is not None else self.job.start_time

    @property
    def end_time(self) -> float:
        """Seconds since the epoch, 0: not ended."""
        return self.step.end_time if self.step is not None else self.job.end_time

    @property
    def suspended_seconds(self) -> float:
        """How long it was suspended."""
        return self.step.suspended_seconds if self.step is not None else self.job.suspended_seconds

    def _stands_still(self, now: float) -> float:
        """For how long it has been suspended now, until it is resumed."""
        since = self.job.suspend_time
        return max(0.0, now - max(since, self.start_time)) if since and not self.end_time else 0.0

    @property
    def allocated(self) -> dict[str, int]:
        """Trackable resources held, memory in MB; empty before the start."""
        return self.step.allocated if self.step is not None else self.job.allocated

    @property
    def cpus(self) -> int:
        """CPUs held, 0 before the start."""
        return self.allocated.get("cpu", 0)

    @property
    def node_count(self) -> int:
        """Nodes held, 0 before the start."""
        return self.step.node_count if self.step is not None else self.job.node_count

    def elapsed(self, now: float) -> int:
        """Whole seconds that it ran, suspensions left out; 0 before the start."""
        if not self.start_time:
            return 0
        return int(max(0.0, int(self.end_time or now) - int(self.start_time) - self.suspended_seconds - self._stands_still(now)))

    def planned(self, now: float) -> int | None:
        """Whole seconds from being eligible to the start; without a start to the end, or until now; None when it was never eligible."""
        job = self.job
        if not job.eligible_time:
            return None
        return int(max(0.0, int(job.start_time or job.end_time or now) - int(job.eligible_time)))

    @property
    def exit_status(self) -> int:
        """The wait status."""
        return self.step.exit_status if self.step is not None else self.job.exit_status


def entries(rows: Iterable[JobRow], *, steps: bool = True) -> Iterator[Entry]:
    """The lines of a report in order: each job, then its steps."""
    for row in rows:
        yield Entry(row)
        if steps:
            for step in row.steps:
                yield Entry(row, step)


def job_id(job: JobRecord, array_length: int = ARRAY_LENGTH) -> str:
    """ "86", "88_1", "88_[3-200%2]", "28+1"."""
    if job.array_task is not None:
        return f"{job.array_job}_{job.array_task}"
    if job.array_tasks:
        spec = array.parse(job.array_tasks)
        return f"{job.array_job}_[{spec.show(array_length)}]"
    return f"{job.het_job}+{job.het_offset}" if job.het_job else str(job.id)


def shown_id(entry: Entry, array_length: int = ARRAY_LENGTH) -> str:
    """The id as sacct's JobID shows it, the step's name behind a dot."""
    shown = job_id(entry.job, array_length)
    return f"{shown}.{step_name(entry.step.step)}" if entry.step is not None else shown


def raw_id(entry: Entry) -> str:
    """The id as JobIDRaw shows it."""
    return f"{entry.job.id}.{step_name(entry.step.step)}" if entry.step is not None else str(entry.job.id)


def state_word(entry: Entry) -> str:
    """The state in a word: a life that ended with a requeue is REQUEUED, whatever it was before."""
    if entry.step is None:
        for flag in ("requeued", "revoked", "resizing"):
            if flag in entry.job.flags:
                return flag.upper()
    return entry.state.name


def state_text(entry: Entry) -> str:
    """The state as sacct shows it: "CANCELLED by 1000" where it is known who did it; of steps that ended with their job that stands at the
    job."""
    word = state_word(entry)
    killed_by = entry.job.killed_by
    if entry.step is not None:
        killed_by = entry.step.killed_by if killed_by is None else None
    return f"{word} by {killed_by}" if word == JobState.CANCELLED.name and killed_by is not None else word


def cpu_seconds(entry: Entry) -> tuple[float, float]:
    """CPU seconds of the user and of the kernel; of a job those of its steps together, 0 where nothing was measured."""
    steps = [entry.step] if entry.step is not None else entry.row.steps
    usages = [step.usage for step in steps if step.usage is not None]
    return sum(usage.user_seconds for usage in usages), sum(usage.system_seconds for usage in usages)


def energy(entry: Entry) -> int | None:
    """Joules that were measured; of a job with steps their sum, None where there is none, 0 of a job that had no steps."""
    if entry.step is None and not entry.row.steps:
        return 0
    steps = [entry.step] if entry.step is not None else entry.row.steps
    found = [step.usage.taken["energy"].total for step in steps if step.usage is not None and "energy" in step.usage.taken]
    return sum(found) if found else None


def clipped(row: JobRow, since: float, until: float) -> JobRow:
    """The job as if it had begun and ended within `since` to `until` (sacct --truncate); 0 does not bound."""
    job = row.job
    return JobRow(row.cluster, row.index, _clip_job(job, since, until), [_clip_step(step, since, until) for step in row.steps])


def _clip_job(job: JobRecord, since: float, until: float) -> JobRecord:
    start, end = _clip(job.start_time, job.end_time, since, until)
    return msgspec.structs.replace(job, start_time=start, end_time=end)


def _clip_step(step: StepRecord, since: float, until: float) -> StepRecord:
    start, end = _clip(step.start_time, step.end_time, since, until)
    return msgspec.structs.replace(step, start_time=start, end_time=end)


def _clip(start: float, end: float, since: float, until: float) -> tuple[float, float]:
    if start and since and start < since:
        start = since
    if until and (start or end) and (not end or end > until):
        end = until
    return start, max(start, end) if end else end
