"""sacct as a command: what its options ask of accounting, which time they look at, how it lays answers out, and how it complains."""

import io
import json
import os
import pwd
from collections.abc import Mapping

import msgspec
import pytest

from slurm.commands import sacct
from slurm.commands.shell import Shell
from slurm.model.accounting import JobFilter, JobRecord, JobRow, StepRecord, Usage
from slurm.model.errors import ProtocolError, SlurmError, Unsupported
from slurm.model.ids import BATCH_STEP, Digest, Gid, JobId, StepId, Uid
from slurm.model.states import JobState
from slurm.sdk.following.inspection import NO_ACCOUNTING
from tests.compat import past
from tests.compat.lab import Outcome

NOON = 1795262400.0
"""2026-11-21T12:00:00 UTC."""
HOUR = 3600.0


def _job(number: int = 7, **fields: object) -> JobRecord:
    values: dict[str, object] = {
        "name": "train", "account": "research", "partition": "debug", "state": JobState.COMPLETED, "submit_time": NOON - 2 * HOUR,
        "eligible_time": NOON - 2 * HOUR, "start_time": NOON - HOUR, "end_time": NOON - HOUR / 2, "time_limit": 7200, "cpus_requested": 2,
        "nodes_requested": 1, "requested": {"cpu": 2, "mem": 2048, "node": 1}, "allocated": {"cpu": 2, "mem": 2048, "node": 1}, "nodes": "cn01",
        "node_count": 1, **fields}
    return JobRecord(id=JobId(number), uid=Uid(1001), gid=Gid(1001), user="alice", group="alice", **values)  # type: ignore[arg-type]


def _step(step: int, **fields: object) -> StepRecord:
    values: dict[str, object] = {"name": "batch", "state": JobState.COMPLETED, "start_time": NOON - HOUR, "end_time": NOON - HOUR / 2, **fields}
    return StepRecord(job=JobId(7), step=StepId(step), **values)  # type: ignore[arg-type]


def _row(job: JobRecord | None = None, *steps: StepRecord, index: int = 1) -> JobRow:
    return JobRow("lab", index, job or _job(), list(steps))


def _sacct(*argv: str, of: past.Past | None = None, environ: Mapping[str, str] | None = None) -> Outcome:
    past.use_utc()
    out, err = io.StringIO(), io.StringIO()
    door = of or past.Past((_row(),))
    shell = Shell("sacct", argv, environ or {}, io.BytesIO(), out, err, connect=lambda environ: door, now=lambda: NOON)
    status = sacct.main(shell)
    return Outcome(out.getvalue(), err.getvalue(), status)


def _asked(*argv: str, environ: Mapping[str, str] | None = None) -> JobFilter:
    door = past.Past(())
    _sacct(*argv, of=door, environ=environ)
    return door.asked[0]


def _cells(of: JobRow, *argv: str) -> list[str]:
    return _sacct("-P", "-n", *argv, of=past.Past((of,))).stdout.splitlines()


def test_without_jobs_and_states_the_window_begins_at_midnight() -> None:
    assert (_asked("-a").since, _asked("-a").until) == (NOON - 12 * HOUR, 0.0)


def test_jobs_are_looked_for_in_all_time() -> None:
    assert (_asked("-j", "7").since, _asked("-j", "7").until) == (0.0, 0.0)


def test_states_are_those_of_this_moment_unless_a_start_is_given() -> None:
    assert (_asked("-s", "R").since, _asked("-s", "R").until) == (NOON, NOON + 1)
    asked = _asked("--state=F,TIMEOUT,ca", "--starttime", "now-1hour", "--endtime=now")
    assert asked.states == [JobState.FAILED, JobState.TIMEOUT, JobState.CANCELLED]
    assert (asked.since, asked.until) == (NOON - HOUR, NOON)


def test_a_start_without_an_end_is_a_moment_for_states_and_the_empty_answer_says_so() -> None:
    outcome = _sacct("-s", "F", "-S", "now-1hour", of=past.Past(()))
    assert outcome.status == 0
    assert "--endtime=now" in outcome.stderr


@pytest.mark.parametrize(("text", "since"), [
    ("midnight", NOON - 12 * HOUR), ("today", NOON - 12 * HOUR), ("08:30", NOON - 3.5 * HOUR), ("13:00", NOON - 23 * HOUR), ("1120", NOON - 36 * HOUR),
    ("2026-11-20T12:00:00", NOON - 24 * HOUR), ("now-2days", NOON - 48 * HOUR), ("11/20-12:00", NOON - 24 * HOUR)])
