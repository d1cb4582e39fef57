"""The commands that jobs find: first on PATH, and again after a login shell or conda has set PATH anew."""

import os
import subprocess
from pathlib import Path

import pytest

from slurm.slurmd import job_commands
from slurm.slurmd.stepd import path


@pytest.fixture
def folder(tmp_path: Path) -> str:
    commands = tmp_path / "venv's" / "bin"
    commands.mkdir(parents=True)
    for name in ("srun", "sbatch", "python"):
        (commands / name).write_text(f"#!/bin/sh\necho ours {name}\n")
        (commands / name).chmod(0o755)
    return job_commands.make(str(tmp_path / "spool of cn01"), (str(commands / "python"),))


def bash(script: str, environment: dict[str, str], *flags: str) -> list[str]:
    done = subprocess.run(["bash", *flags, "-c", script], env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_folder_holds_the_commands_and_no_python_and_making_it_again_changes_nothing(folder: str, tmp_path: Path) -> None:
    assert sorted(os.listdir(folder)) == ["bash-env", "sbatch", "srun"]
    assert job_commands.make(str(tmp_path / "spool of cn01"), (str(tmp_path / "venv's" / "bin" / "python"),)) == folder
    assert job_commands.make(str(tmp_path / "spool"), (str(tmp_path / "nowhere"),)) == ""


def test_commands_that_every_shell_finds_need_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_commands, "_EVERYWHERE", (str(tmp_path),))
    (tmp_path / "srun").touch()
    assert job_commands.make(str(tmp_path / "spool"), (str(tmp_path / "python"),)) == ""


@pytest.mark.parametrize("script", [
    "srun", "PATH=/opt/conda/bin:$PATH; export PATH; srun", "PATH=/usr/bin:/bin; bash -c srun", "exec srun", "set -u; srun"])
def test_srun_is_found_in_a_login_shell_and_after_path_was_changed(folder: str, script: str) -> None:
    environment = path.first({"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}, folder)
    for flags in ((), ("-l",)):
        assert bash(script, environment, *flags)[-1] == "ours srun"


def test_a_bash_env_of_the_jobs_own_is_read_too_and_the_shells_below_do_not_add_up(folder: str, tmp_path: Path) -> None:
    own = tmp_path / "own.sh"
    own.write_text("MINE=1\n")
    environment = path.first({"PATH": "/usr/bin:/bin", "BASH_ENV": "$PLACE/own.sh", "PLACE": str(tmp_path)}, folder)
    again = path.first({**environment, "PATH": f"/other/spool/slurm-commands:{environment['PATH']}"}, folder)
    assert again == environment
    assert bash("echo $MINE; bash -c 'bash -c \"echo \\$PATH\"'", environment) == ["1", f"{folder}:/usr/bin:/bin"]


def test_an_environment_that_was_asked_to_be_empty_stays_so(folder: str) -> None:
    assert path.first({"X": "1"}, folder) == {"X": "1"}
    assert path.first({"PATH": "/bin"}, "") == {"PATH": "/bin"}
