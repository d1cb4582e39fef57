"""Recovery: what may have been lost between an event and its effect, found again from state alone; and what a returning node tells.

A crash after the journal entry loses effects, never events. Every effect is safe to repeat: slurmd answers a repeated order with
the same report.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from slurm.core import events as e
from slurm.core import preparing
from slurm.core.effects import Effect, EndStep, Launch, Prepare, RunScript, Signal, Terminate
from slurm.core.state import ClusterState
from slurm.model.ids import BATCH_STEP, EXTERN_STEP, SCRIPTS_STEP, JobId, NodeName, StepId
from slurm.model.job import Job, LostAttempt
from slurm.model.states import JobState, Reason

ON_THE_WAY_SECONDS = 10.0
"""How long a granted step may take to reach its nodes."""


class Held(NamedTuple):
    """One step that a slurmd says it has, running or ended and not yet acknowledged."""

    job: JobId
    attempt: int
    step: StepId
    running: bool = True


class Reconciled(NamedTuple):
    """What follows from a node's report: events to apply, effects to carry out, (job, attempt) pairs it is to end without report."""

    events: list[e.Event]
    effects: list[Effect]
    unknown: list[tuple[JobId, int]]


def why_ended(job: Job) -> str:
    """Why a job that is completing was ended, as Terminate says it."""
    if job.preempt_mode:
        return "preempted"
    if job.requeue_after and job.reason not in (Reason.NON_ZERO_EXIT_CODE, Reason.NONE):
        return "node_fail" if job.reason == Reason.NODE_DOWN else "requeue"
    if job.requeue_after:
        return "requeue" if job.reason == Reason.NONE else ""
    by_state = {JobState.CANCELLED: "cancelled", JobState.TIMEOUT: "timeout", JobState.NODE_FAIL: "node_fail",
        JobState.PREEMPTED: "preempted"}
    return by_state.get(job.state, "")


def pending_effects(state: ClusterState) -> list[Effect]:
    """The effects that state still waits for, on all nodes: unconfirmed launches, jobs whose nodes are not clean yet, steps that were
    ended."""
    effects: list[Effect] = []
    for job in state.active.values():
        effects += _expected(state, job, job.nodes_left)
        effects += _scripts(job)
        effects += _ending_steps(job, job.nodes_left)
    return effects


def still_due(state: ClusterState, effect: Effect) -> bool:
    """Whether an effect is still wanted when it is about to be carried out; a job may have moved on since its event."""
    if not isinstance(effect, Launch | Prepare | RunScript | Terminate | EndStep | Signal):
        return True
    if isinstance(effect, Terminate) and _is_remains(state, effect):
        return True
    job = state.jobs.get(effect.job)
    if job is None or job.attempt != effect.attempt:
        return False
    if isinstance(effect, Launch):
        return job.state in (JobState.RUNNING, JobState.SUSPENDED) and not job.completing and preparing.may_launch(state, job)
    if isinstance(effect, Prepare):
        return not job.completing and bool(set(effect.nodes).intersection(job.preparing))
    if isinstance(effect, RunScript):
        return preparing.CONTROLLER in job.preparing if effect.kind == "prolog" else job.epilog_due
    if isinstance(effect, EndStep):
        step = job.steps.get(effect.step)
        return step is not None and not job.completing and bool(set(effect.nodes).intersection(step.nodes_left))
    ending = job.completing or (job.lost is not None and not job.lost.intact)
    return (ending or isinstance(effect, Signal)) and bool(set(effect.nodes).intersection(job.nodes_left))


def _is_remains(state: ClusterState, effect: Terminate) -> bool:
    """Whether it ends what is left of an attempt that its job has long gone on without."""
    nodes = [state.nodes[name] for name in effect.nodes if name in state.nodes]
    return any((each.job, each.attempt) == (effect.job, effect.attempt) for node in nodes for each in node.remains)


