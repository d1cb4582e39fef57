"""bash, zsh and fish complete command lines: options, their words, and what the cluster has; a cluster that does not answer holds nobody up."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.system import completing

CASES = [
    ("sbatch --part", "--partition"), ("sbatch -p ", "debug"), ("sbatch --partition=d", "debug"), ("sbatch -p debug,g", "debug,gpu"),
    ("scancel 1", "12"), ("squeue -u ", "bob"), ("sinfo -t dra", "drained"), ("squeue -O jobid", "JobId"), ("sbatch --account=phy", "physics"),
    ("sbatch -C ", "fast"), ("scontrol sh", "show"), ("scontrol show job ", "13"), ("scontrol update jobid=12 timel", "TimeLimit"),
    ("scontrol update nodename=cn01 state=dra", "DRAIN"), ("scontrol -M x show part", "partition"), ("sacctmgr add us", "user"),
    ("sacctmgr modify qos set GrpTRESM", "GrpTRESMins"), ("sreport cluster Utili", "Utilization"), ("slurm exp", "explain"), ("slurm jobs can", "cancel"),
    ("slurm jobs logs --foll", "--follow"), ("slurm jobs logs ", "12"), ("slurmctld --vers", "--version"),
]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return completing.programs(tmp_path / "bin")


@pytest.mark.parametrize(("line", "offered"), CASES)
def test_bash_offers(environ: dict[str, str], line: str, offered: str) -> None:
    assert offered in [one.rstrip("=") for one in completing.bash(line, environ)]


@pytest.mark.parametrize(("line", "offered"), CASES)
def test_fish_offers(environ: dict[str, str], line: str, offered: str) -> None:
    assert offered in [one.rstrip("=").rpartition("=")[2] for one in completing.fish(line, environ)]


def test_zsh_offers(environ: dict[str, str]) -> None:
    for line, offered in (CASES[0], CASES[1], CASES[3], CASES[4], CASES[13], CASES[20]):
        completing.expect_of_zsh(line, offered, environ)


def test_what_is_typed_narrows_what_is_offered(environ: dict[str, str]) -> None:
    assert completing.bash("sbatch -p de", environ) == ["debug"]
    assert completing.bash("scontrol show job 9", environ) == [""]


def test_an_option_that_is_refused_is_not_offered(environ: dict[str, str]) -> None:
    assert completing.bash("sbatch --bb", environ) == [""]


def test_a_cluster_that_does_not_answer_is_waited_for_a_second(tmp_path: Path) -> None:
    environ = completing.programs(tmp_path / "bin", {"sinfo": "exec sleep 60"})
    began = time.monotonic()
    assert completing.bash("sbatch -p ", environ) == [""]
    assert time.monotonic() - began < 5


def test_mandoc_and_groff_find_nothing_wrong_with_a_page() -> None:
    pages = sorted(map(str, (completing.COMPLETION.parent / "man").rglob("*.?")))
    assert len(pages) > 40
    said = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True, check=False, timeout=60)
    assert said.stdout + said.stderr == ""
    said = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", *pages], capture_output=True, text=True, check=False, timeout=60)
    assert said.stderr == ""
