"""sbatch: what it sends, what it prints, how it exits."""

import os
from pathlib import Path

import msgspec
import pytest

from slurm.commands.sbatch import main
from slurm.model.errors import InvalidRequest, NotFound, Unreachable
from slurm.wire import messages
from tests.unit.commands.world import Answer, Call, call

SUBMITTED: Answer = {"type": "Submitted", "job_id": 57}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hello.sh").write_text("#!/bin/bash\n#SBATCH -t 5 -p debug\nhostname\n")
    monkeypatch.chdir(tmp_path)


def sbatch(*argv: str, **world: object) -> Call:
    return call(main, "sbatch", argv, **{"answers": [SUBMITTED], **world})  # type: ignore[arg-type]


def test_a_script_is_submitted_and_its_number_printed() -> None:
    done = sbatch("-n4", "hello.sh", "30", "-x")
    assert (done.status, done.stdout, done.stderr) == (0, "Submitted batch job 57\n", "")
    [message] = done.sent
    submit = msgspec.convert(message, messages.SubmitJob)
    assert submit.request.name == "hello.sh"
    assert submit.request.command == f"{os.getcwd()}/hello.sh"
    assert submit.request.work_dir == os.getcwd()
    assert submit.request.submit_line == "sbatch -n4 hello.sh 30 -x"
    assert (submit.request.ntasks, submit.request.time_limit, submit.request.partition) == (4, 300, "debug")
    assert submit.request.rlimits["nofile"] != 0
    assert submit.payload.argv == ["30", "-x"]
    assert submit.payload.script.endswith("hostname\n")


def test_parsable_prints_just_the_number_and_quiet_nothing() -> None:
    assert sbatch("--parsable", "hello.sh").stdout == "57\n"
    assert sbatch("-Q", "hello.sh").stdout == ""


def test_a_folder_of_the_output_that_is_not_there_is_told_once_and_patterns_are_left_to_the_node() -> None:
    warning = f"sbatch: warning: the folder {os.getcwd()}/gone of --output does not exist: if it is not there when the job starts, the job fails\n"
    assert sbatch("-o", "gone/x", "-e", "gone/y", "hello.sh").stderr == warning
    assert sbatch("-Q", "-o", "gone/x", "hello.sh").stderr == ""
    assert sbatch("-o", "%j/x", "-e", "here", "hello.sh").stderr == ""
    assert "gone of --error " in sbatch("-e", "/nowhere/gone/y", "hello.sh").stderr


def test_a_wrapped_command_becomes_a_script_without_a_file() -> None:
    [message] = sbatch("-N1", "-n4", "--wrap", "sleep 300").sent
    submit = msgspec.convert(message, messages.SubmitJob)
    assert submit.request.name == "wrap"
    assert submit.request.command == ""
    assert submit.request.submit_line == "sbatch -N1 -n4 --wrap sleep 300"
    assert submit.payload.script == "#!/bin/sh\n# This script was created by sbatch --wrap.\n\nsleep 300\n"


def test_directives_in_a_wrapped_command_are_no_directives() -> None:
    [message] = sbatch("--wrap", "#SBATCH -n9").sent
    assert msgspec.convert(message, messages.SubmitJob).request.ntasks == 0


def test_a_script_may_come_from_standard_input() -> None:
    [message] = sbatch(stdin=b"#!/bin/sh\n#SBATCH -J piped\ntrue\n").sent
    submit = msgspec.convert(message, messages.SubmitJob)
    assert (submit.request.name, submit.request.command) == ("piped", "")
    [message] = sbatch(stdin=b"#!/bin/sh\ntrue\n").sent
    assert msgspec.convert(message, messages.SubmitJob).request.name == "sbatch"


