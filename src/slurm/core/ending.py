"""How a job ends: by itself, by its limit, by a person; and how its nodes come back, one by one. Requeuing lives in `requeuing`."""

from __future__ import annotations

from slurm.core import concluding, dependencies, notices, parking, recording, resources, starting, suspending
from slurm.core import events as e
from slurm.core.effects import Announce, Effect, RunScript, Signal, Terminate
from slurm.core.nodes import readiness
from slurm.core.policy import state as counting
from slurm.core.reserving import running
from slurm.core.state import BOOTING, ClusterState
from slurm.model.ids import BATCH_STEP, EXTERN_STEP, NodeName
from slurm.model.job import Job, Step
from slurm.model.states import JobState, Reason
from slurm.notation import exitstatus
from slurm.notation import signal as signals

SIGKILL = 9


def verdict_of(status: int, oom: bool) -> tuple[JobState, str]:
    """(state, reason) of a job whose script or holder ended with this wait status."""
    if oom:
        return JobState.OUT_OF_MEMORY, Reason.OUT_OF_MEMORY
    ended = exitstatus.from_wait(status)
    if ended.signal:
        words = exitstatus.signal_words(ended.signal).replace(" ", "_")
        return JobState.FAILED, Reason.RAISED_SIGNAL.format(f"{ended.signal}({words})")
    if ended.code:
        return JobState.FAILED, Reason.NON_ZERO_EXIT_CODE
    return JobState.COMPLETED, Reason.NONE


def on_batch_exited(state: ClusterState, job: Job, event: e.BatchExited) -> list[Effect]:
    """The script ended: that is the end of the job, unless its exit code asks for another run."""
    _end_batch_step(state, job, event)
    job.launched = True
    job.exit_status = event.status
    if event.limit == "timeout":
        job.exit_status = 0
        return end(state, job, event.at, JobState.TIMEOUT, Reason.TIME_LIMIT, why="timeout")
    if event.limit == "lease":
        job.requeue_after = concluding.may_run_again(state.settings, job)
        return end(state, job, event.at, JobState.NODE_FAIL, Reason.NODE_DOWN, why="node_fail")
    final, reason = verdict_of(event.status, event.oom)
    if concluding.gave_way(state.settings, job, event.status):
        return end(state, job, event.at, JobState.PREEMPTED, Reason.NONE, why="preempted")
    if not event.began:
        final, reason = JobState.FAILED, Reason.JOB_LAUNCH_FAILURE
    job.reason_text = event.why
    code = exitstatus.from_wait(event.status).code if event.began else 0
    if code and code in state.settings.requeue_exit:
        job.requeue_after = True
    elif code and code in state.settings.requeue_exit_hold:
        job.requeue_after = job.hold_after = True
        job.flags.append("special_exit")
    return end(state, job, event.at, final, reason)


def on_batch_exited_late(state: ClusterState, job: Job, event: e.BatchExited) -> list[Effect]:
    """The script ended after its end was decided: only its step learns the status."""
    _end_batch_step(state, job, event)
    return []


def on_relinquished(state: ClusterState, job: Job, event: e.AllocationRelinquished) -> list[Effect]:
    """The holder gave the allocation back."""
    job.exit_status = event.status
    if concluding.gave_way(state.settings, job, event.status):
        return end(state, job, event.at, JobState.PREEMPTED, Reason.NONE, why="preempted")
    return end(state, job, event.at, *verdict_of(event.status, False))


def on_stopped(state: ClusterState, job: Job, event: e.Stopped) -> list[Effect]:
    """Its processes hold still, or go on; it keeps what it has, and its time runs."""
    if event.stopped == ("stopped" in job.flags):
        return []
    job.flags = [*job.flags, "stopped"] if event.stopped else [flag for flag in job.flags if flag != "stopped"]
    return [Announce(job=job.id)]


def on_timed_out(state: ClusterState, job: Job, event: e.TimedOut) -> list[Effect]:
    """The time limit came, or its group has used up its minutes."""
    return end(state, job, event.at, JobState.TIMEOUT, event.why or Reason.TIME_LIMIT, why="timeout")


