"""Suggestions: what a waiting job could ask for instead to start sooner. Each is a `scontrol update`, checked as one and then planned with.

A request is made smaller in one way at a time: less time, memory, tasks, nodes, devices; fewer conditions; another partition. Of each way
the smallest change is sought that lets the job start as soon as the largest one would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from slurm.core import changes, update
from slurm.core.events import Caller, JobUpdated
from slurm.core.gates import depends, held
from slurm.core.state import ClusterState
from slurm.model.errors import SlurmError
from slurm.model.explanation import Suggestion
from slurm.model.job import Job
from slurm.model.request import JobRequest
from slurm.notation import duration, gres, hostlist, moment, size
from slurm.notation.gres import GresRequest
from slurm.notation.taskset import TaskSet
from slurm.sched.supposed import Supposed, copied

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
TIMES = (
    _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, 4 * _HOUR, 6 * _HOUR, 8 * _HOUR, 12 * _HOUR,
    18 * _HOUR, _DAY, 2 * _DAY, 3 * _DAY, 4 * _DAY, 5 * _DAY, 7 * _DAY, 10 * _DAY, 14 * _DAY, 21 * _DAY)
"""Time limits that are tried, in seconds."""
LEAST = 16
"""A request is made smaller to this part of it at the least."""
SOONER = 60.0
"""Seconds by which a start has to be sooner to be worth a change."""
PARTITIONS = 8
"""So many other partitions are tried."""


class Way(NamedTuple):
    """One way of asking for less: `key` of scontrol update, and (text for it, words) from the smallest change to the largest.

    `told`: what follows the words, which says what it is instead of.
    """

    key: str
    values: list[tuple[str, str]]
    told: str = ""


def suggest(state: ClusterState, job: Job, now: float, over: Callable[[], bool] = lambda: False) -> list[Suggestion]:
    """What would let a waiting job start sooner than it will, the soonest start first; `now` in seconds since the epoch.

    Nothing for one that somebody holds, that waits for other jobs, or is a component of a heterogeneous one. `over` ends the search.
    """
    gated = any(gate.closed(state, job, partition, now) for gate in (held, depends) for partition in state.partitions.values())
    if job.id not in state.pending or job.het or gated:
        return []
    supposed = Supposed(state, now)
    as_it_is = supposed.start_of(job, over)
    latest = as_it_is.start if as_it_is is not None else None
    if over() or (latest is not None and latest <= now):
        return []
    found = [one for way in _ways(state, job) if not over() and (one := _tried(state, supposed, job, way, latest, now, over)) is not None]
    return sorted(found, key=lambda one: one.start)


def _tried(state: ClusterState, supposed: Supposed, job: Job, way: Way, latest: float | None, now: float,
           over: Callable[[], bool]) -> Suggestion | None:
    """The smallest change of its kind that brings as much as the largest; None where that brings nothing or is not allowed."""
    def start(which: int) -> tuple[float, str] | None:
        changed = _changed(state, job, way.key, way.values[which][0], now)
        found = supposed.start_of(changed, over) if changed is not None else None
        return (found.start, hostlist.compress(sorted(found.nodes))) if found is not None else None

    best = start(len(way.values) - 1)
    if best is None or (latest is not None and best[0] > latest - SOONER):
        return None
    low, high = 0, len(way.values) - 1
    while low < high and not over():
        middle = (low + high) // 2
        one = start(middle)
        if one is not None and one[0] <= best[0]:
            best, high = one, middle
        else:
            low = middle + 1
    text, words = way.values[high]
    value = f"'{text}'" if not text or any(char in text for char in " []*()&|") else text
    return Suggestion(f"{words}{way.told}", f"scontrol update JobId={_id(job)} {way.key}={value}", *best)


def _id(job: Job) -> str:
    return str(job.id) if job.array_part is not None else job.shown_id


def _changed(state: ClusterState, job: Job, key: str, text: str, now: float) -> Job | None:
    """The record as this update would make it; None when the job's owner may not do that, or the job could not be so."""
    first = f"{job.id}_{TaskSet(job.array_part.ranges).first}" if job.array_part is not None else job.shown_id
    owner = job.owner
    caller = Caller(uid=owner.uid, gid=owner.gid, user=owner.user, group=owner.group, groups=(owner.group,))
    try:
        [event] = update.update_job(state, first, {key: text}, caller, now)
    except (SlurmError, ValueError):
        return None
    assert isinstance(event, JobUpdated)
    values = changes.decode(event.changes)
    request = msgspec.structs.replace(job.request, **{name: value for name, value in values.items() if name not in changes.OTHER})
    return copied(
        job, request=request, partition=request.partition, time_limit=int(values.get("time_limit", job.time_limit)),
        not_before=request.begin if "begin" in values and request.begin > now else 0.0 if "begin" in values else job.not_before,
        association=int(values.get("association", job.association)))