def test_time_words_mean_the_past(text: str, since: float) -> None:
    assert _asked("-a", "-S", text).since == since


def test_every_condition_reaches_accounting() -> None:
    asked = _asked(
        "--accounts=research,students", "--associations=2,3", "--constraints=gpu", "--duplicates", "--flags=schedmain", "--gid=0", "--name=a,b", "--nnodes=2-4",
        "--ncpus=8", "--nodelist=cn[01-02]", "--partition=debug", "--qos=high", "--reason=Dependency", "--timelimit-min=60", "--timelimit-max=2:00:00",
        "--uid=0,alice", "--wckeys=w", "--clusters=lab,old", "--allocations")
    assert asked.accounts == ["research", "students"] and asked.associations == [2, 3] and asked.constraints == ["gpu"] and asked.duplicates
    assert asked.flags == ["SchedMain"] and asked.gids == [0] and asked.names == ["a", "b"] and asked.node_counts == (2, 4) and asked.cpus == (8, 8)
    assert asked.nodes == ["cn01", "cn02"] and asked.partitions == ["debug"] and asked.qos == ["high"] and asked.reasons == ["Dependency"]
    assert asked.time_limits == (3600, 7200) and asked.uids == [0] and asked.users == ["alice"] and asked.wckeys == ["w"]
    assert asked.clusters == ["lab", "old"] and not asked.steps


def test_other_words_for_users_and_groups() -> None:
    assert _asked("--user", "alice").users == ["alice"]
    assert _asked("--group", "root").gids == [0]


def test_all_clusters_may_be_named_or_flagged() -> None:
    assert _asked("-M", "all").all_clusters and _asked("--allclusters").all_clusters and not _asked("-a").all_clusters


def test_nobody_but_root_sees_all_jobs_without_asking() -> None:
    assert _asked().uids == ([] if os.getuid() == 0 else [os.getuid()])
    assert _asked("--allusers").uids == []


def test_tasks_and_steps_may_be_asked_for() -> None:
    asked = _asked("-j", "12,13_4,14_[1-2],15.batch,16.3")
    assert asked.jobs == [(12, None, None), (13, 4, None), (14, 1, None), (14, 2, None), (15, None, -5), (16, None, 3)]


def test_options_with_lists_may_be_given_again() -> None:
    asked = _asked("-j", "12", "-j", "13_4", "-A", "a", "--accounts=b,c", "-N", "n1", "-N", "n[2-3]", environ={"SACCT_FORMAT": "user"})
    assert asked.jobs == [(12, None, None), (13, 4, None)] and asked.accounts == ["a", "b", "c"] and asked.nodes == ["n1", "n2", "n3"]
    assert _sacct("-nP", "-o", "jobid", "-o", "user", environ={"SACCT_FORMAT": "state"}).stdout == "7|alice\n"
    assert _sacct("-P", "-b", environ={"SACCT_FORMAT": "user"}).stdout.splitlines()[0] == "JobID|State|ExitCode"


def test_a_step_that_was_asked_for_stands_alone() -> None:
    row = _row(None, _step(-5), _step(0, name="srun"))
    assert _cells(row, "-j", "7.0", "-o", "jobid,jobname") == ["7.0|srun"]
    assert _cells(row, "-j", "7", "-o", "jobid") == ["7", "7.batch", "7.0"]


def test_lives_that_ended_with_a_requeue_are_found_by_that_word() -> None:
    door = past.Past((_row(_job(flags=["requeued"], state=JobState.PENDING)), _row(_job(8, state=JobState.FAILED), index=2)))
    outcome = _sacct("-a", "-s", "RQ,F", "-S", "midnight", "-E", "now", "-n", "-P", "-o", "jobid,state", of=door)
    assert outcome.stdout == "7|REQUEUED\n8|FAILED\n"
    assert [sorted(asked.flags) for asked in door.asked] == [[], ["requeued"]] and door.asked[1].duplicates


def test_jobs_that_were_never_eligible_are_shown_only_by_number() -> None:
    held = _row(_job(state=JobState.PENDING, eligible_time=0.0, start_time=0.0, end_time=0.0, allocated={}, nodes="", node_count=0))
    assert _cells(held, "-o", "jobid") == []
    assert _cells(held, "-j", "7", "-o", "jobid,start,end,eligible,elapsed,nodelist,nnodes,alloccpus") == ["7|Unknown|Unknown|Unknown|00:00:00|None assigned|1|0"]


def test_an_answer_in_parts_is_one_answer() -> None:
    many = tuple(_row(_job(number), index=number) for number in range(1, 8))
    assert _sacct("-n", "-P", "-o", "jobid", of=past.Past(many, part=3)).stdout.split() == [str(number) for number in range(1, 8)]