def on_cancelled(state: ClusterState, job: Job, event: e.Cancelled) -> list[Effect]:
    """Somebody ended a running job."""
    job.reason_text = str(event.by)
    return end(state, job, event.at, JobState.CANCELLED, Reason.NONE, why="cancelled")


def on_cancelled_late(state: ClusterState, job: Job, event: e.Cancelled) -> list[Effect]:
    """It was ending already; if it was to run again, it will not."""
    if not job.requeue_after:
        return []
    job.requeue_after = job.hold_after = False
    job.state = JobState.CANCELLED
    job.reason_text = str(event.by)
    job.flags = ["completing"]
    recording.job(state, job)
    return [Announce(job=job.id), *write_off(state, job, event.at)]


def on_warned(state: ClusterState, job: Job, event: e.Warned) -> list[Effect]:
    """The --signal is sent: to the script with B:, else to the steps."""
    request = signals.parse_request(job.request.signal)
    job.signalled = True
    return [Signal(job=job.id, attempt=job.attempt, nodes=tuple(job.nodes_left), signal=request.number, batch=request.batch)]


def on_node_freed(state: ClusterState, job: Job, event: e.NodeFreed) -> list[Effect]:
    """One node is clean: what the job held there is free."""
    return free_node(state, job, event.node, event.at)


def on_launch_failed_late(state: ClusterState, job: Job, event: e.LaunchFailed) -> list[Effect]:
    """A node could not start a job that is to end: nothing of it runs there, unless the node holds its extern step."""
    return [] if holds_extern(job, event.node) else free_node(state, job, event.node, event.at)


def holds_extern(job: Job, name: NodeName) -> bool:
    """Whether a node has the extern step of a job: what it says of the script says nothing of all."""
    return (step := job.steps.get(EXTERN_STEP)) is not None and name in step.nodes_left


def end(state: ClusterState, job: Job, at: float, final: JobState, reason: str, why: str = "") -> list[Effect]:
    """A running job is over: its processes are to end, and it holds its nodes until they say so."""
    job.state = JobState.PENDING if job.requeue_after else final
    job.reason = reason
    job.end_time = at
    recording.job(state, job)
    if why == "timeout":
        notices.limit_reached(state, job)
    counting.stops_using(state, job, at)
    suspending.close(state, job, at)
    untouched = readiness.not_ready(state, job) if readiness.is_booting(job) else []
    job.flags = [flag for flag in job.flags if flag not in ("stopped", "configuring", BOOTING)] + ["completing"]
    for name in job.nodes_left:
        state.nodes[name].completing.add(job.id)
        state.unsaved.nodes.add(name)
    effects: list[Effect] = [Announce(job=job.id)]
    job.preparing = []
    if state.settings.controller_epilog:
        job.epilog_due = True
        effects.append(RunScript(job=job.id, attempt=job.attempt, kind="epilog"))
    for name in untouched:
        release(state, job, name, at)
        readiness.unasked(state.nodes[name])
    if job.nodes_left:
        effects.append(Terminate(job=job.id, attempt=job.attempt, nodes=tuple(job.nodes_left), why=why, at=at))
        return effects
    return effects + settle(state, job, at)


def free_node(state: ClusterState, job: Job, name: NodeName, at: float) -> list[Effect]:
    """Nothing of an ending job is left on a node; the last one settles the job."""
    if name not in job.nodes_left:
        return []
    release(state, job, name, at)
    if job.nodes_left and job.requeue_after and parking.all_lost(state, job):
        return parking.park(state, job, at, intact=False)
    if job.nodes_left:
        return []
    return settle(state, job, at)


def write_off(state: ClusterState, job: Job, at: float) -> list[Effect]:
    """A job ends for good: nodes that were given up do not keep it."""
    effects: list[Effect] = []
    for name in [name for name in job.nodes_left if parking.is_lost(state, name)]:
        parking.leave(state, job, name)
        effects += free_node(state, job, name, at)
    return effects


