"""slurm-py in a virtual environment on a login node of a real Slurm: its commands stand before the site's on PATH, and give way to them."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bench.real_slurm import RealSlurm
from bench.real_slurm import missing as no_real_slurm
from tests.system.harness import commands_folder

PROGRAM = """
from slurm import Cluster, task

@task(mem="100M", ntasks=2)
def rank(job) -> int:
    return job.rank

with Cluster() as cluster:
    job = rank()
    job.wait(timeout=60)
    print(type(cluster.backend).__name__, job.rank_results())
"""


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The shell of a user there."""
    if missing := no_real_slurm():
        pytest.fail(missing)
    folder = tmp_path_factory.mktemp("beside")
    real = RealSlurm()
    real.start()
    try:
        yield {**os.environ, "SLURM_CONF": f"{real.folder}/slurm.conf", "HOME": str(folder), "PATH": f"{commands_folder(folder)}:/usr/bin:/bin"}
    finally:
        real.stop()


def said(environ: Mapping[str, str], *words: str, given: str = "") -> str:
    done = subprocess.run(words, env=environ, input=given, capture_output=True, text=True, timeout=120, check=False, cwd=environ["HOME"])
    assert done.returncode == 0, done
    return done.stdout


def test_commands_of_ours_give_way_to_the_sites_own(environ: Mapping[str, str]) -> None:
    for command in ("sinfo", "sacct", "sprio"):
        assert said(environ, command, "--version").startswith("slurm-wlm ")
    job = said(environ, "sbatch", "--ntasks=2", "--parsable", "--wait", "--output=out", given="#!/bin/bash\nsrun echo ran\n").strip()
    assert Path(environ["HOME"], "out").read_text() == "ran\n" * 2
    assert said(environ, "slurm", "explain", job).startswith(f"Job {job} (sbatch, ")


def test_programs_run_on_the_sites_cluster(environ: Mapping[str, str]) -> None:
    Path(environ["HOME"], "program.py").write_text(PROGRAM)
    assert said(environ, "python", "program.py") == "CommandsBackend [0, 1]\n"


def test_its_queue_is_planned_and_explained_as_it_stands(environ: Mapping[str, str]) -> None:
    first = said(environ, "sbatch", "--exclusive", "--time=10", "--parsable", given="#!/bin/bash\nsleep 60\n").strip()
    second = said(environ, "sbatch", "--exclusive", "--time=10", "--parsable", given="#!/bin/bash\ntrue\n").strip()
    end = time.monotonic() + 30
    while said(environ, "squeue", "-h", "-o", "%i %T %r", "-j", f"{first},{second}").split() != [
            second, "PENDING", "Resources", first, "RUNNING", "None"]:
        assert time.monotonic() < end
        time.sleep(0.2)
    runs, planned = json.loads(said(environ, "slurm", "plan", "--json"))["bars"]
    assert (runs["job"], runs["planned"], planned["job"], planned["planned"]) == (first, False, second, True)
    told = said(environ, "squeue", "-h", "--start", "-o", "%S", "-j", second).strip()
    assert abs(planned["start"] - datetime.datetime.fromisoformat(told).timestamp()) <= 60, "as that Slurm expects it"
    explained = said(environ, "slurm", "explain", second)
    assert "(Resources)" in explained and f"held by job {first} until" in explained and "its own scheduler expects it to start" in explained
    said(environ, "scancel", first, second)
