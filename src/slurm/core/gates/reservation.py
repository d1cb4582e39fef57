"""A job that asks for a reservation waits for one that lets it in; a partition may be for such jobs only (ReqResv)."""

from __future__ import annotations

from slurm.core.gates.gate import Scene
from slurm.core.reserving import access, claims, windows
from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.model.refusal import Refusal
from slurm.model.states import Reason
from slurm.notation import moment

CURES = ("ReservationBegun", "ReservationCreated", "ReservationUpdated", "ReservationEnded", "JobUpdated", "PartitionUpdated")


def closed(scene: Scene, job: Job, partition: Partition, now: float) -> bool:
    """Whether none that it asks for, or that would draw it in, lets it in now."""
    if not job.request.reservation and not partition.req_resv:
        return False
    return not claims.entrances(scene.reservations, job, scene.policy, now)


def refusal(scene: Scene, job: Job, partition: Partition, now: float) -> Refusal:
    """How it stands with each of them."""
    if not job.request.reservation:
        return Refusal(Reason.RESERVATION, f"partition {partition.name} is for jobs in a reservation only", (("ReqResv", "YES"),), CURES)
    evidence = tuple((name, _standing(scene, job, name, now)) for name in claims.named(job))
    return Refusal(Reason.RESERVATION, "it waits for its reservation", evidence, CURES)


def _standing(scene: Scene, job: Job, name: str, now: float) -> str:
    of = scene.reservations.get(name)
    if of is None:
        return "is no more"
    if not access.may_use(of, job, scene.policy):
        return f"is not for {job.owner.user} any more"
    if "TIME_FLOAT" in of.flags:
        return f"begins {of.start:.0f} s from now, at any time (TIME_FLOAT)"
    return f"begins at {moment.show(windows.window(of, now).start)}"