def test_widths_may_be_given_and_what_does_not_fit_ends_with_a_plus() -> None:
    outcome = _sacct("-o", "jobname%3,jobname%-8,start%10,elapsed%3,jobid", of=past.Past((_row(),)))
    assert outcome.stdout == (
        "Job JobName       Start Ela JobID        \n--- -------- ---------- --- ------------ \ntr+ train    2026-11-21 00:30:00 7            \n")


def test_fields_may_be_named_by_their_beginning_and_by_their_older_names() -> None:
    assert _sacct("-o", "elap,Reserved,tresusageinmaxn", "-P").stdout.splitlines()[0] == "Elapsed|Planned|TRESUsageInMaxNode"


def test_the_format_may_come_from_the_environment() -> None:
    environ = {"SACCT_FORMAT": "jobid,user", "SLURM_TIME_FORMAT": "%H:%M"}
    assert _sacct("--parsable", environ=environ).stdout == "JobID|User|\n7|alice|\n"
    assert _sacct("-P", "-n", "-o", "start,end", environ=environ).stdout == "11:00|11:30\n"


def test_parsable_output_takes_another_delimiter() -> None:
    assert _sacct("--parsable2", "--noheader", "--delimiter=,", "-o", "jobid,user").stdout == "7,alice\n"


def test_brief_and_long_add_their_fields() -> None:
    assert _sacct("--brief", "-P", "-n").stdout == "7|COMPLETED|0:0\n"
    assert _sacct("-b", "--long", "-P").stdout.splitlines()[0].startswith("JobID|State|ExitCode|JobID|JobIDRaw|JobName|")


def test_truncated_times_lie_in_the_window() -> None:
    row = _row(_job(state=JobState.RUNNING, end_time=0.0))
    cells = _cells(row, "--truncate", "-S", "11:20", "-E", "11:50", "-X", "-o", "start,end,elapsed")
    assert cells == ["2026-11-21T11:20:00|2026-11-21T11:50:00|00:30:00"]


def test_sizes_are_shown_in_the_unit_that_is_asked_for() -> None:
    row = _row(None, _step(-5, usage=Usage(taken={"mem": past.used(5 * 1024 * 1024)})))
    assert _cells(row, "-o", "reqmem,maxrss") == ["2G|", "|5M"]
    assert _cells(row, "-o", "reqmem,maxrss", "--units=K") == ["2097152K|", "|5120K"]
    assert _cells(row, "-o", "reqmem,maxrss", "--noconvert") == ["2048M|", "|5242880"]


def test_waiting_tasks_may_be_shown_one_a_line() -> None:
    row = _row(_job(array_job=JobId(7), array_tasks="3,5%2", state=JobState.PENDING, start_time=0.0, end_time=0.0))
    assert _cells(row, "-o", "jobid") == ["7_[3,5%2]"]
    assert _cells(row, "--array", "-o", "jobid") == ["7_3", "7_5"]


def test_long_lists_of_tasks_are_cut_at_the_length_that_the_environment_names() -> None:
    tasks = ",".join(map(str, range(1, 99, 3)))
    row = _row(_job(array_job=JobId(7), array_tasks=tasks, state=JobState.PENDING))
    door = past.Past((row,))
    assert len(_sacct("-n", "-P", "-o", "jobid", of=door).stdout) < 75
    assert _sacct("-n", "-P", "-o", "jobid", of=door, environ={"SLURM_BITSTR_LEN": "0"}).stdout == "7_[1-97:3]\n"


def test_file_names_are_filled_in_on_demand() -> None:
    row = _row(_job(stdout="out-%j-%x.txt", work_dir="/home/alice", stderr="/logs/%j"))
    assert _cells(row, "-o", "stdout,stderr") == ["out-%j-%x.txt|/logs/%j"]
    assert _cells(row, "--expand-patterns", "-o", "stdout,stderr") == _cells(row, "--expand-pattern", "-o", "stdout,stderr") == [
        "/home/alice/out-7-train.txt|/logs/7"]


def test_uids_may_be_those_of_this_machine() -> None:
    me = pwd.getpwuid(os.getuid())
    row = _row(msgspec.structs.replace(_job(), user=me.pw_name, uid=Uid(me.pw_uid + 1)))
    assert _cells(row, "-a", "-o", "uid") == [str(me.pw_uid + 1)]
    assert _cells(row, "-a", "--use-local-uid", "-o", "uid") == [str(me.pw_uid)]


