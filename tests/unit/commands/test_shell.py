"""What all commands share: how errors are printed and which exit status they give."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slurm.commands.shell import Shell, run
from slurm.model.errors import NotPermitted, SlurmError
from slurm.options.errors import OptionError, UsageError
from tests.unit.commands.world import Call, call

SRC = Path(__file__).resolve().parents[3] / "src"


def failing(failure: BaseException, usage_code: int = 255, **environ: str) -> Call:
    def body(shell: Shell) -> int:
        raise failure

    return call(lambda shell: run(shell, body, usage_code=usage_code), "squeue", [], environ=environ)


@pytest.mark.parametrize(
    ("failure", "status", "lines"),
    [
        (UsageError("invalid option -- '1'", hints=["x"]), 255,
         ["squeue: invalid option -- '1'", 'Try "squeue --help" for more information', "squeue: hint: x"]),
        (OptionError("Invalid --x specification", before=["above"], hints=["x"]), 255,
         ["above", "squeue: error: Invalid --x specification", "squeue: hint: x"]),
        (OptionError("a and b are exclusive", exit_code=1, fatal=True), 1, ["squeue: fatal: a and b are exclusive"]),
        (OptionError("Valid are: a", exit_code=1, bare=True), 1, ["Valid are: a"]),
        (NotPermitted(preface=["first"], hints=["ask"]), 1,
         ["squeue: error: first", "squeue: error: Access/permission denied", "squeue: hint: ask"]),
        (KeyboardInterrupt(), 130, []),
    ],
)  # fmt: skip
def test_an_error_becomes_lines_and_a_status(failure: BaseException, status: int, lines: list[str]) -> None:
    done = failing(failure)
    assert (done.status, done.stderr.splitlines()) == (status, lines)


def test_a_command_may_have_its_own_status_for_wrong_options() -> None:
    assert failing(UsageError("x"), usage_code=1).status == 1


def test_the_status_of_errors_can_be_chosen_by_variable() -> None:
    assert failing(SlurmError(), SLURM_EXIT_ERROR="7").status == 7
    assert failing(SlurmError(), SLURM_EXIT_ERROR="many").status == 1


def started(module: str, *argv: str) -> list[str]:
    return [sys.executable, "-c", f"import sys\nfrom slurm.commands.{module} import main\nsys.argv[1:] = {list(argv)}\nsys.exit(main())"]


@pytest.mark.parametrize(("module", "argv"), [("sbatch", ["--help"]), ("slurm", ["jobs", "list", "--json"]), ("slurm", ["status", "--bogus", "--json"])])
def test_a_full_disk_behind_standard_output_is_told_in_one_line(module: str, argv: list[str], tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(started(module, *argv), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                              env={**os.environ, "PYTHONPATH": str(SRC), "XDG_STATE_HOME": str(tmp_path)})
    assert (done.returncode, done.stderr) == (1, f"{module}: error: standard output cannot be written: No space left on device\n")


@pytest.mark.parametrize(("module", "argv", "status"), [("squeue", ["--version"], 0), ("slurm", ["--help"], 0), ("slurm", ["bogus"], 2)])
def test_streams_that_are_closed_need_not_be_there(module: str, argv: list[str], status: int) -> None:
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(["bash", "-c", f'"$@" {closed}', "bash", *started(module, *argv)], capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": str(SRC)}, timeout=60, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_letter_that_the_locale_lacks_is_written_as_its_number(encoding: str) -> None:
    code = "from slurm.commands.shell import Shell\nshell = Shell.of_process('squeue')\nshell.out('caf\\u00e9 \\u65e5')\nshell.stdout.flush()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False,
                          env={**os.environ, "PYTHONPATH": str(SRC), "PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (b"caf\\xe9" if encoding == "ascii" else b"caf\xe9") + b" \\u65e5\n"


def test_a_reader_that_goes_away_ends_the_command_without_a_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    code = "import sys\nfrom slurm.commands.sbatch import main\nsys.argv[1:] = ['--help']\nsys.exit(main())"
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, env=environment, timeout=60, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")
