"""A running job gives nodes back: `scontrol update jobid= NumNodes=` and `ReqNodeList=`. Which it keeps, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Mapping

from slurm.core import events as e
from slurm.core import recording, requeuing, resolving
from slurm.core.effects import Effect
from slurm.core.nodes import readiness
from slurm.core.policy import state as counting
from slurm.core.requeuing import Loss
from slurm.core.state import ClusterState
from slurm.model.errors import InvalidRequest, NotNow, Unsupported
from slurm.model.ids import NodeName
from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.notation import nodecount

KEYS = frozenset({"numnodes", "reqnodes", "reqnodelist"})
"""Keys of `scontrol update` that make a running job smaller."""


def is_meant(job: Job, key: str) -> bool:
    """Whether this key is about the size of a job that runs, and not about what a job that waits asks for."""
    return key.lower() in KEYS and job.state is JobState.RUNNING and not job.completing


def shrunk(state: ClusterState, job: Job, wanted: Mapping[str, str], now: float) -> list[e.Event]:
    """The event by which a running job keeps only some of its nodes; none where it keeps all. InvalidRequest."""
    if job.het:
        raise Unsupported(hints=["the components of a heterogeneous job keep their nodes"])
    if readiness.is_booting(job):
        raise NotNow("ESLURM_TRANSITION_STATE_NO_UPDATE", hints=["its nodes are not there yet"])
    kept = list(job.nodes_left)
    for key, text in wanted.items():
        kept = _named(state, job, kept, text) if key.lower() == "reqnodelist" else _first(kept, text)
    gone = [name for name in job.nodes_left if name not in kept]
    return [e.JobShrunk(at=now, job=job.id, attempt=job.attempt, nodes=gone)] if gone else []


def _first(nodes: list[NodeName], text: str) -> list[NodeName]:
    if text.upper() == "ALL":
        return nodes
    count = nodecount.parse(text).low
    if count > len(nodes):
        raise InvalidRequest("ESLURM_NOT_SUPPORTED", hints=[f"it runs on {len(nodes)} nodes and can give some back, but gets no more"])
    if count < 1:
        raise InvalidRequest("ESLURM_INVALID_NODE_COUNT", hints=["a running job keeps at least its first node"])
    return nodes[:count]


def _named(state: ClusterState, job: Job, nodes: list[NodeName], text: str) -> list[NodeName]:
    names = resolving.known_nodes(state, text)
    strange = [name for name in names if name not in nodes]
    if strange:
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME", hints=[f"{strange[0]} is none of the job's nodes: {','.join(nodes)}"])
    if job.batch_host not in names:
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME", hints=[f"its script runs on {job.batch_host}: that stays"])
    return [name for name in nodes if name in names]


def on_shrunk(state: ClusterState, job: Job, event: e.JobShrunk) -> list[Effect]:
    """What runs on the nodes that are given back is ended there; the job counts for what it keeps."""
    effects: list[Effect] = []
    for name in event.nodes:
        if name in job.nodes_left and name != job.batch_host:
            effects += requeuing.go_on_without(state, job, name, event.at, Loss.ORDERED)
    job.resize_time = event.at
    counting.stops_running(state, job, event.at)
    counting.runs(state, job, event.at)
    recording.job(state, job)
    return effects