def release(state: ClusterState, job: Job, name: NodeName, at: float) -> None:
    """Give one node's share back and forget the node for this attempt."""
    job.nodes_left.remove(name)
    node = state.nodes.get(name)
    for step in [step for step in job.steps.values() if name in step.nodes_left]:
        step.nodes_left.remove(name)
        if not step.nodes_left and not job.completing:
            cut_off(state, job, step, at)
            del job.steps[step.id]
    if node is None:
        return
    share = resources.share_on(job, node)
    if share is not None:
        resources.free(state, node, job, share, at)


def settle(state: ClusterState, job: Job, at: float) -> list[Effect]:
    """Nothing of an attempt is left anywhere: the job goes back to the queue or ends for good, once its EpilogSlurmctld is over too."""
    if job.epilog_due:
        return []
    for step in job.steps.values():
        cut_off(state, job, step, at)
    job.flags.remove("completing")
    job.nodes_left = []
    job.steps.clear()
    state.leave_service(job, at)
    running.left(state, job, at)
    if job.array_task is not None:
        state.arrays[job.array_job].running -= 1
    effects: list[Effect] = [Announce(job=job.id)]
    if job.requeue_after:
        concluding.back_to_queue(state, job, at)
        dependencies.look_for_namesakes(state, job, at, effects)
        return effects
    if job.cron is not None and job.state is not JobState.CANCELLED:
        dependencies.ended(state, job, at, effects)
        concluding.to_next_run(state, job, at)
        dependencies.look_for_namesakes(state, job, at, effects)
        return effects
    conclude(state, job, at, effects)
    return effects


def conclude(state: ClusterState, job: Job, at: float, effects: list[Effect]) -> None:
    """A job has ended for good: the array's ledger, jobs that wait for it, and the end of its stay in memory."""
    concluding.record_end(state, job, at)
    dependencies.ended(state, job, at, effects)


def on_epilog_ended(state: ClusterState, job: Job, event: e.EpilogEnded) -> list[Effect]:
    """EpilogSlurmctld is over: if its nodes are clean too, so is the attempt."""
    if not job.epilog_due:
        return []
    job.epilog_due = False
    if job.completing and not job.nodes_left and job.lost is None:
        return settle(state, job, event.at)
    return []


def end_step(state: ClusterState, job: Job, step: Step, at: float, status: int, oom: bool) -> None:
    """All of a step has ended; what a signal ended once somebody wanted it to end was cancelled, or had its own time limit (srun --time)."""
    step.exit_status = status
    step.end_time = at
    step.nodes_left = []
    step.state = verdict_of(status, oom)[0]
    if step.state is JobState.FAILED and exitstatus.from_wait(status).signal and (job.completing or step.ending):
        timed_out = step.id >= 0 and step.ending == "timeout" and not job.completing
        step.state = JobState.TIMEOUT if timed_out else JobState.CANCELLED
    if step.usage is not None and "mem" in step.usage.taken:
        held = step.usage.taken["mem"].total / max(1, len(step.shares))
        job.memory_peak = max(job.memory_peak, -(-int(held) >> 20))
    recording.step(state, job, step)


def cut_off(state: ClusterState, job: Job, step: Step, at: float) -> None:
    """Nothing of a step is left, and nobody says how it ended: with its node, or by an order that went before its report."""
    if step.end_time:
        return
    step.exit_status = max(step.exit_status or 0, SIGKILL)
    step.end_time = at
    step.state = JobState.NODE_FAIL if job.reason == Reason.NODE_DOWN or not job.completing else JobState.CANCELLED
    recording.step(state, job, step)


def _end_batch_step(state: ClusterState, job: Job, event: e.BatchExited) -> None:
    step = job.steps.get(BATCH_STEP)
    if step is None and job.allocation is not None and not job.launched:
        step = starting.begin_batch_step(state, job, job.start_time)
    if step is not None and not step.end_time:
        step.usage = event.usage
        step.ending = step.ending or event.limit
        end_step(state, job, step, event.at, event.status, event.oom)
