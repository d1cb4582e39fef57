"""The published SDK's `slurm.cli` for programs: the command as a function, and its tables."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from slurm.cli import main
from slurm.cli.app import app
from slurm.cli.formatters import print_cluster_info, print_environments_table, print_job_details, print_jobs_table
from slurm.cli.utils import get_cluster, get_slurmfile_path, list_slurmfile_environments
from slurm.errors import SlurmfileEnvironmentNotFoundError, SlurmfileNotFoundError
from slurm.model.version import VERSION
from slurm.tui import check_textual_available

SLURMFILE = """
[default.cluster]
backend = "local"
[far.cluster]
backend = "ssh"
[far.cluster.backend_config]
hostname = "login.example.com"
"""


def test_the_command_is_a_function_that_ends_as_it_does(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for words, status in ((["--version"], 0), (["jobs", "lst"], 2)):
        with pytest.raises(SystemExit) as ended:
            app(words)
        assert ended.value.code == status
    out, err = capsys.readouterr()
    assert out == f"slurm-py {VERSION}\n" and "lst" in err
    monkeypatch.setattr(sys, "argv", ["slurm", "--version"])
    for call in (main, app):
        with pytest.raises(SystemExit) as ended:
            call()
        assert ended.value.code == 0
    assert capsys.readouterr().out == f"slurm-py {VERSION}\n" * 2


def test_the_environments_of_a_slurmfile_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "Slurmfile.toml"
    path.write_text(SLURMFILE)
    found = list_slurmfile_environments(slurmfile=str(path))
    assert found == [{"name": "default", "hostname": "", "has_hostname": False, "slurmfile": str(path)},
                     {"name": "far", "hostname": "login.example.com", "has_hostname": True, "slurmfile": str(path)}]
    assert get_slurmfile_path(str(path)) == path
    print_environments_table(found)
    title, header, default, far = capsys.readouterr().out.splitlines()
    assert (title, header.split(), default.split()[:2], far.split()[:2]) == (
        "Environments", ["NAME", "HOSTNAME", "SLURMFILE"], ["default", "(local)"], ["far", "login.example.com"])
    with pytest.raises(SlurmfileEnvironmentNotFoundError, match="default, far"):
        get_cluster(env="near", slurmfile=str(path))
    with pytest.raises(SlurmfileNotFoundError):
        list_slurmfile_environments(str(tmp_path / "none.toml"))


def test_dictionaries_of_queue_job_and_partitions_become_tables(capsys: pytest.CaptureFixture[str]) -> None:
    print_jobs_table([{"JOBID": "7", "NAME": "fit", "STATE": "RUNNING", "USER": "ada", "TIME": "0:05", "PARTITION": "debug", "NODES": "2", "REASON": "None"}])
    assert [line.split() for line in capsys.readouterr().out.splitlines()][1] == ["7", "fit", "RUNNING", "ada", "0:05", "debug", "2"]
    print_jobs_table([])
    assert capsys.readouterr().out == "No jobs in queue.\n"
    print_job_details("7", {"JobState": "FAILED", "ExitCode": "1:0", "Comment": "none that is shown"})
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["Job", "7"], ["State", "FAILED"], ["Exit", "code", "1:0"]]
    print_cluster_info("near", {"partitions": [{"PARTITION": "debug", "AVAIL": "up", "TIMELIMIT": "1:00", "NODES": nodes, "STATE": state}
                                               for nodes, state in (("3", "idle"), ("1", "down"))]})
    assert capsys.readouterr().out.splitlines()[-1].split(maxsplit=3) == ["debug", "up", "4", "3 idle, 1 down  1:00"]
    print_cluster_info("near", {})
    assert capsys.readouterr().out == "near has no partitions.\n"


def test_there_is_a_full_screen() -> None:
    check_textual_available()
