"""Which jobs squeue shows, in which order, and as what."""

import time

import msgspec
import pytest

from slurm.core import tres as amounts
from slurm.model.errors import InvalidRequest, NotFound
from slurm.model.ids import JobId
from slurm.model.job import Allocation, Job
from slurm.model.states import JobState
from slurm.render import job_facts, job_list, job_values
from slurm.render.view import View
from slurm.wire.messages import JobFilter, ListJobs
from tests.compat import lab

ROOT = lab.CALLERS["root"]


def _ids(view: View, sort: str = "", caller: str = "root", **conditions: object) -> list[str]:
    message = ListJobs(fields=["JobArrayId"], filter=JobFilter(**conditions), sort=sort)  # type: ignore[arg-type]
    return [row[0] for row in job_list.list_jobs(view, message, lab.CALLERS[caller], view.now)]


def _finish(view: View, number: int, state: JobState, *flags: str) -> Job:
    job = view.jobs[JobId(number)]
    job.state, job.end_time, job.flags = state, view.now - 2, list(flags)
    return job


def test_finished_jobs_are_left_out_unless_asked_for() -> None:
    view = lab.view()
    _finish(view, 86, JobState.COMPLETED)
    assert "86" not in _ids(view)
    assert _ids(view, states=["completed"]) == ["86"]
    assert "86" in _ids(view, all_states=True)


def test_a_job_whose_nodes_are_not_clean_yet_shows_as_completing() -> None:
    view = lab.view()
    job = _finish(view, 86, JobState.FAILED, "completing")
    assert "86" in _ids(view)
    assert (job_values.state_code(job), job_values.state_name(job)) == ("CG", "COMPLETING")
    assert job_values.nodes_or_reason(job, view) == "cn01"


def test_a_job_that_failed_shows_why_instead_of_where() -> None:
    view = lab.view()
    job = _finish(view, 86, JobState.FAILED)
    job.reason = "NonZeroExitCode"
    assert job_values.nodes_or_reason(job, view) == "(NonZeroExitCode)"


@pytest.mark.parametrize(("ids", "found"), [
    (["86"], ["86"]),
    (["88"], ["88_[3-200%2]", "88_1", "88_2"]),
    (["88_1"], ["88_1"]),
    (["88_[2,5]"], ["88_5", "88_2"]),
    (["95"], ["88_1"]),
    (["86", "999999"], ["86"]),
    (["86.0"], ["86"]),
    (["86", "86"], ["86"]),
])
def test_ids_name_jobs_arrays_and_tasks(ids: list[str], found: list[str]) -> None:
    assert _ids(lab.view(), ids=ids) == found


def test_a_single_id_that_nobody_has_is_an_error() -> None:
    with pytest.raises(NotFound, match="Invalid job id specified"):
        _ids(lab.view(), ids=["999999"])


def test_a_task_that_an_array_does_not_have_is_no_error() -> None:
    assert _ids(lab.view(), ids=["88_999"]) == []


def test_conditions_narrow_the_list() -> None:
    view = lab.view()
    assert _ids(view, users=["bob"]) == ["87", "97"] == _ids(view, users=["1002"])
    assert _ids(view, mine=True, caller="bob") == ["87", "97"]
    assert not set(_ids(view, not_mine=True, caller="bob")) & {"87", "97"}
    assert _ids(view, accounts=["students"], partitions=["batch"]) == ["87"]
    assert _ids(view, nodes=["cn03", "cn04"]) == ["87", "93"]
    assert _ids(view, running_over=20) == ["63_0", "63_1", "63_2"]
    assert _ids(view, names=["held", "later"]) == ["90", "91"]


def test_jobs_of_hidden_partitions_are_hidden_from_users() -> None:
    view = lab.view()
    view.partitions["gpu"].hidden = True
    assert "93" not in _ids(view, visible_only=True, caller="alice")
    assert "93" in _ids(view, visible_only=True)
    assert "93" in _ids(view, caller="alice")


@pytest.mark.parametrize("steps", [False, True])
def test_of_a_long_list_a_part_is_given_and_how_long_it_is(steps: bool) -> None:
    view = lab.view()

    def part(**limits: int) -> tuple[list[str], int]:
        found = job_list.listed(view, ListJobs(fields=["JobId"], steps=steps, **limits), ROOT, view.now)
        return [row[0] for row in found.rows], found.total

    every, total = part()
    assert len(every) == total > 2
    assert part(first=1, most=2) == (every[1:3], total)
    assert part(first=total - 1, most=5) == (every[-1:], total)
    assert part(first=total, most=5) == ([], total)


