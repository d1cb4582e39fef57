"""A job whose earlier attempt may still run on a node that nobody hears of waits for a proof that it is over."""

from __future__ import annotations

from slurm.core import proof
from slurm.model.states import Reason
from slurm.notation import hostlist
from slurm.sched.filters.gate import Gate
from slurm.sched.refusal import Refusal

CURES = ("NodeRegistered", "NodeFreed", "NodeFenced", "NodeUpdated", "ProofWaived")


def refuse(gate: Gate) -> Refusal | None:
    """Why this job may not start, None when this filter has nothing against it."""
    job = gate.job
    silent = proof.awaited(job)
    if not silent:
        return None
    nodes = hostlist.compress(silent)
    evidence = [(str(name), proof.HELP.format(name)) for name in silent]
    seconds = gate.view.settings.requeue_unproven
    if seconds is not None:
        evidence.append((f"requeue_unproven={seconds}", "after so many seconds it starts without proof, and may run twice"))
    return Refusal(
        Reason.NODE_DOWN, f"its attempt {job.attempt} may still run on {nodes}, of which nothing was heard: it is not run twice at once",
        tuple(evidence), CURES)
