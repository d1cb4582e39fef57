"""Power: nodes that are switched off when nobody needs them and on when jobs were given them. When that is due is said by `saving`."""

from __future__ import annotations

from slurm.core import events as e
from slurm.core import machines, preparing, proof, recording, starting
from slurm.core.effects import Announce, Effect
from slurm.core.nodes import readiness
from slurm.core.requeuing import Loss
from slurm.core.state import BOOTING, ClusterState
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.states import NodeState, Power

RESUME_FAILED = "ResumeTimeout reached"
REBOOT_FAILED = "reboot timed out"


def on_changed(state: ClusterState, event: e.PowerChanged) -> list[Effect]:
    """A node goes down, is off, comes up, or is on."""
    node = machines.node_of(state, event.node)
    node.power, node.power_since = event.power, event.at
    if event.power is Power.ON:
        return is_on(state, node, event)
    if event.power is Power.COMING_UP:
        node.power_asked = ""
    elif event.power is Power.OFF:
        return _is_off(state, node, event)
    return []


def _is_off(state: ClusterState, node: Node, event: e.PowerChanged) -> list[Effect]:
    node.responding = False
    effects: list[Effect] = []
    if event.empty:
        effects += machines.lose_jobs(state, node, event, "powered down", Loss.PROVEN)
        effects += proof.clear(state, node)
    if node.power_asked == "down_asap":
        node.drain = False
        machines.set_reason(node, "", 0, "", event.at)
    elif node.power_asked == "down_force":
        node.drain = False
        node.state = NodeState.IDLE
        machines.set_reason(node, "", 0, "", event.at)
    if node.power_asked != "up":
        node.power_asked = ""
    return effects


def is_on(state: ClusterState, node: Node, event: e.Event) -> list[Effect]:
    """A node is there: jobs that wait for it alone begin."""
    node.power, node.power_asked, node.power_since = Power.ON, "", event.at
    node.last_busy_time = max(node.last_busy_time, event.at)
    return go_on(state, node, event.at)


def go_on(state: ClusterState, node: Node, at: float) -> list[Effect]:
    """The jobs that waited for this node, and have now all of theirs, begin."""
    effects: list[Effect] = []
    for job_id in sorted(node.jobs):
        job = state.jobs[job_id]
        if readiness.is_booting(job) and not readiness.not_ready(state, job):
            effects += _begin(state, job, at)
    return effects


def _begin(state: ClusterState, job: Job, at: float) -> list[Effect]:
    """All nodes of a job are there: its time begins now."""
    state.changed(job)
    job.flags = [flag for flag in job.flags if flag not in (preparing.CONFIGURING, BOOTING)]
    job.start_time = at
    starting.set_limit_timer(state, job)
    recording.job(state, job)
    if not job.runs_script:
        starting.set_warning_timer(state, job)
    return [Announce(job=job.id), *preparing.on_controller(state, job)]


def on_resume_failed(state: ClusterState, event: e.ResumeFailed) -> list[Effect]:
    """A node did not come up: it is DOWN, and jobs that wait for it are to run elsewhere. Nothing of them was started there."""
    node = machines.node_of(state, event.node)
    node.reboot = node.reboot_next = ""
    node.power, node.power_since = Power.ON, event.at
    node.power_asked = "down" if state.settings.suspends else ""  # whatever is left of it there is not left on
    node.state, node.responding = NodeState.DOWN, False
    why = REBOOT_FAILED if event.reboot else RESUME_FAILED
    reason = f"{node.reason} : {why}" if event.reboot and node.reason else why
    machines.set_reason(node, reason, 0, state.settings.slurm_user, event.at)
    return machines.lose_jobs(state, node, event, why, Loss.PROVEN)
