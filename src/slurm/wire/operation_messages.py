"""What scontrol asks for besides changes of records: places in the queue, jobs that hold still, how much daemons log; part of
`wire.messages`."""

from __future__ import annotations

from typing import Annotated

from slurm.model.bounds import JobText, Many, Note, Whole, Word
from slurm.wire.message import Message


class MoveToTop(Message):
    """scontrol top → Done. The jobs, in this order, before the others of their user in the same partition, account and QOS."""

    ids: Annotated[list[JobText], Many(10_000)]


class SuspendJobs(Message):
    """scontrol suspend → Done."""

    ids: Annotated[list[JobText], Many(10_000)]


class ResumeJobs(Message):
    """scontrol resume → Done."""

    ids: Annotated[list[JobText], Many(10_000)]


class NotifyJob(Message):
    """scontrol notify → Done. A line for whoever watches a running job: in its error file, or at its salloc or srun."""

    job: JobText
    text: Note


class SetDebug(Message):
    """scontrol setdebug and setdebugflags → Done.

    `level`: as SlurmctldDebug has it, "": as it is; `flags`: "+Backfill" or "-Steps" each.
    """

    level: Word = ""
    flags: Annotated[list[Word], Many(100)] = []


class Takeover(Message):
    """scontrol takeover → Done, its line the host that is to lead.

    `index`: of its line SlurmctldHost, from 0. Asked of a slurmctld that stands by, it is that one.
    """

    index: Annotated[int, Whole(0, 1_000)] = 1
