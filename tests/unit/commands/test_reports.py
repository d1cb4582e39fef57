"""squeue and sinfo as commands: what they ask for, how they take options and variables, how they end."""

import io
import json
import re
from typing import Any

import pytest

from slurm.commands import report, sinfo, squeue
from slurm.commands.shell import Shell, connect, day_and_time
from slurm.model.ids import JobId, NodeName
from slurm.model.states import NodeState
from slurm.options.resolve import resolve
from tests.compat import lab


def _squeue(*argv: str, **fields: Any) -> lab.Outcome:
    return lab.run(squeue.main, ["squeue", *argv], **fields)


def _sinfo(*argv: str, **fields: Any) -> lab.Outcome:
    return lab.run(sinfo.main, ["sinfo", *argv], **fields)


def test_variables_stand_for_options_and_options_win() -> None:
    environ = {"SQUEUE_FORMAT": "%i %u", "SQUEUE_PARTITION": "gpu", "SQUEUE_STATES": "running"}
    assert _squeue("-h", environ=environ).stdout == "93 alice\n"
    assert _squeue("-h", "-o", "%i", "-p", "batch", environ=environ).stdout == "87\n"


@pytest.mark.parametrize("argv", [["-j", "86"], ["-j86"], ["--jobs=86"], ["--job", "86"], ["-h", "-j", "86", "-t", "all"]])
def test_ids_may_stand_in_the_next_word(argv: list[str]) -> None:
    assert "train" in _squeue(*argv).stdout and "sweep" not in _squeue(*argv).stdout


def test_steps_take_ids_like_jobs() -> None:
    assert [line.split()[0] for line in _squeue("-h", "-s", "86.batch,93.batch").stdout.splitlines()] == ["86.batch", "93.batch"]
    assert len(_squeue("-h", "--steps").stdout.splitlines()) == 8


def test_words_that_mean_nothing_are_refused() -> None:
    outcome = _squeue("hello")
    assert (outcome.status, outcome.stderr) == (1, "squeue: error: Unrecognized option: hello\n")


def test_an_option_that_does_not_exist_ends_with_status_1_and_a_hint() -> None:
    outcome = _squeue("--formatt=%i")
    assert outcome.status == 1
    assert outcome.stderr.splitlines()[0] == "squeue: unrecognized option '--formatt=%i'"
    assert "--format" in outcome.stderr.splitlines()[-1]


def test_a_user_whom_nobody_knows_is_told_of_and_has_no_jobs() -> None:
    outcome = _squeue("-h", "-o", "%i", "-u", "root,nobody-of-that-name")
    assert (outcome.status, outcome.stdout) == (0, _squeue("-h", "-o", "%i", "-u", "root").stdout)
    assert outcome.stderr == "squeue: error: Invalid user: nobody-of-that-name\n"


@pytest.mark.parametrize("option", ["-j", "-u", "-t", "-p", "-A", "-n", "-w", "-q"])
def test_a_list_with_nothing_in_it_lets_nothing_through(option: str) -> None:
    outcome = _squeue("-h", option, "")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "", "")


def test_sinfo_shows_no_nodes_of_an_empty_list_and_no_line_of_an_empty_list_of_partitions() -> None:
    assert {line.split()[3] for line in _sinfo("-h", "-n", "").stdout.splitlines()} == {"0"}
    assert _sinfo("-h", "-t", "").stdout == _sinfo("-h", "-n", "").stdout and _sinfo("-h", "-p", "").stdout == ""


def test_a_node_that_does_not_exist_is_refused() -> None:
    outcome = _squeue("-w", "cn01,nosuch")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (1, "", "squeue: error: Invalid node name nosuch\n")


@pytest.mark.parametrize(("ids", "shown"), [
    ("88_3,88_5,88_6", ["88_[3,5-6]"]), ("88_4", ["88_4"]), ("88_1,88_7", ["88_1", "88_7"]), ("88_[9-11]", ["88_[9-11]"]), ("88_900", [])])
