"""A job that would take an association or a QOS over one of its limits waits until others end, or the limit or the job is changed.

The table is `model.limits`; `core.policy` counts. Asked with what the request says of itself; of a proposal with what it would really get.
"""

from __future__ import annotations

from slurm.core import tres
from slurm.core.gates.gate import Scene
from slurm.core.policy import meeting
from slurm.core.policy import state as counting
from slurm.model.job import Allocation, Job
from slurm.model.partition import Partition
from slurm.model.refusal import Refusal


def closed(scene: Scene, job: Job, partition: Partition, now: float) -> bool:
    """Whether some limit is in the way now."""
    return enforced(scene) and _first(scene, job, partition, now) is not None


def refusal(scene: Scene, job: Job, partition: Partition, now: float) -> Refusal:
    """Which limit that is, what counts already and what the job asks for."""
    found = _first(scene, job, partition, now)
    assert found is not None, "asked of a gate that is closed"
    return found


def exceeded(scene: Scene, job: Job, partition: Partition, now: float, allocation: Allocation) -> Refusal | None:
    """The limit that this allocation would pass, None when it passes none."""
    return _first(scene, job, partition, now, allocation) if enforced(scene) else None


def propose(scene: Scene, job: Job, allocation: Allocation) -> None:
    """Count a start that a pass proposes, so that the rest of it does not exceed a limit either; the tally's `withdraw` ends that."""
    if enforced(scene):
        scene.policy.tally.propose(counting.keys_of(scene, job, allocation.partition), tres.held(scene, allocation),
            ask(scene, job, allocation).length)


def enforced(scene: Scene) -> bool:
    """Whether AccountingStorageEnforce says so, and there is a policy."""
    return scene.policy.known and "limits" in scene.settings.accounting_enforce


def ask(scene: Scene, job: Job, allocation: Allocation | None = None) -> meeting.Ask:
    """What a job asks for, or would get by this allocation."""
    minutes = None if job.time_limit < 0 else -(-job.time_limit // 60)
    if allocation is None:
        wanted = tres.requested(scene, job)
        nodes = max(1, wanted["node"])
        return meeting.Ask(wanted, {name: -(-count // nodes) for name, count in wanted.items()}, minutes, factor=_factor(scene, job))
    a_node: dict[str, int] = {}
    for share in allocation.shares:
        row = {"cpu": share.cpu_count, "mem": share.memory, **{f"gres/{name}": len(mask) for name, mask in share.gres.items()}}
        a_node = {name: max(a_node.get(name, 0), row.get(name, 0)) for name in a_node | row}
    return meeting.Ask(tres.held(scene, allocation), a_node, minutes, factor=_factor(scene, job))


def _factor(scene: Scene, job: Job) -> float:
    qos = scene.policy.book.qos.get(job.request.qos.lower())
    return qos.usage_factor if qos is not None and "UsageFactorSafe" in qos.flags else 1.0


def _first(scene: Scene, job: Job, partition: Partition, now: float, allocation: Allocation | None = None) -> Refusal | None:
    policy = scene.policy
    bounds = counting.bounds_of(scene, job, partition)
    if not bounds:
        return None
    safe = "safe" in scene.settings.accounting_enforce
    return meeting.refuse(bounds, ask(scene, job, allocation), meeting.Scale(policy.tally, policy.usage, now, safe))
