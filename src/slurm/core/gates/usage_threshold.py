"""A QOS with UsageThreshold and the flag EnforceUsageThreshold keeps jobs waiting whose association's fair share is below that."""

from __future__ import annotations

from slurm.core.gates import policy_limits
from slurm.core.gates.gate import Scene
from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.model.policy import Qos
from slurm.model.refusal import Refusal
from slurm.model.states import Reason

CURES = ("JobUpdated", "PolicyChanged")


def closed(scene: Scene, job: Job, partition: Partition, now: float) -> bool:
    """Whether its fair share is too low now."""
    qos = _threshold(scene, job)
    return qos is not None and _fair_share(scene, job, now) < (qos.usage_threshold or 0.0)


def refusal(scene: Scene, job: Job, partition: Partition, now: float) -> Refusal:
    """Both numbers."""
    qos = _threshold(scene, job)
    assert qos is not None, "asked of a gate that is closed"
    share, least = _fair_share(scene, job, now), qos.usage_threshold or 0.0
    return Refusal(
        Reason.QOS_USAGE_THRESHOLD, f"QOS {qos.name} is for a fair share of {least:g} or more (UsageThreshold), user {job.owner.user} in "
                                    "account "
        f"{job.request.account} has {share:.6f}", (("UsageThreshold", f"{least:g}"), ("fair share", f"{share:.6f}")), CURES)


def _threshold(scene: Scene, job: Job) -> Qos | None:
    if not policy_limits.enforced(scene):
        return None
    qos = scene.policy.book.qos.get(job.request.qos.lower())
    return qos if qos is not None and qos.usage_threshold is not None and "EnforceUsageThreshold" in qos.flags else None


def _fair_share(scene: Scene, job: Job, now: float) -> float:
    settings = scene.settings
    shares = scene.policy.shares(now, settings.priority_flags, settings.fair_share_dampening)
    known = shares.get(job.association)
    return 1.0 if known is None or known.factor is None else known.factor