def test_of_an_array_that_waits_only_the_tasks_that_are_named_are_shown(ids: str, shown: list[str]) -> None:
    assert sorted(_squeue("-h", "-o", "%i", "-j", ids).stdout.split()) == sorted(shown)
    assert _squeue("-h", "-r", "-o", "%i", "-j", "88_4,88_5").stdout.split() == ["88_4", "88_5"]


BOTH = {"SQUEUE_FORMAT": "%i", "SQUEUE_FORMAT2": "jobid,name"}


@pytest.mark.parametrize(("argv", "environ", "header"), [
    ([], BOTH, "JOBID"),
    (["-o", "%j"], {"SQUEUE_FORMAT2": "jobid"}, "NAME"),
    (["-O", "name:4"], {"SQUEUE_FORMAT": "%i"}, "NAME"),
    (["-l"], BOTH, "JOBID PARTITION NAME USER STATE TIME TIME_LIMI NODES NODELIST(REASON)"),
    (["--start"], BOTH, "JOBID PARTITION NAME USER ST START_TIME NODES SCHEDNODES NODELIST(REASON)"),
    (["-s"], BOTH, "STEPID NAME PARTITION USER TIME NODELIST"),
])
def test_what_the_command_line_says_of_a_format_goes_before_variables(argv: list[str], environ: dict[str, str], header: str) -> None:
    lines = _squeue(*argv, environ=environ).stdout.splitlines()
    assert " ".join(lines[1 if argv == ["-l"] else 0].split()) == header


@pytest.mark.parametrize(("argv", "header"), [
    (["-s"], "PARTITION AVAIL TIMELIMIT NODES(A/I/O/T) NODELIST"), (["-N"], "NODELIST NODES PARTITION STATE"),
    (["-R"], "REASON USER TIMESTAMP NODELIST"), (["-R", "-N"], "NODELIST NODES PARTITION STATE"), ([], "PARTITION")])
def test_sinfo_options_with_a_format_of_their_own_go_before_its_variable(argv: list[str], header: str) -> None:
    assert " ".join(_sinfo(*argv, environ={"SINFO_FORMAT": "%P"}).stdout.splitlines()[0].split()) == header


def test_two_formats_at_once_are_refused() -> None:
    long = "fatal: Options -o(--format) and -l(--long) are mutually exclusive. Please remove one and retry.\n"
    for outcome, text in ((_squeue("-l", "-o", "%i"), f"squeue: {long}"), (_sinfo("-l", "-O", "nodelist"), f"sinfo: {long}"),
                          (_squeue("-o", "%i", "-O", "jobid"), "squeue: error: -O (--Format) is incompatible with -o (--format)\n")):
        assert (outcome.status, outcome.stdout, outcome.stderr) == (1, "", text)


def test_a_letter_that_is_no_field_stands_in_the_line_as_it_was_written() -> None:
    outcome = _squeue("-j", "86", "-o", "x%5!y|%i")
    assert outcome.stdout.splitlines() == ["x%5!y|JOBID", "x%5!y|86"]
    assert outcome.stderr.startswith("squeue: error: Invalid job format specification: !\n")
    assert _squeue("-s", "-O", "steptype").stderr.startswith("squeue: error: Invalid job step format specification: steptype\n")
    node = _sinfo("-o", "x%qy")
    assert node.stdout.splitlines() == ["x%qy", "x%qy"] and node.stderr.startswith("Invalid node format specification: q\n")


def test_the_default_partition_keeps_its_star_where_its_name_is_cut() -> None:
    assert _sinfo("-h", "-o", "%.4P|").stdout.splitlines() == ["deb*|", "batc|", " gpu|"]
    assert _sinfo("-h", "-O", "partition:5").stdout.splitlines()[0] == "debu*"


def test_states_may_be_letters_in_any_case() -> None:
    assert _squeue("-h", "-o", "%i", "-t", "r,cg", "-p", "gpu").stdout == _squeue("-h", "-o", "%i", "-t", "RUNNING", "-p", "gpu").stdout == "93\n"


