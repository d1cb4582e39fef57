"""What happened: `slurm history` and slurmctld. The past of other questions is asked for by their own `at`."""

from __future__ import annotations

import msgspec

from slurm.model.bounds import JobText
from slurm.wire.message import Message


class Happened(msgspec.Struct):
    """Something that happened to a job at `at` (seconds since the epoch), and the state that it has had since then."""

    at: float
    job: str
    what: str
    state: str


class ReadHistory(Message):
    """`slurm history` → HistoryRead, of "12" or "12_3"."""

    job_id: JobText


class HistoryRead(Message):
    """What happened in order. `since`: from when on it is kept; what was before then is not told."""

    happened: list[Happened] = []
    since: float = 0.0
