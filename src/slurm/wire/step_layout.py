"""Where the tasks of a step run, and how sattach asks for it; part of `wire.messages`."""

from __future__ import annotations

import msgspec

from slurm.model.bounds import JobText, StepNumber
from slurm.wire.message import Message


class TaskLayout(msgspec.Struct):
    """Where the tasks of a step run: per node, in rank order, the global ranks."""

    node: str
    address: str  # "unix:/path" or "tcp://host:port" of the node's slurmd
    ranks: list[int]
    cpus: int  # CPUs of the step on this node
    beside: str = ""  # net.endpoint.mark_of the slurmd's unix socket, for a srun on the same machine


class FindStep(Message):
    """sattach → StepFound: a running step of the caller's, or for operators of anybody's. `job_id` as "12" or "12_3"."""

    job_id: JobText
    step_id: StepNumber


class StepFound(Message):
    """Where it runs. `credential` opens it, for the one who asked and for a moment, at nodes of other machines."""

    job_id: int
    attempt: int
    step_id: int
    layout: list[TaskLayout]
    credential: str = ""
