"""Steps of running jobs as they come and go. What a step gets is decided in `steps`."""

from __future__ import annotations

import msgspec

from slurm.core import ending, recording, suspending
from slurm.core import events as e
from slurm.core.effects import Announce, Effect, EndStep
from slurm.core.illegal import IllegalTransition, story
from slurm.core.state import ClusterState
from slurm.model.ids import EXTERN_STEP
from slurm.model.job import Job


def on_created(state: ClusterState, job: Job, event: e.StepCreated) -> list[Effect]:
    """An srun got a step."""
    step = event.step
    if step.id in job.steps or 0 <= step.id < job.next_step:
        raise IllegalTransition(f"step {step.id} was created before: {story(job)}")
    step = job.steps[step.id] = msgspec.structs.replace(step, nodes_left=list(step.nodes_left))
    recording.step(state, job, step)
    if step.id >= 0:
        job.next_step = step.id + 1
    return []


def on_created_of_suspended(state: ClusterState, job: Job, event: e.StepCreated) -> list[Effect]:
    """An srun got a step just before its job was suspended."""
    return on_created(state, job, event) + suspending.told(job)


def on_ending(state: ClusterState, job: Job, event: e.StepEnding) -> list[Effect]:
    """Somebody ended a step: its nodes are to end it, and it is remembered until they have."""
    step = job.steps.get(event.step)
    if step is None or not step.nodes_left:
        return []
    step.ending = event.why
    return [EndStep(job=job.id, attempt=job.attempt, step=step.id, nodes=tuple(step.nodes_left), why=event.why)]


def on_exited(state: ClusterState, job: Job, event: e.StepExited) -> list[Effect]:
    """A step ended on one node; after the last node the step is forgotten and its worst status stays with the job."""
    step = job.steps.get(event.step)
    if step is None or event.node not in step.nodes_left:
        return []
    step.nodes_left.remove(event.node)
    step.exit_status = max(step.exit_status or 0, event.status)
    step.oom = step.oom or event.oom
    if event.usage is not None:
        step.usage = event.usage if step.usage is None else step.usage.plus(event.usage)
    if step.nodes_left:
        return []
    ending.end_step(state, job, step, event.at, step.exit_status, step.oom)
    if step.exit_status > job.derived_status and step.id != EXTERN_STEP:
        job.derived_status = step.exit_status
        recording.job(state, job)
    del job.steps[event.step]
    return [Announce(job=job.id)]
