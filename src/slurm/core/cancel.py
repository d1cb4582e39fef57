"""Cancelling and signalling: what scancel asks, as events and effects. What becomes of the jobs is in `ending` and `waiting`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from slurm.core import components, selection
from slurm.core import events as e
from slurm.core.effects import Effect, Signal
from slurm.core.rights import may_touch
from slurm.core.selection import Chosen, Wanted
from slurm.core.state import ClusterState
from slurm.model.errors import InvalidRequest, NotNow, NotPermitted, SlurmError
from slurm.model.ids import BATCH_STEP, EXTERN_STEP, StepId
from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.notation.jobref import JobRef

SIGKILL, SIGCONT, SIGSTOP = 9, 18, 19


class Outcome(NamedTuple):
    """What to apply and do; ids acted on, (id, error name, message) of refusals, ids that mean nothing."""

    events: list[e.Event]
    effects: list[Effect]
    done: list[str]
    refused: list[tuple[str, str, str]]
    unknown: list[str]


def cancel(
    state: ClusterState, wanted: Wanted, caller: e.Caller, now: float, *, signal: int = 0, batch: bool = False, full: bool = False,
    cron: bool = False,
    among: Iterable[Job] | None = None, outcome: Outcome | None = None,
) -> Outcome:
    """End (signal 0 or SIGKILL) or signal the jobs that are wanted; each that the caller may not touch is refused by name.

    `among`: without ids, only these are looked at; `outcome`: what is found is added to it. So a large request can be carried out in
    portions.
    """
    outcome = Outcome([], [], [], [], []) if outcome is None else outcome
    ends = signal in (0, SIGKILL) and not batch
    if not wanted.ids:
        for job in selection.alive(state) if among is None else among:
            if selection.matches(job, wanted, caller) and not (ends and _goes_with_leader(state, job, wanted, caller)):
                _act(state, Chosen(job), caller, now, signal, batch, full, cron, outcome)
        return outcome
    for text in wanted.ids:
        ref = selection.parse(text)
        found = selection.named(state, ref)
        if not found:
            outcome.unknown.append(text)
            continue
        if ref.step:
            _act_on_step(state, ref, found, caller, now, signal, outcome)
            continue
        present = [chosen for chosen in found if selection.matches(chosen.job, wanted, caller)]
        living = [chosen for chosen in present if not chosen.job.state.finished]
        if ends:
            living = _whole(living)
        if present and not living:
            error = NotNow("ESLURM_ALREADY_DONE")
            outcome.refused.append((text, error.name, error.message))
        before = len(outcome.done)
        for chosen in living:
            _act(state, chosen, caller, now, signal, batch, full, cron, outcome)
        if len(outcome.done) > before:
            outcome.done[before:] = [text]
    return outcome


def _act(
    state: ClusterState, chosen: Chosen, caller: e.Caller, now: float, signal: int, batch: bool, full: bool, cron: bool,
    outcome: Outcome,
) -> None:
    try:
        if not may_touch(state, caller, chosen.job):
            raise NotPermitted("ESLURM_ACCESS_DENIED")
        if signal in (0, SIGKILL) and not batch:
            if chosen.job.cron is not None and state.settings.cron_explicit_cancel and not cron:
                raise NotPermitted("ESLURM_CANNOT_CANCEL_CRON_JOB")
            _end(state, chosen, caller, now, outcome)
        else:
            if not batch or chosen.job.runs_script or not chosen.job.het:
                outcome.effects.append(_signal(chosen.job, signal or SIGKILL, batch, full))
            if signal in (SIGSTOP, SIGCONT):
                outcome.events.append(e.Stopped(at=now, job=chosen.job.id, attempt=chosen.job.attempt, stopped=signal == SIGSTOP))
    except SlurmError as error:
        outcome.refused.append((chosen.shown, error.name, error.message))
    else:
        outcome.done.append(chosen.shown)


def _whole(chosen: list[Chosen]) -> list[Chosen]:
    """Without the components whose leader is among them: they end with it."""
    numbers = {one.job.id for one in chosen}
    return [one for one in chosen if one.job.het_job in (0, one.job.id) or one.job.het_job not in numbers]


def _goes_with_leader(state: ClusterState, job: Job, wanted: Wanted, caller: e.Caller) -> bool:
    """Whether a component ends with its leader, which is wanted too."""
    leader = state.jobs.get(job.het_job) if job.het_job != job.id else None
    return leader is not None and not leader.state.finished and selection.matches(leader, wanted, caller)


def _end(state: ClusterState, chosen: Chosen, caller: e.Caller, now: float, outcome: Outcome) -> None:
    job = chosen.job
    if job.het_job not in (0, job.id) and job.state is JobState.PENDING and components.beside(state.jobs, job):
        raise InvalidRequest("ESLURM_NOT_WHOLE_HET_JOB",
            hints=[f"while it waits only the whole job can be cancelled: scancel {job.het_job}"])
    if job.completing and not job.requeue_after:
        return
    outcome.events.append(e.Cancelled(at=now, job=job.id, by=caller.uid, tasks=chosen.tasks))


def _signal(job: Job, signal: int, batch: bool, full: bool) -> Signal:
    if job.state is JobState.PENDING and not job.completing:
        raise NotNow("ESLURM_JOB_PENDING")
    return Signal(job=job.id, attempt=job.attempt, nodes=tuple(job.nodes_left), signal=signal, batch=batch, full=full)


def _act_on_step(
    state: ClusterState, ref: JobRef, found: list[Chosen], caller: e.Caller, now: float, signal: int, outcome: Outcome,
) -> None:
    wanted = {"batch": BATCH_STEP, "extern": EXTERN_STEP}.get(ref.step)
    step_id = wanted if wanted is not None else StepId(int(ref.step)) if ref.step.isdecimal() else StepId(-1)
    for chosen in found:
        job = chosen.job
        step = job.steps.get(step_id)
        if step is None:
            outcome.unknown.append(ref.show())
        elif not may_touch(state, caller, job):
            error = NotPermitted("ESLURM_ACCESS_DENIED")
            outcome.refused.append((ref.show(), error.name, error.message))
        else:
            if signal in (0, SIGKILL) and step_id != BATCH_STEP:
                outcome.events.append(e.StepEnding(at=now, job=job.id, attempt=job.attempt, step=step_id))
            else:
                outcome.effects.append(Signal(job=job.id, attempt=job.attempt, nodes=tuple(step.nodes_left), signal=signal or SIGKILL,
                    step=step_id))
            outcome.done.append(ref.show())
