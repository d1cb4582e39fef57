"""Following the cluster, and what a caller may see and do of it."""

from __future__ import annotations

from slurm.core import rights
from slurm.model.errors import NotNow, NotPermitted
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.followers import Follower, sight_of
from slurm.slurmctld.session import Session
from slurm.wire import follow_messages as f
from slurm.wire.messages import Done

MOST = 256
"""Connections that follow at once."""
MOST_OF_ONE = 8
"""Of one user, root and operators apart. One slurmrestd takes one for everybody who sees all jobs."""


async def on_read_rights(ctl: Controller, session: Session, message: f.ReadRights) -> f.RightsRead:
    """What the caller may see and do."""
    all_jobs, all_nodes = sight_of(ctl.cluster, session)
    peer = session.peer
    return f.RightsRead(
        user=session.caller.user, administrator=rights.is_administrator(ctl.cluster, session.caller),
        operator=rights.is_operator(ctl.cluster, session.caller), all_jobs=all_jobs, all_nodes=all_nodes,
        expires=peer.identity.issued + peer.identity.ttl if peer.by_token else 0.0)


async def on_follow(ctl: Controller, session: Session, message: f.Follow) -> Done:
    """Feeds until the caller goes, or until he may see something else."""
    mine = sum(1 for one in ctl.followers if one.session.caller.uid == session.caller.uid)
    if not ctl.goes_first(session) and (mine >= MOST_OF_ONE or len(ctl.followers) >= MOST):
        raise NotNow(message="Too many follow the cluster", hints=["let one connection follow, and hand on what it tells"])
    follower = Follower(session, ctl.cluster)
    session.waiting.add(follower.ended)
    ctl.followers.add(follower)
    try:
        if not session.closed:
            await follower.ended.wait()
    finally:
        ctl.followers.remove(follower)
        session.waiting.discard(follower.ended)
    if follower.why:
        raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[follower.why])
    return Done()
