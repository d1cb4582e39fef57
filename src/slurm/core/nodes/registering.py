"""A slurmd registers: what its machine has is noted, and the node is there for jobs unless something speaks against it."""

from __future__ import annotations

from msgspec.structs import replace

from slurm.core import events as e
from slurm.core import machines, proof
from slurm.core.effects import Effect
from slurm.core.nodes import power, readiness, rebooting
from slurm.core.requeuing import Loss
from slurm.core.state import ClusterState
from slurm.model.node import GresPool, Node
from slurm.model.settings import Settings
from slurm.model.states import NodeState, Power

REBOOTED = "Node unexpectedly rebooted"


def on_registered(state: ClusterState, event: e.NodeRegistered) -> list[Effect]:
    """A slurmd is there: its facts are noted, the node becomes usable unless something speaks against it."""
    node = machines.node_of(state, event.node)
    effects: list[Effect] = []
    if event.rebooted:
        waiting = {job_id for job_id in node.jobs if readiness.is_booting(state.jobs[job_id])}
        effects += machines.lose_jobs(state, node, event, REBOOTED, Loss.PROVEN, but=waiting)
        effects += proof.clear(state, node)
    started_anew = event.slurmd_start_time > node.power_since
    for field in ("arch", "os", "version", "boot_time", "boot_id", "slurmd_start_time", "address", "hostname", "port"):
        value = getattr(event, field)
        if value:
            setattr(node, field, value)
    node.registered = node.responding = True
    node.last_heard = event.at
    node.last_busy_time = node.last_busy_time or event.at  # its idleness counts from now on
    shortage = "" if state.settings.config_overrides else _shortage(node, event)
    _note_devices(node, event, state.settings)
    if node.state is NodeState.UNKNOWN:
        node.state = NodeState.IDLE
    elif node.state is NodeState.DOWN and _returns(node, state.settings):
        node.state = NodeState.IDLE
        machines.set_reason(node, "", 0, "", event.at)
    if shortage and not node.drain:
        node.drain = True
        machines.set_reason(node, shortage, 0, state.settings.slurm_user, event.at)
    if node.power is Power.COMING_UP or (node.power is Power.OFF and started_anew):
        effects += power.is_on(state, node, event)
    if node.reboot in ("issued", "requested") and event.rebooted:
        effects += rebooting.is_over(state, node, event)
    return effects


def _returns(node: Node, settings: Settings) -> bool:
    """Whether a DOWN node that registers may be used again (ReturnToService)."""
    if settings.return_to_service == 2:
        return True
    return settings.return_to_service == 1 and node.reason in ("", machines.NOT_RESPONDING)


def _shortage(node: Node, event: e.NodeRegistered) -> str:
    """What the machine has less of than the configuration says, in Slurm's words; "" when nothing."""
    if event.cpus < node.cpus:
        return f"Low CPUs (reported:{event.cpus} < configured:{node.cpus})"
    if event.memory < node.memory:
        return f"Low RealMemory (reported:{event.memory} < 100.00% of configured:{node.memory})"
    if event.tmp_disk < node.tmp_disk:
        return f"Low TmpDisk (reported:{event.tmp_disk} < configured:{node.tmp_disk})"
    if event.gres is not None:
        for pool in node.gres:
            found = sum(other.count for other in event.gres if other.name == pool.name and other.type in (pool.type, ""))
            if found < pool.count:
                return f"gres/{pool.name} count reported lower than configured ({found} < {pool.count})"
    return ""


def _note_devices(node: Node, event: e.NodeRegistered, settings: Settings) -> None:
    """Device files and near cores that the machine detected, for the devices that the configuration names without files."""
    if event.gres is not None and not settings.config_overrides:
        node.gres = [part for pool in node.gres for part in filled(pool, event.gres)]


def filled(pool: GresPool, found: list[GresPool]) -> list[GresPool]:
    """A pool with the files and near cores that were found for its devices; several pools, where they lie near different cores."""
    alike = [other for other in found if other.name == pool.name and other.type in (pool.type, "")]
    if pool.files or not any(other.files for other in alike):
        return [pool]
    inside = [other for other in alike if pool.first <= other.first < pool.first + pool.count]
    places = [other.first + place for other in inside for place in range(other.count)]
    if places == list(range(pool.first, pool.first + pool.count)):
        return [replace(pool, first=other.first, count=other.count, files=list(other.files), cores=pool.cores or other.cores)
                for other in inside]
    return [replace(pool, files=list(alike[0].files[: pool.count]), cores=pool.cores or alike[0].cores)]
