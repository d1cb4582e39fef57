"""Resolving what requests name: hosts, jobs of dependencies, near misses. Shared by admission and `scontrol update`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from slurm.core import correspond
from slurm.core.state import ClusterState
from slurm.model.errors import InvalidRequest, NotationError
from slurm.model.ids import JobId
from slurm.model.job import DependencyClause
from slurm.notation import dependency as dependencies
from slurm.notation import hostlist
from slurm.notation.nearest import nearest

LOOKED_AT = 500
LONGEST_MEANT = 64
"""Looking for what was meant takes a few µs a candidate, more with long words."""

CLAUSES = 2_000


def meant(word: str, candidates: Iterable[str]) -> list[str]:
    """A hint that names the nearest valid word, [] when nothing is near; of very many only the first are looked at."""
    found = nearest(word, islice(candidates, LOOKED_AT)) if len(word) <= LONGEST_MEANT else None
    return [f'did you mean "{found}"?'] if found is not None else []


def hosts(state: ClusterState, text: str) -> list[str]:
    """The names of a host list; InvalidRequest with Slurm's words when it does not parse, or names far more than there are."""
    try:
        return hostlist.expand(text, 2 * len(state.nodes) + 1_000)
    except NotationError as error:
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME", hints=[error.message]) from error


def known_nodes(state: ClusterState, text: str) -> list[str]:
    """The names of a host list, every one of them a node of this cluster."""
    names = hosts(state, text)
    for name in names:
        if name not in state.nodes:
            raise InvalidRequest(
                "ESLURM_INVALID_NODE_NAME",
                hints=[f'there is no node "{name}"', *meant(name, state.nodes),
                       f"nodes of this cluster: {hostlist.compress(state.nodes, sort=True)}"])
    return names


def clauses(state: ClusterState, text: str, waiting: JobId | None = None) -> tuple[list[DependencyClause], bool]:
    """(clauses, whether any is enough) of a --dependency; the jobs must be known and, for `waiting`, not wait for it in turn."""
    named = text.count(":") + text.count(",") + text.count("?")
    if named > CLAUSES:
        raise InvalidRequest("ESLURM_DEPENDENCY", hints=[
            f"a job waits for at most {CLAUSES:,} others; {named:,} were sent", "let a job between wait for them, or make them one array"])
    try:
        read = dependencies.parse(text)
    except NotationError as error:
        raise InvalidRequest("ESLURM_DEPENDENCY", hints=[error.message]) from error
    found = []
    waiting_for = _all_waited_for(state, [JobId(clause.job) for clause in read.clauses]) if waiting is not None else frozenset[JobId]()
    if waiting is not None and waiting in waiting_for:
        raise InvalidRequest("ESLURM_DEPENDENCY", hints=[f"a job of {text[:80]} itself waits for job {waiting}"])
    for clause in read.clauses:
        if clause.kind != "singleton":
            _check_target(state, clause)
        array = JobId(clause.job) in state.arrays
        found.append(DependencyClause(
            kind=clause.kind, job=JobId(clause.job), task=clause.task if array else None,
            whole_array=array and clause.task is None, delay=clause.delay))
    return found, read.any


def _check_target(state: ClusterState, clause: dependencies.Clause) -> None:
    target = JobId(clause.job)
    known = target in state.jobs or target in state.arrays
    if not known:
        raise InvalidRequest("ESLURM_DEPENDENCY", hints=[f"job {target} is not known: it never was, or it ended long ago"])
    if clause.task is not None and (target not in state.arrays or not correspond.has_task(state, target, clause.task)):
        raise InvalidRequest("ESLURM_DEPENDENCY", hints=[f"job {target} has no task {clause.task}"])


def _all_waited_for(state: ClusterState, jobs: list[JobId]) -> frozenset[JobId]:
    """These jobs and all that they wait for, directly or through others."""
    seen: set[JobId] = set()
    look = list(jobs)
    while look:
        present = look.pop()
        if present in seen:
            continue
        seen.add(present)
        record = state.pending.get(present)
        if record is not None:
            look += [clause.job for clause in record.dependency if clause.job]
    return frozenset(seen)
