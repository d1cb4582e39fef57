"""Selection: which jobs a person means, by ids or by what they have in common. Rights are judged by whoever acts on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from slurm.core import arrays
from slurm.core.events import Caller
from slurm.core.state import ClusterState
from slurm.model.errors import InvalidRequest, NotationError, NotFound
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.notation import jobref, licenses
from slurm.notation.jobref import JobRef
from slurm.notation.taskset import TaskSet

TASKS_AT_ONCE = 1_000
_LOOKED_AT = 1_000


class Wanted(Protocol):
    """What jobs must have in common; empty lists ask for nothing. `wire.messages.JobFilter` is one."""

    @property
    def ids(self) -> Sequence[str]: ...
    @property
    def users(self) -> Sequence[str]: ...
    @property
    def accounts(self) -> Sequence[str]: ...
    @property
    def partitions(self) -> Sequence[str]: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def states(self) -> Sequence[str]: ...
    @property
    def qos(self) -> Sequence[str]: ...
    @property
    def reservations(self) -> Sequence[str]: ...
    @property
    def licenses(self) -> Sequence[str]: ...
    @property
    def nodes(self) -> Sequence[str]: ...
    @property
    def wckeys(self) -> Sequence[str]: ...
    @property
    def mine(self) -> bool: ...
    @property
    def not_mine(self) -> bool: ...


class Chosen(NamedTuple):
    """A job, or some of the waiting tasks of its record (`tasks` as runs, None: all of it)."""

    job: Job
    tasks: list[arrays.Run] | None = None

    @property
    def shown(self) -> str:
        """The id as people write it."""
        if self.tasks is None:
            return self.job.shown_id
        ids = TaskSet(self.tasks)
        return f"{self.job.id}_{ids.show()}" if len(ids) == 1 else f"{self.job.id}_[{ids.show()}]"


def parse(text: str) -> JobRef:
    """One reference such as "12", "12_[1-3]", "12.0"; InvalidRequest with Slurm's words when it is none."""
    try:
        return jobref.parse(text)
    except NotationError as error:
        raise InvalidRequest("ESLURM_INVALID_JOB_ID", hints=[error.message]) from error


def named(state: ClusterState, ref: JobRef) -> list[Chosen]:
    """The records that a reference means, waiting tasks as part of their array's record; [] when there are none.

    The number of a heterogeneous job's leader means all of its components, "12+1" one of them.
    """
    if ref.het is not None:
        component = state.component(ref.job, ref.het)
        return [Chosen(component)] if component is not None else []
    if ref.tasks is None:
        return [Chosen(job) for job in state.tasks_of(ref.job)]
    ledger = state.arrays.get(JobId(ref.job))
    if ledger is None:
        return []
    started = ledger.records
    tasks = sorted(task for task in ref.tasks if task in started) if len(ref.tasks) < len(started) else sorted(
        task for task in started if task in ref.tasks)
    found = [Chosen(state.jobs[started[task]]) for task in tasks]
    master = state.jobs.get(JobId(ref.job))
    if master is not None and master.array_part is not None:
        waiting = TaskSet(master.array_part.ranges).intersection(ref.tasks)
        if len(waiting):
            found.append(Chosen(master, list(waiting.runs)))
    return found


def in_portions(state: ClusterState, text: str) -> Iterator[list[str]]:
    """The ids of the jobs that a text of ids or of a name means, each portion after a look at a thousand jobs at most; errors as of
    `by_ids`. An array that waits is one, and so is a leader with its components."""
    name = _name(text)
    if name is None:
        refs = _refs(text)
        for start in range(0, len(refs), _LOOKED_AT):
            yield [ref.show() for ref in refs[start:start + _LOOKED_AT]]
        return
    found = False
    jobs = (*state.pending.values(), *state.active.values())
    for start in range(0, len(jobs), _LOOKED_AT):
        some = [job for job in jobs[start:start + _LOOKED_AT] if job.request.name == name]
        found = found or bool(some)
        yield [str(job.id) for job in some if not (job.het and job.het_job != job.id and state.jobs[job.het_job].request.name == name)]
    if not found:
        raise _nobody(name)


def by_ids(state: ClusterState, texts: Iterable[str]) -> list[Chosen]:
    """The jobs of ids ("12,13_[1-3]") or names ("name=sim"); NotFound for the first that means none."""
    chosen: list[Chosen] = []
    for text in texts:
        name = _name(text)
        if name is not None:
            found = [Chosen(job) for job in (*state.pending.values(), *state.active.values()) if job.request.name == name]
            if not found:
                raise _nobody(name)
            chosen += found
            continue
        for ref in _refs(text):
            found = named(state, ref)
            if not found:
                raise NotFound("ESLURM_INVALID_JOB_ID", hints=[f"no job {ref.show()} is known: it never was, or it ended long ago"])
            chosen += found
    return chosen


def _name(text: str) -> str | None:
    """The name by which a text means jobs, None for a text of ids."""
    key, equals, name = text.partition("=")
    return name if equals and key.lower() in ("name", "jobname") else None


def _nobody(name: str) -> NotFound:
    return NotFound("ESLURM_INVALID_JOB_ID", hints=[f'no job is called "{name}"'])


def _refs(text: str) -> list[JobRef]:
    try:
        return jobref.parse_list(text)
    except NotationError as error:
        raise InvalidRequest("ESLURM_INVALID_JOB_ID", hints=[error.message]) from error


def each_task(chosen: Chosen) -> Iterator[int | None]:
    """The waiting tasks that were picked one by one; a single None for a whole record.

    InvalidRequest for very many: each becomes a record.
    """
    if chosen.tasks is None:
        yield None
    else:
        count = len(TaskSet(chosen.tasks))
        if count > TASKS_AT_ONCE:
            raise InvalidRequest("ESLURM_INVALID_JOB_ID", hints=[
                f"at most {TASKS_AT_ONCE:,} waiting tasks of an array are changed one by one in a request; {count:,} were named",
                f"{chosen.job.id} changes all that wait at once"])
        yield from arrays.tasks(chosen.tasks)


def alive(state: ClusterState) -> list[Job]:
    """Every job that waits or holds resources, by id."""
    return sorted((*state.pending.values(), *state.active.values()), key=lambda job: job.id)


def matches(job: Job, wanted: Wanted, caller: Caller) -> bool:
    """Whether a job has everything that is asked for, ids aside."""
    request = job.request
    if (wanted.mine and job.owner.uid != caller.uid) or (wanted.not_mine and job.owner.uid == caller.uid):
        return False
    pairs = (
        (wanted.users, (job.owner.user, str(job.owner.uid))), ([name.lower() for name in wanted.accounts], (request.account,)),
        (wanted.partitions, tuple(job.partition.split(","))), (wanted.names, (request.name,)), (wanted.qos, (request.qos,)),
        (wanted.reservations, (request.reservation,)), (wanted.licenses, tuple(licenses.names(request.licenses))), 
        (wanted.wckeys, (request.wckey, request.wckey.removeprefix("*"))),
        (wanted.nodes, tuple(job.allocation.nodes) if job.allocation is not None else ()),
    )
    if any(asked and not set(asked).intersection(have) for asked, have in pairs):
        return False
    states = {word.lower() for word in wanted.states}
    return not states or job.state.name.lower() in states or bool(states.intersection(job.flags))
