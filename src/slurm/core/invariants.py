"""Invariants: what must hold after every event, as one function for tests, simulations and a controller that doubts itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from slurm.core import arrays
from slurm.core.resources import may_share
from slurm.core.state import ClusterState
from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.states import JobState


class BrokenInvariant(AssertionError):
    """The state contradicts itself; the message lists how."""


def check(state: ClusterState) -> list[str]:
    """Every contradiction in the state, as sentences; [] when it is sound. Looks at everything: not for each event of a large cluster."""
    found: list[str] = []
    for part in (_jobs, _queue, _suspended, _nodes, _remains, _arrays, _dependents, _names, _licenses):
        found += part(state)
    return found


def assert_valid(state: ClusterState) -> None:
    """BrokenInvariant when `check` finds anything."""
    found = check(state)
    if found:
        raise BrokenInvariant("; ".join(found))


def _jobs(state: ClusterState) -> Iterator[str]:
    for job_id, job in state.jobs.items():
        if job.id != job_id:
            yield f"record {job_id} says it is job {job.id}"
        over = job.state.finished and not job.completing
        waits = job.state is JobState.PENDING and not job.completing and job.lost is None
        holds = not over and not waits
        if holds != (job_id in state.active):
            yield f"job {job_id} is {job.state.name}{job.flags} but {'not ' if holds else ''}among the active"
        if waits != (job_id in state.pending):
            yield f"job {job_id} is {job.state.name}{job.flags} but {'not ' if waits else ''}in the queue"
        if job.lost is not None and (job.state is not JobState.PENDING or job.completing or job.allocation is not None
                or not job.nodes_left):
            yield f"job {job_id} is lost and {job.state.name}{job.flags} on {job.nodes_left}"
        if waits and job.allocation is not None:
            yield f"job {job_id} waits and holds an allocation"
        if not holds and job.nodes_left:
            yield f"job {job_id} runs nowhere but has nodes left"
        if holds and (job.holding is None or not set(job.nodes_left) <= set(job.holding.nodes)):
            yield f"job {job_id} runs outside its allocation"
        if job.next_step < 0 or any(step.id != key for key, step in job.steps.items()):
            yield f"job {job_id} has steps under wrong ids"
        if job.array_part is not None and (job.array_task is not None or job.array_job != job_id):
            yield f"record {job_id} is an array and a task at once"


def _suspended(state: ClusterState) -> Iterator[str]:
    held = {job.id for job in state.active.values() if job.state is JobState.SUSPENDED}
    if held != state.suspended.keys():
        yield f"the index of suspended jobs holds {sorted(state.suspended)}, suspended are {sorted(held)}"
    promised = {job.id for job in state.pending.values() if job.promise is not None}
    if promised != state.promised.keys():
        yield f"the index of promises holds {sorted(state.promised)}, promised are {sorted(promised)}"
    for job in state.active.values():
        if bool(job.suspended_by) != (job.state is JobState.SUSPENDED) or (job.suspended_by and not job.suspend_time):
            yield f"job {job.id} is {job.state.name} and suspended by {job.suspended_by!r}"


def _queue(state: ClusterState) -> Iterator[str]:
    for index, name in ((state.pending, "queue"), (state.active, "active")):
        for job_id, job in index.items():
            if state.jobs.get(job_id) is not job:
                yield f"the {name} index holds a job {job_id} that is not the record of this id"


def _nodes(state: ClusterState) -> Iterator[str]:
    held: dict[NodeName, list[Job]] = {name: [] for name in state.nodes}
    for job in state.active.values():
        for name in job.nodes_left:
            if name in held:
                held[name].append(job)
    for name, node in state.nodes.items():
        yield from _node(state, node, held[name])


def _node(state: ClusterState, node: Node, jobs: list[Job]) -> Iterator[str]:
    cpus, memory, twice = NOTHING, 0, NOTHING
    resumed = any(job.suspend_time and not job.without_cpus for job in jobs)  # whoever is resumed gets his CPUs, whose they are by now
    gres: dict[str, CpuSet] = {}
    for job in jobs:
        assert job.holding is not None
        share = next(share for share in job.holding.shares if share.node == node.name)
        if not job.without_cpus:
            if not cpus.isdisjoint(share.cpus) and not resumed and not may_share(state, job, job.holding.partition):
                yield f"CPUs of {node.name} are given twice, the second time to job {job.id}"
            twice |= cpus & share.cpus
            cpus |= share.cpus
        memory += share.memory
        for kind, devices in share.gres.items():
            if not devices.isdisjoint(gres.get(kind, NOTHING)):
                yield f"{kind} of {node.name} is given twice, the second time to job {job.id}"
            gres[kind] = gres.get(kind, NOTHING) | devices
    if cpus != node.cpus_used or cpus.end > node.cpus:
        yield f"{node.name} counts CPUs {node.cpus_used}, its jobs hold {cpus}"
    if twice != (state.overlaps.get(node.name) or [NOTHING])[0]:
        yield f"{node.name} counts {state.overlaps.get(node.name)} as given more than once, its jobs have {twice}"
    if node.suspended != {job.id for job in jobs if job.without_cpus}:
        yield f"{node.name} lists suspended {sorted(node.suspended)}"
    if memory != node.memory_used or (memory > node.job_memory and state.settings.select_memory):
        yield f"{node.name} counts {node.memory_used} MB, its jobs hold {memory}"
    if {kind: held for kind, held in gres.items() if held} != {kind: held for kind, held in node.gres_used.items() if held}:
        yield f"{node.name} counts {node.gres_used}, its jobs hold {gres}"
    if not all(held <= node.devices(kind) for kind, held in gres.items()):
        yield f"{node.name} gives devices it has not"
    if node.jobs != {job.id for job in jobs}:
        yield f"{node.name} lists jobs {sorted(node.jobs)}, it is held by {sorted(job.id for job in jobs)}"
    if node.completing != {job.id for job in jobs if job.completing}:
        yield f"{node.name} lists completing {sorted(node.completing)}"


def _remains(state: ClusterState) -> Iterator[str]:
    """No attempt runs while an earlier one may, unless the site waived the proof."""
    open_: dict[JobId, dict[NodeName, set[int]]] = {}
    for node in state.nodes.values():
        for each in node.remains:
            if not each.waived:
                open_.setdefault(each.job, {}).setdefault(node.name, set()).add(each.attempt)
    for job_id, job in state.pending.items():
        if set(job.unproven) != set(open_.get(job_id, ())):
            yield f"job {job_id} waits for proof on {job.unproven}, remains are on {sorted(open_.get(job_id, ()))}"
    for job_id, job in state.active.items():
        earlier = [name for name, attempts in open_.get(job_id, {}).items() if min(attempts) < job.attempt]
        if earlier:
            yield f"job {job_id} has attempt {job.attempt} while an earlier one may run on {earlier}"


def _arrays(state: ClusterState) -> Iterator[str]:
    tasks: dict[JobId, set[int]] = {}
    records: dict[JobId, dict[int, JobId]] = {}
    running: Counter[JobId] = Counter()
    for job in state.jobs.values():
        if not job.array_job:
            continue
        if job.array_job not in state.arrays:
            yield f"job {job.shown_id} belongs to an array without a ledger"
            continue
        own: set[int] = set()
        if job.array_task is not None:
            own = {job.array_task}
            records.setdefault(job.array_job, {})[job.array_task] = job.id
        if job.array_part is not None:
            runs = job.array_part.ranges
            own = set(arrays.tasks(runs))
            if len(own) != arrays.count(runs) or not own:
                yield f"array {job.id} waits with overlapping or empty ranges {runs}"
        seen = tasks.setdefault(job.array_job, set())
        if seen & own:
            yield f"tasks {sorted(seen & own)} of array {job.array_job} have two records"
        seen |= own
        running[job.array_job] += job.id in state.active
    for array, ledger in state.arrays.items():
        if ledger.running != running[array]:
            yield f"array {array} counts {ledger.running} running tasks, {running[array]} run"
        if records.get(array, {}) != ledger.records:
            yield f"array {array} lists records {ledger.records}, there are {records.get(array, {})}"
        if not 0 <= ledger.started <= ledger.shape.count:
            yield f"array {array} counts {ledger.started} started of {ledger.shape.count} tasks"
        if len(ledger.done_well.intersection(ledger.done_badly)):
            yield f"array {array} has tasks that ended well and badly"


def _dependents(state: ClusterState) -> Iterator[str]:
    wanted: dict[JobId, set[JobId]] = {}
    for job in state.pending.values():
        for clause in job.dependency:
            if clause.job:
                wanted.setdefault(clause.job, set()).add(job.id)
    if wanted != state.dependents:
        yield f"the dependents index says {state.dependents}, the queue {wanted}"


def _names(state: ClusterState) -> Iterator[str]:
    waiting: dict[tuple[int, str], set[JobId]] = {}
    active: dict[tuple[int, str], set[JobId]] = {}
    for index, found in ((state.pending, waiting), (state.active, active)):
        for job in index.values():
            found.setdefault((job.owner.uid, job.request.name), set()).add(job.id)
    if waiting != {key: group.waiting for key, group in state.names.groups.items() if group.waiting}:
        yield "the index of names disagrees with the queue"
    if active != {key: group.active for key, group in state.names.groups.items() if group.active}:
        yield "the index of names disagrees with the active jobs"


def _licenses(state: ClusterState) -> Iterator[str]:
    held: Counter[str] = Counter()
    for job in state.active.values():
        if job.holding is not None:
            held.update(job.holding.licenses)
    if held != state.licenses.used:
        yield f"licences in use are said to be {state.licenses.used}, jobs hold {dict(held)}"
