"""scancel: which jobs its words mean, what it asks, what it says."""

import os
import pwd
from pathlib import Path

import msgspec
import pytest

from slurm.commands.scancel import main
from slurm.wire import messages
from tests.unit.commands.world import Answer, Call, call

NOTHING: Answer = {"type": "Cancelled"}
ME = pwd.getpwuid(os.getuid()).pw_name


def scancel(*argv: str, **world: object) -> Call:
    return call(main, "scancel", argv, **{"answers": [NOTHING], **world})  # type: ignore[arg-type]


def asked(*argv: str, **world: object) -> messages.CancelJobs:
    done = scancel(*argv, **world)
    assert done.status == 0, done.stderr
    return msgspec.convert(done.sent[-1], messages.CancelJobs)


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (["12"], messages.JobFilter(ids=["12"])),
        (["12", "13_4", "14.0"], messages.JobFilter(ids=["12", "13_4", "14.0"])),
        (["151_[50-99]"], messages.JobFilter(ids=["151_[50-99]"])),
        (["151_[1-3,7],12"], messages.JobFilter(ids=["151_[1-3,7]", "12"])),
        (["-u", ME, "-t", "PENDING"], messages.JobFilter(users=[ME], states=["pending"])),
        (["-u", str(os.getuid())], messages.JobFilter(users=[ME])),
        (["--name=sim"], messages.JobFilter(names=["sim"])),
        (["--jobname=sim"], messages.JobFilter(names=["sim"])),
        (["-p", "gpu", "--state=R,suspended"], messages.JobFilter(partitions=["gpu"], states=["running", "suspended"])),
        (["--me"], messages.JobFilter(mine=True)),
        (["-A", "research", "-R", "r", "--wckey=k"], messages.JobFilter(accounts=["research"], reservations=["r"], wckeys=["k"])),
        (["-w", "cn[01-02]"], messages.JobFilter(nodes=["cn01", "cn02"])),
        (["12", "-q", "high"], messages.JobFilter(ids=["12"], qos=["high"])),
        (["-q", "high"], messages.JobFilter(qos=["high"])),
    ],
)
def test_words_and_filters_say_which_jobs(argv: list[str], wanted: messages.JobFilter) -> None:
    assert asked(*argv).filter == wanted


def test_filters_may_stand_in_the_environment() -> None:
    assert asked("12", environ={"SCANCEL_PARTITION": "gpu"}).filter == messages.JobFilter(ids=["12"], partitions=["gpu"])


def test_q_with_only_job_ids_is_quiet_as_scripts_mean_it() -> None:
    done = scancel("-q", "150", "151_3", answers=[{"type": "Cancelled", "unknown": ["150"]}])
    assert (done.status, done.stderr) == (0, "")
    assert msgspec.convert(done.sent[0], messages.CancelJobs).filter == messages.JobFilter(ids=["150", "151_3"])


def test_a_number_behind_q_is_a_qos_when_other_filters_are_there() -> None:
    assert asked("-q", "150", "-p", "gpu").filter == messages.JobFilter(qos=["150"], partitions=["gpu"])


def test_a_signal_is_sent_by_name_or_number() -> None:
    assert asked("-s", "USR1", "149").signal == 10
    assert asked("--signal=SIGTERM", "-b", "149") == messages.CancelJobs(filter=messages.JobFilter(ids=["149"]), signal=15, batch=True)
    assert asked("-s", "9", "-f", "149").full


def test_an_unknown_signal_is_refused() -> None:
    done = scancel("-s", "BOGUS", "1", answers=[])
    assert (done.status, done.complaints) == (1, ("Unknown job signal: BOGUS",))


def test_every_state_of_a_job_is_one_that_scancel_takes() -> None:
    assert [scancel("-t", word).sent[0]["filter"] for word in ("CG", "completed", "S")] == [
        {"states": ["completing"]}, {"states": ["completed"]}, {"states": ["suspended"]}]