def test_scripts_and_environments_are_printed_where_they_were_kept() -> None:
    row = _row(_job(script=Digest("aa"), environment=Digest("bb")), _step(BATCH_STEP))
    door = past.Past((row, _row(_job(8), index=2)), payloads={"aa": "#!/bin/sh\ntrue\n", "bb": "A=1\0B=2\0"})
    rule = "-" * 80
    assert _sacct("--batch-script", "-j", "7,8", of=door).stdout == f"Batch Script for 7\n{rule}\n#!/bin/sh\ntrue\n\nBatch Script for 8\n{rule}\nNONE\n\n"
    assert _sacct("--env-vars", "-j", "7", of=door).stdout == f"Environment used for 7 (must be batch to display)\n{rule}\nA=1\nB=2\n\n"


def test_everything_comes_as_json_and_yaml() -> None:
    row = _row(None, _step(BATCH_STEP, usage=Usage(user_seconds=1.5, taken={"mem": past.used(4096), "cpu": past.used(1500)})))
    report = json.loads(_sacct("--json", "-j", "7", of=past.Past((row,))).stdout)
    step = report["jobs"][0]["steps"][0]
    assert report["meta"]["slurm"]["cluster"] == "lab" and report["meta"]["command"] == ["sacct", "--json", "-j", "7"]
    assert (step["step"]["id"], step["time"]["user"]) == ("7.batch", {"seconds": 1, "microseconds": 500000})
    assert step["tres"]["requested"]["max"][0] == {"type": "cpu", "name": "", "id": 1, "count": 1500, "node": "cn01", "task": 0}
    assert _sacct("--yaml", "-j", "7").stdout.startswith("%YAML 1.1\n")


def test_lists_of_words_are_printed_without_a_cluster() -> None:
    assert len(_sacct("--helpformat").stdout.splitlines()) == 31
    assert "timeout" in _sacct("--helpstate").stdout.splitlines()
    assert "Dependency" in _sacct("--helpreason").stdout.splitlines()


def test_verbose_tells_the_window() -> None:
    outcome = _sacct("--verbose", "-s", "R", "-S", "11:00", "-E", "now")
    assert outcome.stderr.startswith("sacct: Jobs RUNNING in the time window from Sat Nov 21 11:00:00 2026 to Sat Nov 21 12:00:00 2026\n")


def test_pending_and_running_lengths_are_as_of_now() -> None:
    running = _row(_job(state=JobState.RUNNING, end_time=0.0, suspended_seconds=600.0))
    assert _cells(running, "-o", "elapsed,elapsedraw,cputime,suspended,planned,plannedcpu,end") == ["00:50:00|3000|01:40:00|00:10:00|01:00:00|02:00:00|Unknown"]


def test_who_cancelled_stands_at_what_he_cancelled() -> None:
    steps = [_step(number, state=JobState.CANCELLED, killed_by=Uid(1001)) for number in (-5, 0)]
    assert _cells(_row(_job(state=JobState.CANCELLED, killed_by=Uid(1001)), *steps), "-o", "state") == ["CANCELLED by 1001", "CANCELLED", "CANCELLED"]
    assert _cells(_row(None, *steps), "-o", "state") == ["COMPLETED", "CANCELLED by 1001", "CANCELLED by 1001"]


def test_cpu_times_of_a_job_are_those_of_its_steps() -> None:
    row = _row(None, _step(-5, usage=Usage(user_seconds=3599.0, system_seconds=0.25)), _step(0, name="srun", usage=Usage(user_seconds=90000.5)))
    assert _cells(row, "-o", "usercpu,systemcpu,totalcpu") == ["1-01:59:59|00:00.250|1-01:59:59", "00:59:59|00:00.250|59:59.250", "1-01:00:00|00:00:00|1-01:00:00"]


