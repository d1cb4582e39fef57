"""Which jobs a JobFilter lets through. Rights are not judged here: everyone may look."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from slurm.core.events import Caller
from slurm.model.errors import NotFound
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.notation import jobref
from slurm.notation import licenses as notation
from slurm.notation.jobref import JobRef
from slurm.notation.taskset import TaskSet
from slurm.render.job_facts import time_used
from slurm.render.view import View
from slurm.wire.messages import JobFilter

DEFAULT_STATES = frozenset({"pending", "running", "suspended", "completing", "configuring", "resizing", "signaling", "stage_out",
    "stopped"})
Test = Callable[[Job], bool]


def select(view: View, wanted: JobFilter, caller: Caller) -> list[Job]:
    """Jobs that pass every condition, by id. NotFound when just one id is asked for and there is no such job."""
    refs = [jobref.parse(text) for text in wanted.ids]
    if len(refs) == 1 and not any(_names(job, refs[0].job) for job in _candidates(view, refs)):
        raise NotFound("ESLURM_INVALID_JOB_ID")
    tests = _tests(view, wanted, caller, refs)
    jobs = _candidates(view, refs) if refs else view.jobs.values()
    if len(tests) == 1:
        return list(filter(tests[0], jobs))
    return [job for job in jobs if all(test(job) for test in tests)]


def matches(job: Job, refs: Iterable[JobRef]) -> bool:
    """Whether one of the references means this job, the array it belongs to, or tasks that it still holds."""
    return _matches(job, [ref for ref in refs if _names(job, ref.job)])


def _matches(job: Job, refs: Iterable[JobRef]) -> bool:
    for ref in refs:
        if ref.het is not None:
            if job.het_job == ref.job and job.het_offset == ref.het:
                return True
            continue
        if ref.tasks is None:
            return True
        if job.array_task is not None:
            if job.array_job == ref.job and job.array_task in ref.tasks:
                return True
        elif job.array_part is not None and len(TaskSet(job.array_part.ranges).intersection(ref.tasks)):
            return True
    return False


def in_states(job: Job, states: frozenset[str]) -> bool:
    """Whether its base state, or one that lies over it, is among these (lower case)."""
    return (job.state.name.lower() in states and "stopped" not in job.flags) or any(flag in states for flag in job.flags)


def _names(job: Job, number: int) -> bool:
    return number in (job.id, job.array_job, job.het_job)


def _candidates(view: View, refs: list[JobRef]) -> Iterable[Job]:
    """The jobs with these ids; every job when one of them is an array, whose tasks have ids of their own."""
    found = [view.jobs.get(JobId(number)) for number in dict.fromkeys(ref.job for ref in refs)]
    if all(job is not None and not job.array_job and not job.het for job in found):
        return [job for job in found if job is not None]
    return view.jobs.values()


def _tests(view: View, wanted: JobFilter, caller: Caller, refs: list[JobRef]) -> list[Test]:
    tests: list[Test] = []
    if not wanted.all_states and "all" not in wanted.states:
        tests.append(_state_test(wanted.states))
    if refs:
        by_number: dict[int, list[JobRef]] = {}
        for ref in refs:
            by_number.setdefault(ref.job, []).append(ref)
        tests.append(lambda job: _matches(job, [ref for number in {job.id, job.array_job, job.het_job}
            for ref in by_number.get(number, ())]))
    if wanted.users:
        names, uids = set(wanted.users), {int(user) for user in wanted.users if user.isdecimal()}
        tests.append(lambda job: job.owner.user in names or job.owner.uid in uids)
    if wanted.mine:
        tests.append(lambda job: job.owner.uid == caller.uid)
    if wanted.not_mine:
        tests.append(lambda job: job.owner.uid != caller.uid)
    if wanted.partitions:
        partitions = set(wanted.partitions)
        tests.append(lambda job: not partitions.isdisjoint(job.partition.split(",")))
    if wanted.qos:
        levels = set(wanted.qos)
        tests.append(lambda job: (job.request.qos or view.settings.default_qos) in levels)
    if wanted.nodes:
        nodes = set(wanted.nodes)
        tests.append(lambda job: job.allocation is not None and not nodes.isdisjoint(job.allocation.nodes))
    if wanted.visible_only and caller.uid != 0:
        hidden = {partition.name for partition in view.partitions.values() if partition.hidden}
        if hidden:
            tests.append(lambda job: job.partition not in hidden)
    if wanted.running_over >= 0:
        tests.append(lambda job: job.state is JobState.RUNNING and time_used(job, view) >= wanted.running_over)
    if wanted.running_under >= 0:
        tests.append(lambda job: job.state is JobState.RUNNING and time_used(job, view) <= wanted.running_under)
    if wanted.licenses:
        licenses = set(wanted.licenses)
        tests.append(lambda job: not licenses.isdisjoint(notation.names(job.request.licenses)))
    for values, attribute in (
        (wanted.accounts, "account"), (wanted.names, "name"), (wanted.reservations, "reservation"),
    ):
        if values:
            tests.append(_attribute_test(frozenset(values), attribute))
    if wanted.wckeys:
        wckeys = {name.removeprefix("*") for name in wanted.wckeys}
        tests.append(lambda job: job.request.wckey.removeprefix("*") in wckeys)
    return tests or [lambda job: True]


def _attribute_test(values: frozenset[str], attribute: str) -> Test:
    return lambda job: getattr(job.request, attribute) in values


def _state_test(states: list[str]) -> Test:
    chosen = frozenset(state.lower() for state in states) or DEFAULT_STATES
    bases = frozenset(state for state in JobState if state.name.lower() in chosen)
    flags = chosen - {state.name.lower() for state in JobState}
    return lambda job: job.state in bases or (bool(job.flags) and not flags.isdisjoint(job.flags))