def test_jobs_of_others_are_what_is_left_without_ones_own() -> None:
    everything = set(_squeue("-h", "-a", "-o", "%i", user="alice").stdout.split())
    own = set(_squeue("-h", "-a", "-o", "%i", "--me", user="alice").stdout.split())
    assert own and set(_squeue("-h", "-a", "-o", "%i", "--notme", user="alice").stdout.split()) == everything - own


def test_running_jobs_are_parted_by_how_long_they_have_run() -> None:
    running = set(_squeue("-h", "-a", "-t", "R", "-o", "%i").stdout.split())
    longer = set(_squeue("-h", "-a", "--running-over=0:20", "-o", "%i").stdout.split())
    shorter = set(_squeue("-h", "-a", "--running-under=0:20", "-o", "%i").stdout.split())
    assert longer and shorter and not longer & shorter and longer | shorter <= running


def test_states_and_fields_are_listed_without_asking_anybody() -> None:
    assert "RUNNING" in _squeue("--helpstate").stdout.upper().split()
    assert "IDLE" in _sinfo("--helpstate").stdout.upper().split()
    assert _squeue("--helpformat").stdout == _squeue("--helpFormat").stdout
    assert _sinfo("--helpformat").stdout == _sinfo("--helpFormat").stdout


def test_jobs_that_hold_licences_are_none_where_there_are_none() -> None:
    assert _squeue("-h", "--licenses", "matlab").stdout == ""


def test_only_ids_and_states_are_shown_on_request() -> None:
    assert [line.split() for line in _squeue("-h", "--only-job-state", "-j", "86,93").stdout.splitlines()] == [["86", "R"], ["93", "R"]]


def test_nodes_of_the_future_are_counted_on_request() -> None:
    view = lab.view()
    view.nodes[NodeName("cn02")].state = NodeState.FUTURE
    assert "cn02" not in _sinfo("-h", "-N", "-o", "%N", of=view).stdout.split()
    assert "cn02" in _sinfo("-h", "-N", "-o", "%N", "--future", of=view).stdout.split()


@pytest.mark.parametrize("call", [_squeue, _sinfo])
def test_hide_takes_back_all(call: Any) -> None:
    assert call("-h", "--all", "--hide").stdout == call("-h").stdout


def test_an_unknown_field_is_named_with_the_nearest_and_the_others_are_shown() -> None:
    outcome = _squeue("-h", "-j", "86", "-O", "jobid:4,statee:4,name:5")
    assert outcome.stdout == "86  train\n"
    assert outcome.stderr == "squeue: error: Invalid job format specification: statee\nsqueue: hint: did you mean State?\n"


def test_help_format_lists_names_without_asking_anybody() -> None:
    assert _squeue("--helpFormat").stdout.startswith("Account             AccrueTime")
    assert _sinfo("--helpFormat").stdout.split()[:2] == ["AllocMem", "AllocNodes"]


def test_variables_choose_how_ids_and_times_are_written() -> None:
    view = lab.view()
    part = view.jobs[JobId(88)].array_part
    assert part is not None
    part.ranges = [(number, number, 1) for number in range(1, 300, 7)]
    part.ranges[3] = (23, 23, 1)
    words = ["-h", "-j", "88", "-t", "PD", "-o", "%K"]
    assert "..." in _squeue(*words, of=view).stdout
    assert "..." not in _squeue(*words, of=view, environ={"SLURM_BITSTR_LEN": "0"}).stdout
    assert _squeue("-h", "-j", "86", "-o", "%S", environ={"SLURM_TIME_FORMAT": "%Y"}).stdout == "2026\n"


def test_noconvert_leaves_sizes_in_megabytes() -> None:
    assert _squeue("-h", "-j", "93", "-o", "%m").stdout == "16G\n"
    assert _squeue("-h", "-j", "93", "-o", "%m", "--noconvert").stdout == "16384M\n"


def test_json_keeps_the_filter() -> None:
    found = json.loads(_squeue("--json", "-u", "bob").stdout)
    assert [job["job_id"] for job in found["jobs"]] == [87, 97]
    assert _squeue("--json", "-j", "999999").status == 1


