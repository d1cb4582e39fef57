"""Together: the components of a heterogeneous job end, and go back to the queue, as one. Whoever changes a component does so as if it were
a job of its own; at the end of the event the others follow.

The leader's end is everybody's, in the same state. A component that is lost with its node, or could not be started, takes all of them with
it: they run again or fail as one. One that somebody cancelled while it ran, or whose own time limit came, ends alone, as in Slurm.
"""

from __future__ import annotations

from slurm.core import components, concluding, dependencies, ending, parking, recording, recovery
from slurm.core.effects import Announce, Effect, Terminate
from slurm.core.state import ClusterState
from slurm.model.job import Job
from slurm.model.states import JobState

_FAILURES = frozenset({JobState.NODE_FAIL, JobState.BOOT_FAIL})


def level(state: ClusterState, at: float) -> list[Effect]:
    """Bring the components of every heterogeneous job that this event changed into line."""
    effects: list[Effect] = []
    while state.uneven:
        number = min(state.uneven)
        state.uneven.discard(number)
        if number not in state.jobs:
            continue
        jobs = components.members(state.jobs, state.jobs[number])
        state.uneven.difference_update(job.id for job in jobs)
        first = _over(jobs) or _again(state, jobs)
        if first is None:
            continue
        for job in jobs:
            if job is not first and not _alike(job, first):
                state.changed(job)
                effects += _end(state, job, first, at) if first.state.finished else _end_to_rerun(state, job, first, at)
    return effects


def _over(jobs: list[Job]) -> Job | None:
    """The component by which all of it is over for good."""
    leader = jobs[0]
    if leader.state.finished:
        return leader
    for job in jobs:
        if job.state in _FAILURES:
            return job
        if job.state.finished and job.allocation is None and not any(one.allocation is not None for one in jobs):
            return job  # it ended while all of them waited
    return None


def _again(state: ClusterState, jobs: list[Job]) -> Job | None:
    """The component by which all of it has to run again: while others still run it is on its way back to the queue."""
    if not any(job.id in state.active and not job.completing and job.lost is None or _goes_on(job) for job in jobs):
        return None
    return next((job for job in jobs if _returns(job)), None)


def _returns(job: Job) -> bool:
    if job.lost is not None:
        return not job.lost.intact
    return not job.state.finished and (job.requeue_after or job.state is JobState.PENDING)


def _goes_on(job: Job) -> bool:
    """Whether its attempt is open on nodes that nobody hears of."""
    return job.lost is not None and job.lost.intact


def _alike(job: Job, first: Job) -> bool:
    """Whether a component is on its way already to where another one leads."""
    if first.state.finished:
        return job.state.finished
    return job.state.finished or _returns(job)


def _end(state: ClusterState, job: Job, first: Job, at: float) -> list[Effect]:
    """End a component for good, in the state in which another one ended."""
    job.exit_status, job.reason_text = first.exit_status, first.reason_text
    job.held = ""
    if job.id in state.pending:
        effects: list[Effect] = [Announce(job=job.id)]
        concluding.retire(state, job, first.state, first.reason, at)
        dependencies.ended(state, job, at, effects)
        return effects
    job.requeue_after = job.hold_after = False
    if job.completing:
        job.state, job.reason = first.state, first.reason
        recording.job(state, job)
        return [Announce(job=job.id), *ending.write_off(state, job, at)]
    if job.lost is not None:
        parking.unpark(job)
    effects = ending.end(state, job, at, first.state, first.reason, why=recovery.why_ended(first))
    return effects + ending.write_off(state, job, at)


def _end_to_rerun(state: ClusterState, job: Job, first: Job, at: float) -> list[Effect]:
    """End the attempt of a component, which is to run again with the others."""
    job.hold_after = job.hold_after or first.hold_after
    job.held = job.held or first.held
    job.reason_text = first.reason_text
    if job.lost is not None:
        job.lost.intact = False
        gone = tuple(job.lost.returned)
        return [Terminate(job=job.id, attempt=job.attempt, nodes=gone, why="node_fail", at=at)] if gone else []
    job.requeue_after = True
    return ending.end(state, job, at, JobState.PENDING, first.reason, why=recovery.why_ended(first))