def test_a_bare_name_is_looked_for_on_the_path(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "train"
    script.write_text("#!/bin/sh\ntrue\n")
    script.chmod(0o755)
    [message] = sbatch("train", environ={"PATH": f"/nowhere:{folder}"}).sent
    assert msgspec.convert(message, messages.SubmitJob).request.command == str(script)


def test_the_environment_goes_with_the_job_as_export_says() -> None:
    environ = {"PATH": "/bin", "A": "1", "B": "2", "SLURM_CONF": "/etc/slurm.conf"}
    [everything] = sbatch("hello.sh", environ=environ).sent
    chosen = msgspec.convert(everything, messages.SubmitJob).payload.environment
    assert environ.items() <= chosen.items()
    assert chosen["SLURM_SUBMIT_DIR"] == os.getcwd()
    assert "SLURM_EXPORT_ENV" not in chosen
    [some] = sbatch("--export=A,C=3", "hello.sh", environ=environ).sent
    submit = msgspec.convert(some, messages.SubmitJob)
    assert submit.payload.environment.items() >= {"A": "1", "C": "3", "SLURM_EXPORT_ENV": "A,C=3"}.items()
    assert "B" not in submit.payload.environment
    assert submit.request.export_env == "A,C=3"


def test_what_describes_the_job_around_is_not_passed_on() -> None:
    environ = {"SLURM_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3", "SLURM_NTASKS": "4", "SLURM_CONF": "/c", "X": "y"}
    [message] = sbatch("hello.sh", environ=environ).sent
    chosen = msgspec.convert(message, messages.SubmitJob).payload.environment
    assert {name for name in chosen if name.startswith("SLURM_")} == {
        "SLURM_CONF", "SLURM_SUBMIT_DIR", "SLURM_SUBMIT_HOST", "SLURM_PRIO_PROCESS",
    }  # fmt: skip


def test_variables_that_are_no_text_stay_behind() -> None:
    [message] = sbatch("hello.sh", environ={"GOOD": "é", "BAD": "\udcff"}).sent
    chosen = msgspec.convert(message, messages.SubmitJob).payload.environment
    assert "GOOD" in chosen
    assert "BAD" not in chosen


def test_more_variables_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "more").write_bytes(b"A=1\0B=two words\0")
    [message] = sbatch("--export-file=more", "hello.sh", environ={"X": "y"}).sent
    chosen = msgspec.convert(message, messages.SubmitJob).payload.environment
    assert (chosen["A"], chosen["B"]) == ("1", "two words")
    assert "X" not in chosen
    assert sbatch("--export-file=none", "hello.sh").status == 1


def test_hosts_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("cn[01-02]  # the first two\ncn04,\n")
    for argv in (["-F", "hosts"], ["-w", "./hosts"]):
        [message] = sbatch(*argv, "hello.sh").sent
        assert msgspec.convert(message, messages.SubmitJob).request.nodelist == "cn[01-02],cn04"
    assert sbatch("-F", "nohosts", "hello.sh").status == 255


def test_propagate_chooses_the_limits_and_umask_may_be_set() -> None:
    [message] = sbatch("--propagate=NOFILE", "hello.sh", environ={"SLURM_UMASK": "0077"}).sent
    request = msgspec.convert(message, messages.SubmitJob).request
    assert list(request.rlimits) == ["nofile"]
    assert request.umask == 0o077
    [message] = sbatch("--propagate=NONE", "hello.sh").sent
    assert msgspec.convert(message, messages.SubmitJob).request.rlimits == {}


def test_warnings_of_the_controller_go_to_standard_error() -> None:
    done = sbatch("hello.sh", answers=[{"type": "Submitted", "job_id": 1, "warnings": ["it can never start: 4 nodes are there"]}])
    assert done.stdout == "Submitted batch job 1\n"
    assert done.stderr == "sbatch: warning: it can never start: 4 nodes are there\n"


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        ({"state": "COMPLETED", "exit_status": 0}, 0),
        ({"state": "FAILED", "exit_status": 7 << 8}, 7),
        ({"state": "FAILED", "exit_status": 9}, 1),
        ({"state": "CANCELLED", "exit_status": 0}, 1),
        ({"state": "TIMEOUT", "exit_status": 15}, 1),
    ],
)
def test_wait_exits_as_the_job_did(ended: dict[str, object], status: int) -> None:
    done = sbatch("-W", "hello.sh", answers=[SUBMITTED, {"type": "JobEnded", "job_id": 57, **ended}])
    assert done.status == status
    assert done.stdout == "Submitted batch job 57\n"
    assert done.sent[1] == {"type": "WaitJob", "job_id": 57}


def test_wait_looks_for_the_controller_again_when_it_goes() -> None:
    ended: Answer = {"type": "JobEnded", "job_id": 57, "state": "COMPLETED"}
    done = sbatch("-W", "hello.sh", answers=[SUBMITTED, Unreachable(), ended])
    assert done.status == 0
    assert [message["type"] for message in done.sent] == ["SubmitJob", "WaitJob", "WaitJob"]


def test_test_only_tells_when_it_would_start() -> None:
    answer: Answer = {"type": "WillRun", "job_id": 61, "start": 1795222023.0, "processors": 1, "nodes": "cn01", "partition": "debug"}
    done = sbatch("--test-only", "hello.sh", answers=[answer])
    assert (done.status, done.stdout) == (0, "")
    assert done.stderr.startswith("sbatch: Job 61 to start at 20")
    assert done.stderr.endswith(" a using 1 processors on nodes cn01 in partition debug\n")
    refused = sbatch("--test-only", "hello.sh", answers=[NotFound("ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE", hints=["too large"])])
    assert refused.status == 1
    assert refused.complaints == ("sbatch: error: allocation failure: Requested node configuration is not available",)