def test_iterating_repeats_until_interrupted() -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            raise KeyboardInterrupt

    assert resolve("squeue", ["--iterate=7"], {}).number("iterate") == 7
    view = lab.view()
    shell = Shell("squeue", [], {}, io.BytesIO(), io.StringIO(), io.StringIO(), connect=lambda environ: lab.Answering(view, lab.CALLERS["root"]))
    asked: list[object] = []

    def body(channel: object) -> int:
        asked.append(channel)
        return 0

    with pytest.raises(KeyboardInterrupt):
        report.repeatedly(shell, 7, body, nap)
    assert naps == [7, 7] and len(asked) == 2 and asked[0] is asked[1]


def test_sinfo_says_which_states_there_are() -> None:
    outcome = _sinfo("-t", "bogus")
    assert outcome.status == 1
    assert outcome.stderr.splitlines()[0] == 'sinfo: error: Bad state string: "bogus"'


def test_sinfo_filters_by_what_variables_say() -> None:
    assert _sinfo("-h", "-o", "%P", environ={"SINFO_PARTITION": "gpu"}).stdout == "gpu\n"


def test_reservations_have_a_table_with_and_without_header() -> None:
    assert _sinfo("-T").stdout.splitlines() == ["RESV_NAME     STATE           START_TIME             END_TIME     DURATION  NODELIST", *_sinfo("-h", "-T").stdout.splitlines()]


def test_a_controller_that_is_not_there_is_said_with_what_to_do() -> None:
    errors = io.StringIO()
    shell = Shell("squeue", [], {"SLURM_CONF": "/nonexistent/slurm.conf"}, io.BytesIO(), io.StringIO(), errors, connect=connect)
    assert squeue.main(shell) == 1
    assert errors.getvalue().startswith("squeue: error: ")


def test_all_fields_of_sinfo_come_without_a_complaint() -> None:
    shown = _sinfo("-O", "all")
    assert shown.stdout.startswith("AVAIL|ACTIVE_FEATURES|CPUS|") and shown.stderr == ""


def test_only_job_state_shows_the_columns_that_are_asked_for() -> None:
    assert _squeue("--only-job-state", "-h", "-j", "86", "-o", "%i|%T").stdout == "86|RUNNING\n"
    assert _squeue("--only-job-state", "-h", "-j", "86", "--Format=JobID:|,State:|").stdout == "86|RUNNING|\n"
    assert _squeue("--only-job-state", "-h", "-j", "86").stdout.split() == ["86", "R"]


def test_a_moment_of_the_past_is_asked_for_as_one_and_what_is_none_is_refused() -> None:
    asked: list[dict[str, Any]] = []

    class Listening:
        def call(self, message: dict[str, Any]) -> dict[str, Any]:
            asked.append(message)
            return {"type": "Rows", "rows": []}

        def close(self) -> None:
            """Nothing is open."""

    def run(*argv: str) -> Shell:
        shell = Shell("squeue", argv, {}, io.BytesIO(), io.StringIO(), io.StringIO(), connect=lambda environ: Listening(),  # type: ignore[arg-type, return-value]
                      now=lambda: 1_000_000.0)
        assert (squeue.main(shell) == 0) == (not shell.stderr.getvalue())  # type: ignore[attr-defined]
        return shell

    run("--at=now-1hour")
    run()
    assert asked[0]["at"] == 1_000_000.0 - 3600 and "at" not in asked[1]
    assert "Invalid time specification: never" in run("--at=never").stderr.getvalue()  # type: ignore[attr-defined]
    assert "not supported by slurm-py yet" in run("--at=now-1hour", "--json").stderr.getvalue()  # type: ignore[attr-defined]


def test_days_of_the_month_have_two_digits_over_reports() -> None:
    assert re.fullmatch("[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} [0-9]{4}", day_and_time(1796085497.0))
    assert day_and_time(1796085497.0).split()[2] in ("30", "01")  # the day by any time zone