def reconcile(state: ClusterState, node: NodeName, holdings: Iterable[Held], now: float) -> Reconciled:
    """Compare what a node that registers holds with what it should hold.

    It ends what is not wanted any more; a job that should run there and left no trace is lost; unconfirmed launches are sent again; ending
    jobs of which it holds nothing are clean there. Ended steps that it still holds are reported by itself.
    """
    held = list(holdings)
    named = {(each.job, each.attempt) for each in held}
    have = {(each.job, each.attempt) for each in held if each.step != SCRIPTS_STEP}
    begun = {(each.job, each.attempt) for each in held if each.step not in (SCRIPTS_STEP, EXTERN_STEP)}
    result = Reconciled([], [], [])
    known = state.nodes.get(node)
    remains = {(each.job, each.attempt) for each in known.remains} if known is not None else set()
    for pair in sorted(named - remains):
        job = state.jobs.get(pair[0])
        if job is None or job.attempt != pair[1] or node not in job.nodes_left:
            result.unknown.append(pair)
    for pair in sorted(remains):
        if pair in named:
            result.effects.append(Terminate(job=pair[0], attempt=pair[1], nodes=(node,), why="node_fail"))
        else:
            result.events.append(e.NodeFreed(at=now, job=pair[0], attempt=pair[1], node=node))
    for job_id in sorted(known.jobs) if known is not None else ():
        job = state.jobs[job_id]
        if node not in job.nodes_left:
            continue
        present = (job.id, job.attempt) in begun
        if job.lost is not None:
            _of_lost(job, job.lost, node, now, result, present=present, left=(job.id, job.attempt) in have)
        elif job.completing:
            if (job.id, job.attempt) in have or state.settings.node_epilog:
                result.effects.extend(_expected(state, job, [node]))
            else:
                result.events.append(e.NodeFreed(at=now, job=job.id, attempt=job.attempt, node=node))
        elif job.launched and not present and job.batch_host == node:
            result.events.append(e.LaunchFailed(
                at=now, job=job.id, attempt=job.attempt, node=node, why="the node lost all trace of the running job"))
        elif not present and job.batch_host == node and job.runs_script:
            result.effects.extend(_expected(state, job, [node]))
        elif present and not job.launched and job.batch_host == node and job.runs_script:
            result.events.append(e.Launched(at=now, job=job.id, attempt=job.attempt))
        if node in job.preparing and not job.completing and job.lost is None:
            result.effects.append(Prepare(job=job.id, attempt=job.attempt, nodes=(node,)))
        result.effects.extend(_ending_steps(job, [node]))
        result.effects.extend(_given_up_steps(job, node, held))
        result.events.extend(_lost_steps(job, node, held, now))
    return result


def _of_lost(job: Job, lost: LostAttempt, node: NodeName, now: float, result: Reconciled, *, present: bool, left: bool) -> None:
    """A node is back that an attempt was waiting for: it goes on, or nothing of it is left there, or what is left is to end.

    `present`: a step of it is there, `left`: it or the extern step.
    """
    if left and not lost.intact:
        result.effects.append(Terminate(job=job.id, attempt=job.attempt, nodes=(node,), why="node_fail", at=lost.since))
    elif not lost.intact or (node == lost.batch_host and not present):
        result.events.append(e.NodeFreed(at=now, job=job.id, attempt=job.attempt, node=node))
        if left:
            result.unknown.append((job.id, job.attempt))
    else:
        result.events.append(e.NodeReturned(at=now, job=job.id, attempt=job.attempt, node=node))
        if node == lost.batch_host and not lost.launched:
            result.events.append(e.Launched(at=now, job=job.id, attempt=job.attempt))


def _lost_steps(job: Job, node: NodeName, held: list[Held], now: float) -> list[e.Event]:
    """Steps that should run on the node and left no trace there; killed is the best that can be said of them.

    One that was granted a moment ago may be on its way: its srun brings it to the node, or says that it could not.
    """
    have = {each.step for each in held if (each.job, each.attempt) == (job.id, job.attempt)}
    return [
        e.StepExited(at=now, job=job.id, attempt=job.attempt, step=step.id, node=node, status=9)
        for step in (job.lost.steps if job.lost is not None else job.steps).values()
        if step.id != BATCH_STEP and node in step.nodes_left and step.id not in have and not (
            step.id == EXTERN_STEP and node in job.preparing)
        and now - step.start_time > ON_THE_WAY_SECONDS
    ]


def _ending_steps(job: Job, nodes: list[NodeName]) -> list[Effect]:
    if job.completing:
        return []
    return [
        EndStep(job=job.id, attempt=job.attempt, step=step.id, nodes=there, why=step.ending)
        for step in job.steps.values() if step.ending and (there := tuple(name for name in step.nodes_left if name in nodes))]


def _given_up_steps(job: Job, node: NodeName, held: list[Held]) -> list[Effect]:
    """Steps that still run on the node and that their srun had called over, since it did not hear of the node any more."""
    if job.completing or job.lost is not None:
        return []
    return [
        EndStep(job=job.id, attempt=job.attempt, step=each.step, nodes=(node,))
        for each in held
        if each.running and (each.job, each.attempt) == (job.id, job.attempt) and 0 <= each.step < job.next_step
        and each.step not in job.steps]


def _scripts(job: Job) -> list[Effect]:
    """Prologs and epilogs that are not known to be over."""
    effects: list[Effect] = []
    nodes = tuple(name for name in job.preparing if name != preparing.CONTROLLER)
    if nodes and not job.completing and job.lost is None:
        effects.append(Prepare(job=job.id, attempt=job.attempt, nodes=nodes))
    if preparing.CONTROLLER in job.preparing:
        effects.append(RunScript(job=job.id, attempt=job.attempt, kind="prolog"))
    if job.epilog_due:
        effects.append(RunScript(job=job.id, attempt=job.attempt, kind="epilog"))
    return effects


def _expected(state: ClusterState, job: Job, nodes: list[NodeName]) -> list[Effect]:
    if job.completing:
        return [Terminate(job=job.id, attempt=job.attempt, nodes=tuple(nodes), why=why_ended(job), at=job.end_time)] if nodes else []
    if job.state in (JobState.RUNNING, JobState.SUSPENDED) and preparing.may_launch(state, job) and job.batch_host in nodes:
        return [Launch(job=job.id, attempt=job.attempt, node=job.batch_host)]
    return []
