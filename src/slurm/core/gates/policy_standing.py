"""A job whose association is gone, or that may not use its QOS any more, waits until the policy or the job is changed."""

from __future__ import annotations

from slurm.core.gates.gate import Scene
from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.model.refusal import Refusal
from slurm.model.states import Reason

CURES = ("JobUpdated", "PolicyChanged")


def closed(scene: Scene, job: Job, partition: Partition, now: float) -> bool:
    """Whether it may not run as what it was submitted."""
    return scene.policy.known and _refusal(scene, job) is not None


def refusal(scene: Scene, job: Job, partition: Partition, now: float) -> Refusal:
    """What is not valid any more."""
    found = _refusal(scene, job)
    assert found is not None, "asked of a gate that is closed"
    return found


def _refusal(scene: Scene, job: Job) -> Refusal | None:
    book, request, enforce = scene.policy.book, job.request, scene.settings.accounting_enforce
    if "associations" in enforce and job.association not in book.associations:
        return Refusal(Reason.INVALID_ACCOUNT, f"user {job.owner.user} has no association with account {request.account or '(none)'} any "
                                               "more",
                       (("account", request.account),), CURES)
    if "wckeys" in enforce and scene.settings.track_wckey and book.wckey(job.owner.user, request.wckey) is None:
        return Refusal(Reason.INVALID_WCKEY, f"user {job.owner.user} has no wckey {request.wckey.removeprefix('*') or '(none)'} any more", (
            ("wckey", request.wckey),), CURES)
    if "qos" in enforce and request.qos:
        allowed = book.standing(job.association).qos if job.association in book.associations else frozenset(book.qos)
        if request.qos.lower() not in book.qos or request.qos.lower() not in {name.lower() for name in allowed}:
            return Refusal(Reason.INVALID_QOS, f"QOS {request.qos} is not one that it may use any more",
                (("allowed", ", ".join(sorted(allowed))),), CURES)
    return None
