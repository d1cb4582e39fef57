"""Why jobs wait and what starts them: dependencies, arrays and their limits, hold, begin, requeue, estimates."""

from __future__ import annotations

import re
import time

import pytest

from tests.system.harness import Cluster, gate

NOTHING = ("-o", "/dev/null")


def waits(cluster: Cluster, job: str) -> str:
    """State, reason and dependency as squeue shows them."""
    return cluster.ok("squeue", "-h", "-t", "all", "-j", job, "-o", "%t %r %E").strip()


def until_given_up(cluster: Cluster, job: str) -> None:
    """Wait until a job says that its dependency can not come true any more."""
    cluster.until(lambda: waits(cluster, job).startswith("PD DependencyNeverSatisfied"), why=f"the dependency of job {job} is not given up")


# --- dependencies ---------------------------------------------------------------------------------------------------------


def test_each_kind_of_dependency_lets_through_what_it_says(cluster: Cluster) -> None:
    good = cluster.sbatch(*NOTHING, "--wrap", "sleep 0.7")
    bad = cluster.sbatch(*NOTHING, "--wrap", "sleep 0.7; exit 1")
    wanted = {
        f"afterok:{good}": "COMPLETED", f"afternotok:{bad}": "COMPLETED", f"afterany:{good}:{bad}": "COMPLETED",
        f"after:{good}": "COMPLETED", f"afterok:{good},afternotok:{bad}": "COMPLETED", f"afterok:{bad}?afterok:{good}": "COMPLETED",
        f"afterok:{bad}": "PENDING", f"afternotok:{good}": "PENDING", f"afterok:{good},afterok:{bad}": "PENDING"}
    jobs = {cluster.sbatch(*NOTHING, "-d", text, "--wrap", "true"): text for text in wanted}
    cluster.until_ended(good, bad)
    for job, text in jobs.items():
        if wanted[text] == "COMPLETED":
            assert cluster.until_ended(job) == {job: "COMPLETED"}, text
        else:
            until_given_up(cluster, job)
            cluster.ok("scancel", job)


def test_a_dependency_is_shown_as_slurm_shows_it(cluster: Cluster) -> None:
    first = cluster.sbatch("-H", *NOTHING, "--wrap", "true")
    second = cluster.sbatch("-d", f"afterok:{first}", *NOTHING, "--wrap", "true")
    assert waits(cluster, second) == f"PD Dependency afterok:{first}(unfulfilled)"
    assert cluster.field(second, "Dependency") == f"afterok:{first}(unfulfilled)"
    cluster.ok("scancel", first)
    until_given_up(cluster, second)
    cluster.ok("scancel", second)


def test_a_job_whose_dependency_can_not_come_true_ends_when_it_asked_for_that(cluster: Cluster) -> None:
    bad, _ = cluster.finish(*NOTHING, "--wrap", "exit 1")
    job = cluster.sbatch("-d", f"afterok:{bad}", "--kill-on-invalid-dep=yes", *NOTHING, "--wrap", "true")
    assert cluster.until_ended(job) == {job: "CANCELLED"}


def test_a_delay_after_the_start_is_waited_for(cluster: Cluster) -> None:
    first = cluster.sbatch(*NOTHING, "--wrap", "sleep 1")
    second = cluster.sbatch("-d", f"after:{first}+1", *NOTHING, "--wrap", "true")
    cluster.until_ended(first)
    assert waits(cluster, second).startswith("PD Dependency")
    cluster.ok("scancel", second)


def test_tasks_of_one_array_follow_the_same_tasks_of_another(cluster: Cluster) -> None:
    first = cluster.sbatch("-a", "1-3", *NOTHING, "--wrap", "[ $SLURM_ARRAY_TASK_ID != 2 ]")
    second = cluster.sbatch("-a", "1-3", "-d", f"aftercorr:{first}", *NOTHING, "--wrap", "true")
    cluster.until(lambda: cluster.states(second).get(f"{second}_3") == "COMPLETED")
    cluster.until(lambda: cluster.states(second).get(f"{second}_1") == "COMPLETED")
    assert cluster.states(second)[f"{second}_2"] == "PENDING"
    cluster.until(lambda: "DependencyNeverSatisfied" in waits(cluster, second), why="the failed task's fellow is not given up")
    cluster.ok("scancel", second)


def test_singletons_of_a_name_run_one_after_another(cluster: Cluster) -> None:
    line = f'echo "$SLURM_JOB_ID in" >> single.txt; {gate("single")}; sleep 0.4; echo "$SLURM_JOB_ID out" >> single.txt'
    jobs = [cluster.sbatch("-J", "single", "-d", "singleton", *NOTHING, "--wrap", line) for _ in range(3)]
    assert waits(cluster, jobs[2]) == "PD Dependency singleton(unfulfilled)"
    cluster.open_gate("single")
    cluster.until_ended(*jobs)
    assert cluster.output("single.txt").splitlines() == [f"{job} {word}" for job in jobs for word in ("in", "out")]