def test_refusals_of_the_controller_carry_their_hints() -> None:
    preface = ["invalid partition specified: nosuch"]
    failure = InvalidRequest("ESLURM_INVALID_PARTITION_NAME", preface=preface, hints=["partitions: debug, gpu"])
    done = sbatch("-p", "nosuch", "hello.sh", answers=[failure])
    assert done.status == 1
    assert done.stderr.splitlines() == [
        "sbatch: error: invalid partition specified: nosuch",
        "sbatch: error: Batch job submission failed: Invalid partition name specified",
        "sbatch: hint: partitions: debug, gpu",
    ]


def test_without_a_cluster_that_is_said() -> None:
    done = sbatch("hello.sh", answers=[])
    assert (done.status, done.stderr) == (1, "sbatch: error: no cluster here\n")


def test_the_exit_code_of_errors_can_be_chosen() -> None:
    assert sbatch("-t", "soon", "hello.sh", environ={"SLURM_EXIT_ERROR": "42"}).status == 42
    assert sbatch("hello.sh", answers=[], environ={"SLURM_EXIT_ERROR": "42"}).status == 42


def test_verbose_lists_the_options_in_force() -> None:
    assert sbatch("-v", "-n2", "hello.sh").stderr.splitlines() == [
        "sbatch: defined options",
        "sbatch: -------------------- --------------------",
        "sbatch: ntasks              : 2",
        "sbatch: partition           : debug",
        "sbatch: time                : 5",
        "sbatch: verbose             : 1",
        "sbatch: -------------------- --------------------",
        "sbatch: end of defined options",
    ]


def test_help_usage_and_version_need_neither_script_nor_cluster() -> None:
    assert sbatch("--version", answers=[]).stdout == "slurm 26.05.0\n"
    assert "--ntasks-per-node" in sbatch("--help", answers=[]).stdout
    assert sbatch("--usage", answers=[]).stdout.startswith("Usage: sbatch")


def test_a_script_of_unreadable_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.sh").write_bytes(b"#!/bin/sh\necho \xe9\n")
    done = sbatch("latin.sh")
    assert done.status == 1
    assert "line 2 holds the byte 0xe9" in done.stderr


def test_a_misspelled_file_gets_its_neighbour_proposed() -> None:
    assert "sbatch: hint: did you mean hello.sh?" in sbatch("helo.sh").stderr


def test_arguments_of_unreadable_bytes_are_refused() -> None:
    done = sbatch("hello.sh", "caf\udce9")
    assert (done.status, done.complaints) == (1, ("sbatch: error: the argument b'caf\\xe9' is not UTF-8 text",))


def test_more_nodes_named_than_asked_for_are_refused_in_slurms_words() -> None:
    done = sbatch("-N1", "-w", "cn[01-02]", "hello.sh")
    assert (done.status, done.stderr.splitlines()[0], done.sent) == (1, "sbatch: error: invalid number of nodes (-N 2-1)", [])


def test_a_heterogeneous_job_is_one_request() -> None:
    done = sbatch("-n1", "-J", "het", ":", "-n2", "-p", "batch", "hello.sh", "word")
    [sent] = done.sent
    assert (done.status, sent["type"]) == (0, "SubmitJob")
    assert [(one["ntasks"], one["name"], one.get("partition")) for one in (sent["request"], *sent["components"])] == [
        (1, "het", "debug"), (2, "het", "batch")]
    assert sent["payload"]["argv"] == ["word"]


def test_when_a_heterogeneous_job_would_start_is_not_told_yet() -> None:
    done = sbatch("--test-only", "-n1", ":", "-n2", "hello.sh")
    assert (done.status, done.sent) == (1, [])
    assert done.stderr.startswith("sbatch: error: --test-only of a heterogeneous job is not supported by slurm-py yet")


def test_root_submits_as_somebody_else_and_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    sent = sbatch("--uid=nobody", "--gid=100", "--wrap", "true", answers=[{"type": "Submitted", "job_id": 1}]).sent[0]
    assert (sent["user"], sent["group"]) == ("nobody", "100")
    for option in ("uid", "gid"):
        unknown = sbatch(f"--{option}=nosuch", "--wrap", "true", answers=[])
        assert (unknown.status, unknown.complaints[0]) == (255, f"sbatch: error: Invalid --{option} specification")
    monkeypatch.setattr("os.geteuid", lambda: 1001)
    refused = sbatch("--uid=nobody", "--wrap", "true", answers=[])
    assert (refused.status, refused.complaints) == (1, ("sbatch: error: --uid only permitted by root user",))


def test_a_begin_behind_the_deadline_is_refused_before_anybody_is_asked() -> None:
    done = sbatch("-b", "now+2hours", "--deadline=now+1hour", "--wrap", "true", answers=[])
    assert (done.status, done.complaints[0]) == (1, "sbatch: error: Incompatible begin and deadline time specification")
