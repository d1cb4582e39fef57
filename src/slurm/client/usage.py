"""What running steps use now, typed. Blocking, and read only when something is asked: it needs msgspec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from slurm.client.accounting import Channel, Message
from slurm.model.accounting import Tres, Usage
from slurm.model.errors import NotPermitted, ProtocolError, SlurmError, revive
from slurm.wire.messages import RunningStep, UsageFound


class StepPid(NamedTuple):
    """A process of a step; `task` its rank and `local` its number on the node where a task began with it, else -1."""

    node: str
    pid: int
    task: int
    local: int


class StepUsage(NamedTuple):
    """A running step: "86.batch", its nodes as a host list, and what its tasks have used until now.

    `memory`: bytes that it holds now. `allocated`: what it has, memory in MB. `silent`: nodes that did not answer in time, as a host list.
    `job_memory`: MB that the job has on all of its nodes, 0 where memory is not given out.
    """

    step: str
    nodes: str
    ntasks: int
    usage: Usage
    memory: int = 0
    allocated: Tres = {}  # noqa: RUF012 - a NamedTuple's default, which nobody changes
    pids: Sequence[StepPid] = ()
    silent: str = ""
    job: int = 0
    job_memory: int = 0
    sluid: str = ""


class Answer(NamedTuple):
    """The steps that run, and for each id that was refused the error why."""

    steps: list[StepUsage]
    refused: dict[str, SlurmError]


def step_usage(controller: Channel, job: str, step: str | None = None) -> list[StepUsage]:
    """The running steps of a job ("12", "12_3"), or the one named "0", "batch". SlurmError: there is none, or it is not the caller's."""
    name = job if step is None else f"{job}.{step}"
    found = running(controller, [name])
    for error in found.refused.values():
        raise error
    return found.steps


def running(controller: Channel, ids: Sequence[str] = (), *, nodes: Sequence[str] = (), pids: bool = False) -> Answer:
    """The running steps that these ids mean ("12", "12_3", "12.0", "12.batch"; none: every one that the caller may see), on these nodes or
    all."""
    question: Message = {"type": "FindUsage", "ids": list(ids), "nodes": list(nodes), "pids": pids}
    try:
        found = msgspec.convert(controller.call(question), UsageFound)
    except msgspec.ValidationError as error:
        raise ProtocolError(hints=[f"the reply holds no usage of ours: {error}"]) from error
    return Answer([_step(one) for one in found.steps], {
        what: revive("NotPermitted" if name == NotPermitted.default else "NotFound", name, message, ()) for what, name,
        message in found.refused})


def _step(found: RunningStep) -> StepUsage:
    return StepUsage(
        found.step, found.nodes, found.ntasks, found.usage or Usage(), found.memory, found.allocated,
        [StepPid(one.node, one.pid, one.task, one.local) for one in found.pids], found.silent, found.job_id, found.job_memory, found.sluid)
