"""Wrong input gets from ours what it got from a real Slurm: standard output, standard error without our hints, exit status.

Refusals of the controller are answered here by a stand-in with the error that slurmctld raises; what is compared is how they are printed.
"""

import shlex
from pathlib import Path

import pytest

from slurm.commands import sbatch, scancel
from slurm.model.errors import InvalidRequest, NotPermitted, SlurmError
from tests.compat.transcript import find
from tests.unit.commands.world import Answer, call

MAIN = {"sbatch": sbatch.main, "scancel": scancel.main}

OURS = [
    "sbatch nosuchfile.sh", "sbatch -t bogus hello.sh", "sbatch --mem=bogus hello.sh", "sbatch --begin=bogus hello.sh",
    "sbatch --bogus hello.sh", 'sbatch --wrap "x" hello.sh', 'printf "hostname\\n" > noshebang.sh; sbatch noshebang.sh',
    'printf "" > empty.sh; sbatch empty.sh', 'printf "#!/bin/bash\\r\\nhostname\\r\\n" > dos.sh; sbatch dos.sh',
    'printf "#!/bin/bash\\n#SBATCH --bogus=1\\nhostname\\n" > badopt.sh; sbatch badopt.sh', "scancel abc", "scancel -t BOGUS",
    "scancel", "scancel -u nosuchuser", "sbatch --mail-type=BOGUS hello.sh", "sbatch --signal=BOGUS hello.sh",
    "sbatch -c 0 hello.sh", "sbatch -n -1 hello.sh", "sbatch --mem=1G --mem-per-cpu=1G hello.sh",
]  # fmt: skip

REFUSED: list[tuple[str, SlurmError]] = [
    ("sbatch -p nosuch hello.sh", InvalidRequest("ESLURM_INVALID_PARTITION_NAME", preface=["invalid partition specified: nosuch"])),
    ("sbatch -A nosuch hello.sh", InvalidRequest("ESLURM_INVALID_ACCOUNT")),
    ("sbatch -q nosuch hello.sh", InvalidRequest("ESLURM_INVALID_QOS")),
    ("sbatch --mem=9999G hello.sh", InvalidRequest(
        "ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE", preface=["Memory specification can not be satisfied"])),
    ("sbatch --gres=bogus:1 hello.sh", InvalidRequest("ESLURM_INVALID_GRES")),
    ("sbatch --gres=gpu:h100:1 -p gpu hello.sh", InvalidRequest("ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE")),
    ("sbatch -C nosuch hello.sh", InvalidRequest("ESLURM_INVALID_FEATURE")),
    ("sbatch -w nosuch hello.sh", InvalidRequest("ESLURM_INVALID_NODE_NAME")),
    ("sbatch -d bogus hello.sh", InvalidRequest("ESLURM_DEPENDENCY")),
    ("sbatch -a bogus hello.sh", InvalidRequest("ESLURM_INVALID_ARRAY")),
    ("sbatch -a 5-1 hello.sh", InvalidRequest("ESLURM_INVALID_ARRAY")),
    ("sbatch -L nosuch:1 hello.sh", InvalidRequest("ESLURM_INVALID_LICENSES")),
    ("sbatch --reservation=nosuch hello.sh", InvalidRequest("ESLURM_RESERVATION_INVALID")),
]  # fmt: skip

ACCEPTED = [
    ("sbatch -N100 hello.sh", 101), ("sbatch -n 1000 -p batch hello.sh", 102), ("sbatch -t 99-0 -p debug hello.sh", 103),
    ("sbatch --nice=bogus hello.sh", 113), ("sbatch --export=BAD hello.sh", 114), ("sbatch -D /nosuchdir hello.sh", 115),
    ("sbatch -o /nosuchdir/x.out hello.sh", 116),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hello.sh").write_text("#!/bin/bash\nhostname\n")
    monkeypatch.chdir(tmp_path)


def _recorded(command: str) -> tuple[list[str], list[str], int]:
    entry = find("errors", command)
    return list(entry.stdout), list(entry.stderr), entry.status or 0


def _ours(command: str, answers: list[Answer]) -> tuple[list[str], list[str], int]:
    written, _, last = command.rpartition("; ")
    if written:
        _, content, _, name = shlex.split(written)
        Path(name).write_bytes(content.encode().decode("unicode_escape").encode())
    program, *argv = shlex.split(last)
    done = call(MAIN[program], program, argv, answers=answers)
    return done.stdout.splitlines(), list(done.complaints), done.status


@pytest.mark.parametrize("command", OURS)
def test_what_is_wrong_before_anybody_is_asked_reads_the_same(command: str) -> None:
    assert _ours(command, []) == _recorded(command)


@pytest.mark.parametrize(("command", "failure"), REFUSED)
def test_what_the_controller_refuses_reads_the_same(command: str, failure: SlurmError) -> None:
    assert _ours(command, [failure]) == _recorded(command)


@pytest.mark.parametrize(("command", "job"), ACCEPTED)
def test_what_slurm_accepts_is_accepted(command: str, job: int) -> None:
    assert _ours(command, [{"type": "Submitted", "job_id": job}]) == _recorded(command)


def test_a_script_without_its_first_line_is_refused_from_standard_input_too() -> None:
    entry = find("submit", "echo hostname | sbatch")
    done = call(sbatch.main, "sbatch", [], stdin=b"hostname\n")
    assert (done.complaints, done.status) == (entry.stderr, entry.status)


def test_someone_elses_job_is_not_cancelled_and_the_status_tells_why() -> None:
    entry = find("errors", "scancel 1")
    error = NotPermitted("ESLURM_ACCESS_DENIED")
    done = call(scancel.main, "scancel", ["1"], answers=[{"type": "Cancelled", "refused": [["1", error.name, error.message]]}])
    assert (done.complaints, done.status) == (entry.stderr, entry.status)


def test_an_unknown_job_keeps_the_status_and_gets_one_line() -> None:
    entry = find("errors", "scancel 999999")
    done = call(scancel.main, "scancel", ["999999"], answers=[{"type": "Cancelled", "unknown": ["999999"]}])
    assert done.status == (entry.status or 0)
    assert done.stderr == "scancel: error: Kill job error on job id 999999: Invalid job id specified\n"


def test_verbose_scancel_names_what_it_ends() -> None:
    entry = find("cancel", "scancel -v 151")
    done = call(scancel.main, "scancel", ["-v", "151"], answers=[{"type": "Cancelled", "done": ["151"]}])
    assert (done.complaints, done.status) == (entry.stderr, 0)
