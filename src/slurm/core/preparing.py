"""What a started job waits for before its nodes are its own: PrologSlurmctld, with PrologFlags=Alloc the Prolog of each node, with
Contain its extern step there.

Not here: the Prolog that a node runs before the first step (without Alloc), of which the cluster hears only when it fails.
"""

from __future__ import annotations

from slurm.core import events as e
from slurm.core import recording
from slurm.core.effects import Announce, Effect, Launch, Prepare, RunScript
from slurm.core.nodes import readiness
from slurm.core.state import BOOTING, ClusterState
from slurm.model.ids import EXTERN_STEP, NodeName
from slurm.model.job import Job, Step

CONTROLLER = NodeName("")
"""Where PrologSlurmctld runs, in `Job.preparing`."""
CONFIGURING = "configuring"


def begin(state: ClusterState, job: Job) -> list[Effect]:
    """A job was given its nodes: those that are off, or are to be started anew for it, come first."""
    job.preparing = []
    if readiness.ask(state, job):
        job.flags += [CONFIGURING, BOOTING]
        return []
    return on_controller(state, job)


def on_controller(state: ClusterState, job: Job) -> list[Effect]:
    """Its nodes are there: PrologSlurmctld first, where there is one."""
    if state.settings.controller_prolog:
        job.preparing = [CONTROLLER]
        job.flags.append(CONFIGURING)
        return [RunScript(job=job.id, attempt=job.attempt, kind="prolog")]
    return _on_nodes(state, job)


def _on_nodes(state: ClusterState, job: Job) -> list[Effect]:
    effects: list[Effect] = []
    if "alloc" in state.settings.prolog_flags:
        job.preparing = list(job.nodes_left)
        if "contain" in state.settings.prolog_flags:
            _begin_extern_step(state, job)
        if "nohold" not in state.settings.prolog_flags:
            job.flags.append(CONFIGURING)
        effects.append(Prepare(job=job.id, attempt=job.attempt, nodes=tuple(job.nodes_left)))
    if may_launch(state, job):
        effects.append(Launch(job=job.id, attempt=job.attempt, node=job.batch_host))
    return effects


def _begin_extern_step(state: ClusterState, job: Job) -> None:
    """The step that each node holds for what comes from outside of the job's steps; it takes nothing from them."""
    assert job.allocation is not None
    step = job.steps[EXTERN_STEP] = Step(
        id=EXTERN_STEP, name="extern", start_time=job.start_time, shares=list(job.allocation.shares), ntasks=len(job.allocation.shares),
        nodes_left=list(job.nodes_left))
    recording.step(state, job, step)


def may_launch(state: ClusterState, job: Job) -> bool:
    """Whether its batch script may be started: with DeferBatch once all of its nodes are prepared, else its batch host sees to that."""
    if not job.runs_script or job.launched or CONTROLLER in job.preparing or BOOTING in job.flags:
        return False
    return not (job.preparing and "deferbatch" in state.settings.prolog_flags)


def on_prepared_away(state: ClusterState, job: Job, event: e.Prepared) -> list[Effect]:
    """The same of an attempt that nobody hears of: it goes on when its nodes return."""
    if event.node in job.preparing:
        job.preparing.remove(event.node)
    return []


def on_prepared(state: ClusterState, job: Job, event: e.Prepared) -> list[Effect]:
    """The Prolog of a node, or PrologSlurmctld, has run."""
    if event.node not in job.preparing:
        return []
    job.preparing.remove(event.node)
    if job.preparing:
        return []
    if CONFIGURING in job.flags:
        job.flags.remove(CONFIGURING)
    effects: list[Effect] = [Announce(job=job.id)]
    if event.node == CONTROLLER:
        return effects + _on_nodes(state, job)
    if may_launch(state, job) and "deferbatch" in state.settings.prolog_flags:
        effects.append(Launch(job=job.id, attempt=job.attempt, node=job.batch_host))
    return effects
