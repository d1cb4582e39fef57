"""What is planned, and why jobs wait: `slurm plan` and `slurm explain` to slurmctld."""

from __future__ import annotations

from typing import Annotated

from slurm.model import bounds
from slurm.model.bounds import JobText, Moment
from slurm.model.explanation import Explanation
from slurm.model.schedule import Schedule
from slurm.wire.message import Message


class ReadPlan(Message):
    """`slurm plan` → PlanRead: what runs and what is planned, as squeue --start shows it.

    `configured`: a Configured as the journal writes it, in base64; then it is planned as if that held. For operators.
    """

    configured: Annotated[str, bounds.Text(16_000_000)] = ""


class PlanRead(Message):
    """The plan of this moment."""

    schedule: Schedule


class ExplainJob(Message):
    """Why a job ("12" or "12_3") waits, what would start it and when → Explained. `priority`: also what its priority is made of.

    `at`: as it was then, 0: now.
    """

    job_id: JobText
    priority: bool = False
    at: Moment = 0.0


class Explained(Message):
    """What there is to say of the job."""

    explanation: Explanation
