"""A job that asks for licences waits until enough of them are free."""

from __future__ import annotations

from slurm.core.gates.gate import Scene
from slurm.core.licenses import missing, resources, satisfied
from slurm.model.job import Allocation, Job
from slurm.model.partition import Partition
from slurm.model.refusal import ENDINGS, Refusal
from slurm.model.states import Reason
from slurm.notation import licenses

CURES = (*ENDINGS, "JobUpdated", "PolicyChanged")
"""Who has some ends, the job asks for others, or the cluster may use more; a changed slurm.conf is looked at anyway."""


def closed(scene: Scene, job: Job, partition: Partition, now: float) -> bool:
    """Whether too few are free, in whatever way it would take them."""
    return bool(job.request.licenses) and not satisfied(job.request.licenses, scene.licenses.free(scene.settings, scene.policy.book))


def refusal(scene: Scene, job: Job, partition: Partition, now: float) -> Refusal:
    """How many of each are in use."""
    names = [name for choice in licenses.parse(job.request.licenses) for name, _ in choice]
    return Refusal(Reason.LICENSES, f"too few of the licences that it asks for are free ({job.request.licenses})",
                   tuple((name, in_use(scene, name)) for name in names), CURES)


def exceeded(scene: Scene, job: Job, allocation: Allocation) -> Refusal | None:
    """Why an allocation cannot be given with its licences: they are not those that the job asks for, or not free. None when it can."""
    choices = licenses.parse(job.request.licenses)
    if choices and all(dict(choice) != allocation.licenses for choice in choices):
        return Refusal(Reason.LICENSES, f"it asks for {job.request.licenses} now", (), CURES)
    lacking = missing(allocation.licenses, scene.licenses.free(scene.settings, scene.policy.book))
    if not lacking:
        return None
    return Refusal(Reason.LICENSES, f"licences were taken meanwhile: {', '.join(lacking)}",
        tuple((name, in_use(scene, name)) for name in lacking), CURES)


def in_use(scene: Scene, name: str) -> str:
    """How it stands with a licence, for people."""
    total = scene.licenses.totals(scene.settings, scene.policy.book).get(name)
    if total is None:
        return "not configured"
    others = sum(scene.licenses.deficit(one, scene.settings.cluster_name) for one in resources(scene.settings, scene.policy.book)
        if one.full_name == name)
    return f"{scene.licenses.used.get(name, 0)} of {total} in use" + (f", {others} at the server by others" if others else "")
