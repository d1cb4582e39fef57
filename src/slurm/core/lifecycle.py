"""THE job state machine: which event may meet a job in which phase, and the function that carries it out.

A pair that stands in neither TABLE nor IGNORED raises IllegalTransition with the job's story and changes nothing. What the
functions do is in `waiting`, `starting`, `ending`, `requeuing` and `stepping`, grouped by what happens to the job.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from slurm.core import ending, preempting, preparing, proof, requeuing, resizing, starting, stepping, suspending, waiting
from slurm.core import events as e
from slurm.core.effects import Effect
from slurm.core.illegal import IllegalTransition, story
from slurm.core.state import ClusterState
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.states import JobState


class Phase(enum.Enum):
    """Where in its life a job is: waits, holds resources and runs, holds still, is to run again but lost sight of its nodes, ended with
    processes left on nodes, ended for good.
    """

    WAITING = "waiting"
    RUNNING = "running"
    SUSPENDED = "suspended"
    LOST = "lost"
    ENDING = "ending"
    ENDED = "ended"


WAITING, RUNNING, SUSPENDED, LOST, ENDING, ENDED = Phase

Handler = Callable[[ClusterState, Job, Any], list[Effect]]


def phase(job: Job) -> Phase:
    """The phase of a job, from its state and the completing flag."""
    if "completing" in job.flags:
        return ENDING
    if job.lost is not None:
        return LOST
    if job.state is JobState.PENDING:
        return WAITING
    if job.state is JobState.SUSPENDED:
        return SUSPENDED
    return ENDED if job.state.finished else RUNNING


TABLE: dict[tuple[Phase, type[e.Event]], Handler] = {
    (WAITING, e.Started): starting.on_started,
    (WAITING, e.Eligible): waiting.on_eligible,
    (WAITING, e.Held): waiting.on_held,
    (WAITING, e.CronPlanned): waiting.on_cron_planned,
    (WAITING, e.Released): waiting.on_released,
    (WAITING, e.JobUpdated): waiting.on_updated,
    (WAITING, e.DeadlinePassed): waiting.on_deadline_passed,
    (WAITING, e.Cancelled): waiting.on_cancelled,
    (WAITING, e.ProofWaived): proof.on_waived_waiting,
    (WAITING, e.Preempted): preempting.on_preempted,
    (WAITING, e.PromiseEnded): preempting.on_promise_ended,
    (RUNNING, e.GraceEnded): preempting.on_grace_ended,
    (SUSPENDED, e.GraceEnded): preempting.on_grace_ended,
    (RUNNING, e.Held): waiting.on_held_running,
    (RUNNING, e.Released): waiting.on_released_running,
    (SUSPENDED, e.Held): waiting.on_held_running,
    (SUSPENDED, e.Released): waiting.on_released_running,
    (RUNNING, e.Launched): starting.on_launched,
    (RUNNING, e.LaunchFailed): requeuing.on_launch_failed,
    (RUNNING, e.Prepared): preparing.on_prepared,
    (RUNNING, e.PreparationFailed): requeuing.on_preparation_failed,
    (RUNNING, e.BatchExited): ending.on_batch_exited,
    (RUNNING, e.AllocationRelinquished): ending.on_relinquished,
    (RUNNING, e.Warned): ending.on_warned,
    (RUNNING, e.Stopped): ending.on_stopped,
    (RUNNING, e.TimedOut): ending.on_timed_out,
    (RUNNING, e.Cancelled): ending.on_cancelled,
    (RUNNING, e.Requeued): requeuing.on_requeued,
    (RUNNING, e.JobUpdated): waiting.on_updated,
    (RUNNING, e.JobShrunk): resizing.on_shrunk,
    (RUNNING, e.StepCreated): stepping.on_created,
    (RUNNING, e.StepEnding): stepping.on_ending,
    (RUNNING, e.StepExited): stepping.on_exited,
    (RUNNING, e.Suspended): suspending.on_suspended,
    (SUSPENDED, e.Suspended): suspending.on_suspended_anew,
    (SUSPENDED, e.Resumed): suspending.on_resumed,
    (SUSPENDED, e.Launched): suspending.on_launched,
    (SUSPENDED, e.LaunchFailed): requeuing.on_launch_failed,
    (SUSPENDED, e.Prepared): preparing.on_prepared,
    (SUSPENDED, e.PreparationFailed): requeuing.on_preparation_failed,
    (SUSPENDED, e.BatchExited): ending.on_batch_exited,
    (SUSPENDED, e.AllocationRelinquished): ending.on_relinquished,
    (SUSPENDED, e.TimedOut): ending.on_timed_out,
    (SUSPENDED, e.Cancelled): ending.on_cancelled,
    (SUSPENDED, e.Requeued): requeuing.on_requeued_suspended,
    (SUSPENDED, e.JobUpdated): waiting.on_updated,
    (SUSPENDED, e.StepCreated): stepping.on_created_of_suspended,
    (SUSPENDED, e.StepEnding): stepping.on_ending,
    (SUSPENDED, e.StepExited): stepping.on_exited,
    (LOST, e.NodeReturned): proof.on_returned,
    (LOST, e.NodeFreed): proof.on_node_over,
    (LOST, e.LaunchFailed): proof.on_node_over,
    (LOST, e.ProofWaived): proof.on_waived,
    (LOST, e.Launched): proof.on_launched,
    (LOST, e.Prepared): preparing.on_prepared_away,
    (LOST, e.BatchExited): proof.on_batch_exited,
    (LOST, e.StepExited): proof.on_step_exited,
    (LOST, e.Cancelled): proof.on_cancelled,
    (LOST, e.Requeued): proof.on_requeued,
    (LOST, e.Held): proof.on_held,
    (LOST, e.Released): proof.on_released,
    (LOST, e.JobUpdated): waiting.on_updated,
    (ENDING, e.NodeFreed): ending.on_node_freed,
    (ENDING, e.EpilogEnded): ending.on_epilog_ended,
    (ENDING, e.StepExited): stepping.on_exited,
    (ENDING, e.BatchExited): ending.on_batch_exited_late,
    (ENDING, e.LaunchFailed): ending.on_launch_failed_late,
    (ENDING, e.Cancelled): ending.on_cancelled_late,
    (ENDING, e.Requeued): requeuing.on_requeued_late,
    (ENDING, e.JobUpdated): waiting.on_updated,
    (ENDED, e.Requeued): requeuing.on_requeued_ended,
}

IGNORED: dict[tuple[Phase, type[e.Event]], str] = {
    (WAITING, e.Requeued): "it waits already",
    (RUNNING, e.NodeFreed): "a node speaks only for processes that were to end; these were not",
    (RUNNING, e.Eligible): "the delay ended after the job was started by hand",
    (RUNNING, e.NodeReturned): "it runs as if the node had never been away",
    (RUNNING, e.ProofWaived): "its attempt goes on: nothing is waited for",
    (RUNNING, e.EpilogEnded): "an epilog belongs to an end; it went on",
    (RUNNING, e.PromiseEnded): "it has what it was promised",
    (SUSPENDED, e.PromiseEnded): "it has what it was promised",
    (LOST, e.PromiseEnded): "it has what it was promised",
    (ENDING, e.PromiseEnded): "it had what it was promised",
    (ENDED, e.PromiseEnded): "it ended while it waited",
    (LOST, e.GraceEnded): "nobody hears of its nodes",
    (ENDING, e.GraceEnded): "it ended in its grace",
    (ENDED, e.GraceEnded): "it ended in its grace",
    (RUNNING, e.Resumed): "it goes on already",
    (SUSPENDED, e.Stopped): "its processes hold still already, and are let go on when it is resumed",
    (SUSPENDED, e.Warned): "its clock stands still: the warning is sent when it goes on",
    (SUSPENDED, e.NodeFreed): "a node speaks only for processes that were to end; these were not",
    (SUSPENDED, e.NodeReturned): "it is suspended as if the node had never been away",
    (SUSPENDED, e.ProofWaived): "its attempt goes on: nothing is waited for",
    (SUSPENDED, e.EpilogEnded): "an epilog belongs to an end; it was not ended",
    (LOST, e.Suspended): "nobody hears of its nodes",
    (LOST, e.Resumed): "nobody hears of its nodes",
    (ENDING, e.Suspended): "its processes are being ended",
    (ENDING, e.Resumed): "its processes are being ended",
    (ENDED, e.Suspended): "late news of a job that ended",
    (ENDED, e.Resumed): "late news of a job that ended",
    (LOST, e.PreparationFailed): "it is to run again anyway",
    (LOST, e.EpilogEnded): "its end is not decided; when it is, an epilog is run for it",
    (LOST, e.Warned): "nobody hears of its nodes",
    (LOST, e.Stopped): "nobody hears of its nodes",
    (LOST, e.TimedOut): "its nodes keep its time limit",
    (ENDING, e.JobShrunk): "all of its nodes are being given back",
    (LOST, e.JobShrunk): "nobody hears of its nodes",
    (ENDED, e.JobShrunk): "late news of a job that ended",
    (ENDING, e.NodeReturned): "it was ended while the node was away",
    (ENDING, e.ProofWaived): "its nodes are heard of: they end it",
    (ENDING, e.Prepared): "its end was decided while its prolog ran",
    (ENDING, e.PreparationFailed): "its end was decided while its prolog ran",
    (ENDING, e.Launched): "the script ran, but its end was already decided",
    (ENDING, e.Warned): "it ended before the warning",
    (ENDING, e.Stopped): "its processes are being ended",
    (ENDING, e.TimedOut): "it ended before its limit",
    (ENDING, e.StepEnding): "with its job it ends anyway",
    (ENDING, e.AllocationRelinquished): "it ended before its holder gave it back",
    (ENDED, e.Prepared): "late news of a job that ended",
    (ENDED, e.PreparationFailed): "late news of a job that ended",
    (ENDED, e.EpilogEnded): "late news of a job that ended",
    (ENDED, e.Cancelled): "another job's end had ended it (--kill-on-invalid-dep)",
    (ENDED, e.Launched): "late news of a job that ended",
    (ENDED, e.LaunchFailed): "late news of a job that ended",
    (ENDED, e.BatchExited): "late news of a job that ended",
    (ENDED, e.AllocationRelinquished): "late news of a job that ended",
    (ENDED, e.NodeReturned): "it was ended while the node was away",
    (ENDED, e.ProofWaived): "it ended meanwhile",
    (ENDED, e.NodeFreed): "late news of a job that ended",
    (ENDED, e.Warned): "late news of a job that ended",
    (ENDED, e.Stopped): "late news of a job that ended",
    (ENDED, e.TimedOut): "late news of a job that ended",
    (LOST, e.StepEnding): "its node is silent; its end was decided by whoever cancelled the job or proves the attempt over",
    (ENDED, e.StepEnding): "late news of a job that ended",
    (ENDED, e.StepExited): "late news of a job that ended",
    (ENDED, e.Eligible): "the job ended while it waited",
    (ENDED, e.DeadlinePassed): "the job ended while it waited",
}
"""Late news: legal, without effect, and why."""

STALE = "news of an earlier attempt, whose end was decided without it"
GONE = "news of a job that left memory"

ATTEMPT_EVENTS: frozenset[type[e.Event]] = frozenset({
    e.Launched, e.LaunchFailed, e.BatchExited, e.NodeFreed, e.Warned, e.Stopped, e.TimedOut, e.StepEnding, e.StepExited,
    e.NodeReturned, e.ProofWaived, e.Prepared, e.PreparationFailed, e.EpilogEnded, e.Suspended, e.Resumed, e.GraceEnded, e.JobShrunk,
})
"""Events that speak of one attempt; those of an earlier attempt are ignored, those of a later one are illegal."""


def step(state: ClusterState, event: Any) -> list[Effect]:
    """Carry out one job event; IllegalTransition, with nothing changed, when it cannot happen to this job now."""
    kind = type(event)
    if kind is e.NodeFreed:
        return proof.note_clean(state, event.node, event.job, event.attempt) + _step(state, event)
    return _step(state, event)


def _step(state: ClusterState, event: Any) -> list[Effect]:
    kind = type(event)
    job = state.jobs.get(event.job)
    if job is None:
        if kind in ATTEMPT_EVENTS:
            return []
        raise IllegalTransition(f"{kind.__name__} names job {event.job}, which is not known")
    if kind in ATTEMPT_EVENTS and event.attempt != job.attempt:
        if event.attempt < job.attempt:
            return []
        raise IllegalTransition(f"{kind.__name__} speaks of attempt {event.attempt}, which never was: {story(job)}")
    present = phase(job)
    handler = TABLE.get((present, kind))
    if handler is not None:
        state.changed(job)
        return handler(state, job, event)
    if (present, kind) in IGNORED or (present is WAITING and kind in ATTEMPT_EVENTS):
        return []
    raise IllegalTransition(f"{kind.__name__} cannot happen to a job that is {present.value}: {story(job)}")


def ignored(state: ClusterState, event: e.Event) -> str:
    """Why this event would be passed over, "" when it would not be; for logs."""
    kind = type(event)
    named: JobId | None = getattr(event, "job", None)
    job = state.jobs.get(named) if named is not None else None
    if job is None:
        return GONE if kind in ATTEMPT_EVENTS else ""
    if kind in ATTEMPT_EVENTS and (getattr(event, "attempt", 0) < job.attempt or phase(job) is WAITING):
        return STALE
    return IGNORED.get((phase(job), kind), "")