def test_a_chain_by_parsable_runs_in_order(cluster: Cluster) -> None:
    cluster.script("chain.sh", "#!/bin/bash\necho $1 >> chain.txt\n")
    first = cluster.sbatch(*NOTHING, "chain.sh", "1")
    second = cluster.sbatch(*NOTHING, "-d", f"afterok:{first}", "chain.sh", "2")
    third = cluster.sbatch(*NOTHING, f"--dependency=afterok:{second}", "chain.sh", "3")
    cluster.until_ended(first, second, third)
    assert cluster.output("chain.txt").split() == ["1", "2", "3"]


# --- arrays ---------------------------------------------------------------------------------------------------------------


def test_no_more_tasks_of_an_array_run_at_once_than_its_limit(cluster: Cluster) -> None:
    cluster.script("limit.sh", f"#!/bin/bash\necho + >> limit.txt; {gate('limit')}; sleep 0.3; echo - >> limit.txt\n")
    job = cluster.sbatch("-a", "0-11%3", *NOTHING, "limit.sh")
    shown = cluster.ok("squeue", "-h", "-j", job, "-t", "PD", "-o", "%i %r").strip()
    assert re.fullmatch(rf"{job}_\[\d+-11%3\] (JobArrayTaskLimit|None|Resources)", shown), shown
    cluster.open_gate("limit")
    assert set(cluster.until_ended(job).values()) == {"COMPLETED"}
    running = most = 0
    for sign in cluster.output("limit.txt").split():
        running += 1 if sign == "+" else -1
        most = max(most, running)
    assert most == 3


def test_the_limit_of_an_array_may_be_changed_while_it_runs(cluster: Cluster) -> None:
    job = cluster.sbatch("-a", "0-5%1", *NOTHING, "--wrap", "sleep 30")
    cluster.until(lambda: list(cluster.states(job).values()).count("RUNNING") == 1)
    cluster.ok("scontrol", "update", f"jobid={job}", "ArrayTaskThrottle=4")
    cluster.until(lambda: list(cluster.states(job).values()).count("RUNNING") == 4, why="the new limit does not hold")
    cluster.ok("scancel", job)
    cluster.until_ended(job)


@pytest.mark.alone
def test_a_hundred_thousand_tasks_are_submitted_at_once_and_cancelled_at_once(cluster: Cluster) -> None:
    began = time.monotonic()
    job = cluster.sbatch("-H", "-a", "0-99999", *NOTHING, "--wrap", "true")
    submitted = time.monotonic()
    cluster.ok("scancel", job)
    assert submitted - began < 1.5
    assert time.monotonic() - submitted < 3
    assert cluster.ok("squeue", "-h", "-j", job).strip() == ""


# --- hold, begin, requeue -------------------------------------------------------------------------------------------------


def test_held_jobs_wait_until_they_are_released(cluster: Cluster) -> None:
    job = cluster.sbatch("-H", *NOTHING, "--wrap", "true")
    assert waits(cluster, job).startswith("PD JobHeldUser")
    assert cluster.field(job, "Priority") == "0"
    cluster.ok("scontrol", "release", job)
    assert cluster.until_ended(job) == {job: "COMPLETED"}


def test_a_waiting_job_may_be_held_and_let_go_as_often_as_one_likes(cluster: Cluster) -> None:
    job = cluster.sbatch("--begin=now+1hour", *NOTHING, "--wrap", "true")
    for word, reason in (("hold", "JobHeldAdmin"), ("uhold", "JobHeldUser")):
        cluster.ok("scontrol", word, job)
        assert waits(cluster, job).startswith(f"PD {reason}")
        assert cluster.field(job, "Priority") == "0"
        cluster.ok("scontrol", "release", job)
        assert waits(cluster, job).startswith("PD BeginTime")
        assert int(cluster.field(job, "Priority")) > 0
    cluster.ok("scancel", job)


def test_what_is_updated_is_shown_at_once(cluster: Cluster) -> None:
    job = cluster.sbatch("--begin=now+1hour", *NOTHING, "--wrap", "true")
    cluster.ok("scontrol", "update", f"jobid={job}", "priority=12345", "name=renamed", "timelimit=2:00")
    shown = cluster.show(job)
    assert (shown["Priority"], shown["JobName"], shown["TimeLimit"]) == ("12345", "renamed", "00:02:00")
    cluster.ok("scancel", job)


