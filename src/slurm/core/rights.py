"""Rights: who may do what to a job, a node, a partition. Who the caller is, the kernel or a credential has said."""

from __future__ import annotations

from slurm.core.events import Caller
from slurm.core.state import ClusterState
from slurm.model.errors import NotPermitted
from slurm.model.job import Job


def is_operator(state: ClusterState, caller: Caller) -> bool:
    """Whether the caller may administrate: root, SlurmUser, and the operators of the configuration."""
    return caller.uid == 0 or caller.uid in state.settings.operators or caller.user == state.settings.slurm_user


def may_touch(state: ClusterState, caller: Caller, job: Job) -> bool:
    """Whether the caller may change or end a job: its owner or an operator."""
    return job.owner.uid == caller.uid or is_operator(state, caller)


def require_operator(state: ClusterState, caller: Caller) -> None:
    """NotPermitted with the words that scontrol prints, unless the caller may administrate."""
    if not is_operator(state, caller):
        raise NotPermitted("ESLURM_USER_ID_MISSING", hints=[f"only root and the operators of {state.settings.cluster_name} may do this"])


def require_owner(state: ClusterState, caller: Caller, job: Job) -> None:
    """NotPermitted with the words that scontrol prints, unless the caller owns the job or may administrate."""
    if not may_touch(state, caller, job):
        raise NotPermitted("ESLURM_USER_ID_MISSING", hints=[f"job {job.shown_id} belongs to {job.owner.user}"])
