"""A job whose earlier attempt may still run on a node that nobody hears of waits for a proof that it is over."""

from __future__ import annotations

from slurm.core.gates.gate import Scene
from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.model.refusal import Refusal
from slurm.model.states import Reason
from slurm.notation import hostlist

CURES = ("NodeRegistered", "NodeFreed", "NodeFenced", "NodeUpdated", "ProofWaived")
HELP = ("the node comes back or is started anew, FenceProgram succeeds, or an operator knows it to be off: scontrol update nodename={} "
        "state=down reason=fenced")


def closed(scene: Scene, job: Job, partition: Partition, now: float) -> bool:
    """Whether something of an earlier attempt may be left somewhere."""
    return job.lost is not None or bool(job.unproven)


def refusal(scene: Scene, job: Job, partition: Partition, now: float) -> Refusal:
    """Where that may be, and what would prove that it is not."""
    silent = job.awaited
    nodes = hostlist.compress(silent)
    evidence = [(str(name), HELP.format(name)) for name in silent]
    seconds = scene.settings.requeue_unproven
    if seconds is not None:
        evidence.append((f"requeue_unproven={seconds}", "after so many seconds it starts without proof, and may run twice"))
    return Refusal(
        Reason.NODE_DOWN, f"its attempt {job.attempt} may still run on {nodes}, of which nothing was heard: it is not run twice at once",
        tuple(evidence), CURES)