def test_keys_of_sort_count_from_the_first() -> None:
    view = lab.view()
    assert _ids(view, sort="u,-i", states=["running"]) == ["93", "88_2", "88_1", "86", "87", "63_2", "63_1", "63_0"]
    assert _ids(view, sort="-C,D", states=["running"])[:2] == ["87", "86"]


def test_a_key_that_is_no_letter_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="Invalid sort specification: !"):
        _ids(lab.view(), sort="!")


def test_each_partition_of_a_pending_job_has_its_line_when_asked_for() -> None:
    view = lab.view()
    view.jobs[JobId(91)].request = msgspec.structs.replace(view.jobs[JobId(91)].request, partition="debug,batch")
    message = ListJobs(fields=["Partition"], filter=JobFilter(ids=["91"]), per_partition=True)
    assert job_list.list_jobs(view, message, ROOT, view.now) == [["batch"], ["debug"]]


def test_a_long_list_of_task_ids_is_cut() -> None:
    view = lab.view()
    part = view.jobs[JobId(88)].array_part
    assert part is not None
    part.ranges = [(number, number, 1) for number in range(1, 400, 3)]
    part.ranges[5] = (17, 17, 1)
    short = job_list.list_jobs(view, ListJobs(fields=["JobArrayId"], filter=JobFilter(names=["sweep"], states=["pending"])), ROOT, view.now)
    whole = job_list.list_jobs(
        view, ListJobs(fields=["JobArrayId"], filter=JobFilter(names=["sweep"], states=["pending"]), array_length=0), ROOT, view.now)
    assert "..." in short[0][0] and len(short[0][0]) < 90
    assert "..." not in whole[0][0] and len(whole[0][0]) > 300


def test_times_follow_the_format_of_whoever_asks() -> None:
    view = lab.view()
    message = ListJobs(fields=["StartTime"], filter=JobFilter(ids=["86"]), time_format="%H hours")
    lab.use_utc()
    assert job_list.list_jobs(view, message, ROOT, view.now) == [["00 hours"]]


def test_a_suspended_job_does_not_grow_older() -> None:
    view = lab.view()
    job = view.jobs[JobId(86)]
    job.state, job.suspend_time = JobState.SUSPENDED, lab.STARTED + 3
    assert job_facts.time_used(job, view) == 3


def test_an_unlimited_job_ends_in_a_year_as_in_slurm() -> None:
    view = lab.view()
    job = view.jobs[JobId(86)]
    job.time_limit = -1
    assert job_facts.end_time(job, view) == job.start_time + 365 * 86400
    assert job_values.GETTERS["TimeLeft"](job, view) == "UNLIMITED"


def test_tres_of_a_request_count_gpus_of_every_kind() -> None:
    view = lab.view()
    job = view.jobs[JobId(97)]
    job.request = msgspec.structs.replace(job.request, gpus_per_node="a100:2", gpus="h100:3", ntasks=8, cpus_per_task=2)
    assert amounts.requested(view, job) == {"cpu": 16, "mem": 8000, "node": 4, "billing": 16, "gres/gpu": 11}


@pytest.mark.alone
def test_ten_thousand_jobs_are_listed_quickly() -> None:
    view = lab.view()
    base = view.jobs[JobId(91)]
    view.jobs = {JobId(n): msgspec.structs.replace(base, id=JobId(n), priority=n % 97) for n in range(1000, 11000)}
    message = ListJobs(fields=["JobArrayId", "Partition", "Name", "UserName", "StateCompact", "TimeUsed", "NumNodes", "ReasonList"])
    started = time.process_time()
    rows = job_list.list_jobs(view, message, ROOT, view.now)
    # 16 ms on a free 2-core machine; the bound leaves room for a busy one.
    assert len(rows) == 10_000 and time.process_time() - started < 0.5


def test_steps_of_srun_are_listed_with_the_batch_script() -> None:
    view = lab.view()
    job = view.jobs[JobId(86)]
    assert isinstance(job.allocation, Allocation)
    from slurm.model.ids import StepId
    from slurm.model.job import Step

    job.steps[0] = Step(id=StepId(0), name="hostname", start_time=view.now - 65, shares=job.allocation.shares, ntasks=4)
    message = ListJobs(fields=["StepId", "StepName", "TimeUsed", "NumTasks"], filter=JobFilter(ids=["86"]), steps=True)
    assert job_list.list_jobs(view, message, ROOT, view.now) == [["86.batch", "batch", "0:07", "1"], ["86.0", "hostname", "1:05", "4"]]
    only = ListJobs(fields=["StepId"], filter=JobFilter(ids=["86.0"]), steps=True)
    assert job_list.list_jobs(view, only, ROOT, view.now) == [["86.0"]]