def test_what_is_wrong_with_a_filter_is_said_before_that_no_job_is_named() -> None:
    first = {argv: (done.status, done.stderr.splitlines()[0]) for argv in ("--signal=nosuch", "--signal=", "--state=", "--user=")
             for done in (scancel(argv),)}
    assert first == {
        "--signal=nosuch": (1, "Unknown job signal: nosuch"), "--signal=": (1, "Unknown job signal: "),
        "--state=": (1, "Invalid job state specified: "), "--user=": (1, "scancel: error: Invalid user name: ")}


def test_a_misspelled_state_gets_the_right_one_proposed() -> None:
    assert scancel("--state=SUSPAND").stderr.endswith("scancel: hint: did you mean SUSPENDED?\n")


def test_jobs_that_have_ended_are_told_but_are_no_failure() -> None:
    ended: Answer = {"type": "Cancelled", "refused": [["5", "ESLURM_ALREADY_DONE", "Job/step already completed"]]}
    done = scancel("5", answers=[ended])
    assert (done.status, done.stderr) == (0, "scancel: error: Kill job error on job id 5: Job/step already completed\n")
    assert scancel("-Q", "5", answers=[ended]).stderr == ""


def test_a_refused_step_is_called_a_step() -> None:
    refused: Answer = {"type": "Cancelled", "refused": [["5.0", "ESLURM_ACCESS_DENIED", "Access/permission denied"]]}
    assert scancel("5.0", answers=[refused]).stderr == "scancel: error: Kill job error on step id 5.0: Access/permission denied\n"


def test_verbose_tells_signals_and_steps_apart() -> None:
    answer: Answer = {"type": "Cancelled", "done": ["5", "6.0"]}
    assert scancel("-v", "5", "6.0", answers=[answer]).stderr == "scancel: Terminating job 5\nscancel: Terminating step 6.0\n"
    assert scancel("-v", "-s", "USR1", "5", answers=[{"type": "Cancelled", "done": ["5"]}]).stderr == "scancel: Signal 10 to job 5\n"


def test_interactive_asks_for_each_job_and_cancels_those_with_a_yes() -> None:
    rows: Answer = {"type": "Rows", "rows": [["12", "a", "debug"], ["13_[1-3%2]", "b", "gpu"], ["14", "c", "gpu"]]}
    done = scancel("-i", "--me", answers=[rows, NOTHING], stdin=b"n\ny\n")
    assert done.stdout.startswith("Cancel job_id=12 name=a partition=debug [y/n]? ")
    assert msgspec.convert(done.sent[1], messages.CancelJobs).filter.ids == ["13_[1-3%2]"]
    assert len(scancel("-i", "--me", answers=[rows, NOTHING], stdin=b"n\nn\nn\n").sent) == 1


def test_hosts_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("cn[01-03]\n")
    assert asked("-w", str(tmp_path / "hosts")).filter.nodes == ["cn01", "cn02", "cn03"]


def test_a_wrong_option_ends_with_status_1() -> None:
    assert scancel("--bogus", "1").status == 1
    assert scancel("--sibling=other", "1").complaints == ("scancel: error: --sibling is not supported by slurm-py yet: there are no federations",)


@pytest.mark.parametrize(("words", "status"), [
    (("999",), 0), (("999_1",), 0), (("-s", "KILL", "999"), 1), (("-Q", "-s", "KILL", "999"), 1), (("--batch", "999"), 1), (("--full", "999"), 0),
    (("999.0",), 225)])
def test_a_signal_that_finds_nobody_has_failed_and_an_end_that_finds_nobody_has_not(words: tuple[str, ...], status: int) -> None:
    assert scancel(*words, answers=[{"type": "Cancelled", "unknown": [words[-1]]}]).status == status


def test_a_remark_for_the_record_is_sent() -> None:
    done = scancel("--admin-comment=fills the disk", "1", answers=[NOTHING])
    assert msgspec.convert(done.sent[0], messages.CancelJobs).admin_comment == "fills the disk"
    assert msgspec.convert(scancel("--cron", "1", answers=[NOTHING]).sent[0], messages.CancelJobs).cron