def test_a_job_with_a_begin_time_starts_then(cluster: Cluster) -> None:
    began = time.time()
    job = cluster.sbatch("--begin=now+2", "-o", "begin.out", "--wrap", "date +%s.%N")
    assert waits(cluster, job).startswith("PD BeginTime")
    cluster.until_ended(job)
    assert 1.5 < float(cluster.output("begin.out")) - began < 5


def test_a_requeued_job_waits_two_minutes_unless_it_is_told_not_to_and_counts_its_starts(cluster: Cluster) -> None:
    job = cluster.sbatch("--requeue", "--open-mode=append", "-o", "rq.out", "--wrap", 'echo "run $SLURM_RESTART_COUNT"; [ "$SLURM_RESTART_COUNT" -gt 0 ] || sleep 60')
    cluster.until(lambda: (cluster.work / "rq.out").exists() and "run 0" in cluster.output("rq.out"))
    cluster.ok("scontrol", "requeue", job)
    cluster.until(lambda: cluster.state(job) == "PENDING")
    shown = cluster.show(job)
    assert (shown["Reason"], shown["Restarts"], shown["ExitCode"]) == ("BeginTime", "1", "0:0")
    cluster.ok("scontrol", "update", f"jobid={job}", "StartTime=now")
    assert cluster.until_ended(job) == {job: "COMPLETED"}
    text = cluster.output("rq.out")
    assert re.findall(r"^run (\d)$", text, re.MULTILINE) == ["0", "1"]
    assert f"*** JOB {job} ON cn01 CANCELLED AT" in text and "DUE TO JOB REQUEUE ***" in text


def test_requeue_and_hold_keeps_the_job_until_it_is_released(cluster: Cluster) -> None:
    job = cluster.sbatch("--requeue", *NOTHING, "--wrap", '[ "$SLURM_RESTART_COUNT" -gt 0 ] || sleep 60')
    cluster.until_state(job, "RUNNING")
    cluster.ok("scontrol", "requeuehold", job)
    cluster.until(lambda: cluster.state(job) == "PENDING")
    assert cluster.field(job, "Priority") == "0"
    cluster.ok("scontrol", "release", job)
    assert cluster.until_ended(job) == {job: "COMPLETED"}


def test_a_job_that_must_not_be_requeued_is_refused(cluster: Cluster) -> None:
    job = cluster.sbatch("--no-requeue", *NOTHING, "--wrap", "sleep 60")
    cluster.until_state(job, "RUNNING")
    result = cluster.run("scontrol", "requeue", job)
    assert result.status == 1
    assert result.err.splitlines()[0] == f"Requested operation is presently disabled for job {job}"
    cluster.ok("scancel", job)


# --- estimates ------------------------------------------------------------------------------------------------------------


def test_a_test_only_submission_says_when_and_where_and_submits_nothing(cluster: Cluster) -> None:
    cluster.script("hello.sh", "#!/bin/bash\nhostname\n")
    before = cluster.ok("squeue", "-h", "-t", "all", "-o", "%i")
    result = cluster.run("sbatch", "--test-only", "-n", "4", "hello.sh")
    assert result.status == 0
    assert re.fullmatch(
        r"sbatch: Job \d+ to start at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d a using 4 processors on nodes cn01 in partition debug\n", result.err)
    assert cluster.ok("squeue", "-h", "-t", "all", "-o", "%i") == before


@pytest.mark.parametrize("words", [("sbatch", "-N5", "--wrap", "true"), ("srun", "-N5", "true"), ("salloc", "-N5", "true")])
def test_what_an_embedded_cluster_can_never_run_is_refused_with_what_there_is(cluster: Cluster, words: tuple[str, ...]) -> None:
    result = cluster.run(*words)
    assert result.status == 1
    assert "Requested node configuration is not available" in result.err and "partition debug has 4 nodes, 5 are asked for" in result.err


def test_jobs_that_wait_for_room_say_so_and_start_when_there_is_some(cluster: Cluster) -> None:
    whole = cluster.sbatch("-N4", "--exclusive", *NOTHING, "--wrap", "sleep 60")
    cluster.until_state(whole, "RUNNING")
    first = cluster.sbatch("-N4", "--exclusive", *NOTHING, "--wrap", "true")
    second = cluster.sbatch("-N4", "--exclusive", *NOTHING, "--wrap", "true")
    cluster.until(lambda: waits(cluster, first).startswith("PD Resources"))
    cluster.until(lambda: waits(cluster, second).startswith("PD Priority"))
    cluster.ok("scancel", whole)
    assert set(cluster.until_ended(first, second).values()) == {"COMPLETED"}