def _ways(state: ClusterState, job: Job) -> Iterator[Way]:
    request = job.request
    if job.not_before:
        yield Way("StartTime", [("now", "without waiting until")], f" {moment.show(job.not_before)}")
    yield from _shorter(job)
    yield from _memory(state, job)
    yield from _counts(request)
    yield from _devices(request)
    for key, text, present, words in (
            ("OverSubscribe", "no", request.exclusive == "node", "without --exclusive"),
            ("Contiguous", "no", request.contiguous, "without --contiguous"),
            ("Switches", "0", bool(request.switches), f"without --switches={request.switches}"),
            ("ReqNodeList", "(null)", bool(request.nodelist), f"without --nodelist={request.nodelist}"),
            ("ExcNodeList", "(null)", bool(request.exclude), f"without --exclude={request.exclude}"),
            ("Features", "(null)", bool(request.features), f"without --constraint={request.features}")):
        if present:
            yield Way(key, [(text, words)])
    mine = set(job.partition.split(","))
    others = [name for name, partition in state.partitions.items() if name not in mine and partition.state == "UP" and not partition.hidden]
    for name in others[:PARTITIONS]:
        yield Way("Partition", [(name, f"in partition {name}")], f" instead of {job.partition}")


def _shorter(job: Job) -> Iterator[Way]:
    limit = job.time_limit
    least = max(_MINUTE, limit // LEAST) if limit > 0 else _HOUR
    times = [seconds for seconds in reversed(TIMES) if least <= seconds and (seconds < limit or limit < 0)]
    if times:
        yield Way("TimeLimit", [(duration.show(seconds), f"with a time limit of {duration.show(seconds)}") for seconds in times],
                  f" instead of {duration.show(limit)}" if limit > 0 else " instead of none")


def _memory(state: ClusterState, job: Job) -> Iterator[Way]:
    """Less memory: eighths of what is asked for, and what is free on the nodes of its partitions."""
    request = job.request
    for key, asked, of in (("MinMemoryNode", request.mem_per_node, "on a node"), ("MinMemoryCPU", request.mem_per_cpu, "a CPU")):
        if asked is None:
            continue
        names = {name for one in job.partition.split(",") if one in state.partitions for name in state.partitions[one].nodes}
        nodes = [node for name in names if (node := state.nodes.get(name)) is not None]
        whole = asked or max((node.job_memory for node in nodes), default=0)
        tried = {whole * part // 8 for part in range(1, 8)}
        if key == "MinMemoryNode":
            tried |= {node.job_memory - node.memory_used for node in nodes}
        unit = 1024 if whole >= 8 * 1024 else 128
        sizes = sorted({one // unit * unit for one in tried if max(unit, whole // LEAST) <= one // unit * unit < whole}, reverse=True)
        if sizes:
            yield Way(key, [(f"{mb}M", f"with at most {size.show_mb(mb)} of memory {of}") for mb in sizes],
                      f" instead of {size.show_mb(asked) if asked else 'all'}")


def _counts(request: JobRequest) -> Iterator[Way]:
    """Fewer tasks, nodes, CPUs of a task; a request for both nodes and tasks is left as it fits together."""
    nodes, tasks, cpus = request.nodes_min, request.ntasks, request.cpus_per_task
    if tasks > 1 and nodes <= 1:
        yield _fewer("NumTasks", tasks, "tasks")
    if nodes > 1 and tasks <= nodes:
        yield _fewer("NumNodes", nodes, "nodes")
    if cpus > 1:
        yield _fewer("CPUsPerTask", cpus, "CPUs a task")


def _fewer(key: str, count: int, what: str) -> Way:
    least = max(1, count // LEAST)
    counts = range(count - 1, least - 1, -1) if count <= 2 * LEAST else sorted({count * part // LEAST for part in range(1, LEAST)},
        reverse=True)
    return Way(key, [(str(one), f"with {one} {what}") for one in counts], f" instead of {count}")


def _devices(request: JobRequest) -> Iterator[Way]:
    """Fewer devices on each node, and devices of any type."""
    asked = gres.parse(request.gres) if request.gres else []
    for place, item in enumerate(asked):
        def text(other: GresRequest, place: int = place) -> str:
            return gres.show([*asked[:place], other, *asked[place + 1:]])

        if item.count > 1:
            fewer = [item._replace(count=count) for count in range(item.count - 1, 0, -1)]
            yield Way("Gres", [(text(one), f"with --gres={text(one)}") for one in fewer], f" instead of {request.gres}")
        if item.type:
            yield Way("Gres", [(text(item._replace(type="")), f"with --gres={text(item._replace(type=''))}")],
                f" instead of {request.gres}")