@pytest.mark.parametrize(("argv", "first"), [
    (["-j", "abc"], "sacct: fatal: Bad job/step specified: abc"),
    (["-j", "7.x"], "sacct: fatal: Bad step specified: 7.x"),
    (["-j", "7_x"], "sacct: fatal: Bad job array element specified: 7_x"),
    (["-s", "foo"], "sacct: fatal: unrecognized job state value 'foo'"),
    (["-S", "bogus"], "Invalid time specification (pos=0): bogus"),
    (["-o", "bogus"], 'sacct: error: Invalid field requested: "bogus"'),
    (["-i", "abc"], 'sacct: error: Invalid numeric value "abc" for requested node range.'),
    (["-I", "5-"], 'sacct: error: Invalid numeric value "5-" for requested cpu range.'),
    (["--units=Q"], "sacct: error: Invalid unit type 'Q'. Possible options are 'KMGTP'"),
    (["-S", "10:00", "-E", "09:00"], "sacct: error: Start time (2026-11-21T10:00:00) requested is after end time (2026-11-21T09:00:00)."),
    (["-g", "nosuchgroup"], "sacct: error: Invalid group id: nosuchgroup"),
    (["-F", "foo"], "sacct: error: str_2_job_flags: Invalid job flag foo"),
    (["-B"], "sacct: fatal: When requesting job scripts you must also request specific jobs with the '-j' option."),
    (["--env-vars"], "sacct: fatal: When requesting job environment you must also request specific jobs with the '-j' option."),
    (["-1"], "sacct: invalid option -- '1'"),
    (["-x"], "sacct: option requires an argument -- 'x'"),
    (["foo"], "sacct: error: Unknown arguments:"),
    (["-R", "nosuch"], "sacct: fatal: unrecognized job reason value 'nosuch'"),
    (["-k", "nosuch"], "sacct: fatal: Invalid time limit specification"),
    (["-u", "9" * 20], f"sacct: error: Invalid user id: {'9' * 20}"),
    (["-g", "9" * 20], f"sacct: error: Invalid group id: {'9' * 20}"),
    (["--whole-hetjob="], 'sacct: error: Invalid --whole-hetjob value "". Valid values: [yes|no].'),
    (["--units=nosuch"], "sacct: error: Invalid unit type 'n'. Possible options are 'KMGTP'"),
    (["-x", "two"], 'sacct: error: Invalid numeric value "two" for association id.'),
])
def test_what_is_wrong_is_said_as_slurm_says_it_and_ends_with_status_1(argv: list[str], first: str) -> None:
    outcome = _sacct(*argv)
    assert (outcome.status, outcome.stdout, outcome.stderr.splitlines()[0]) == (1, "", first)


def test_an_empty_variable_of_a_script_asks_for_nothing_more() -> None:
    assert _asked("-S", "", "-E", "", "-I", "", "-i", "") == _asked()


def test_a_user_whom_nobody_knows_is_an_error_when_nothing_was_found() -> None:
    outcome = _sacct("-u", "nobody-of-that-name", of=past.Past(()))
    assert (outcome.status, outcome.stderr.splitlines()[0]) == (1, "sacct: error: Invalid user id: nobody-of-that-name")


def test_a_cluster_without_accounting_says_so_in_words_after_which_clients_do_without() -> None:
    class Disabled(past.Past):
        def __init__(self, refusal: SlurmError) -> None:
            super().__init__()
            self._refusal = refusal

        def call(self, message: dict[str, object]) -> dict[str, object]:
            raise self._refusal

    for refusal in (Unsupported(message="Slurm accounting storage is disabled"), ProtocolError(hints=["Invalid value 'FindJobs' - at `$.type`"])):
        outcome = _sacct("-X", of=Disabled(refusal))
        assert (outcome.status, outcome.stdout) == (1, "") and any(words in outcome.stderr for words in NO_ACCOUNTING)


def test_whole_hetjob_says_whether_one_component_stands_for_all() -> None:
    rows = tuple(_row(_job(number, het_job=JobId(7), het_offset=number - 7), index=number) for number in (7, 8))

    def shown(*argv: str) -> list[str]:
        return _sacct("-P", "-n", "-X", "-o", "jobid", *argv, of=past.Past(rows)).stdout.split()

    assert shown("-j", "7") == ["7+0", "7+1"]
    assert shown("-j", "7", "--whole-hetjob=no") == ["7+0"]
    assert shown("-j", "7+1") == ["7+1"] and shown("-j", "8") == ["7+1"]
    assert shown("-j", "7+1", "--whole-hetjob") == ["7+0", "7+1"]
    assert _sacct("-j", "7", "--whole-hetjob=perhaps").stderr.startswith(
        'sacct: error: Invalid --whole-hetjob value "perhaps". Valid values: [yes|no].')


@pytest.mark.parametrize(("word", "first"), [
    ("high,nosuch", "You gave a bad qos 'nosuch'. Valid QOS's are normal,high"),
    ("+", "You gave a bad qos '+'. Valid QOS's are normal,high"),
    (",", "You gave me an empty qos list"),
])
def test_a_qos_that_accounting_does_not_know_is_an_error(word: str, first: str) -> None:
    told = _sacct("-q", word)
    assert (told.stdout, told.stderr, told.status) == ("", f"sacct: error: {first}\nsacct: fatal: problem processing qos list\n", 1)
    assert _asked("-q", "HIGH").qos == ["high"]
