"""The short form of every workload of `make bench`: it runs, its jobs complete, and it leaves nothing. Speed is not looked at here.

Only slurm-py takes part: the contest with real Slurm and HyperQueue, which have to be installed, is `make bench`.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path

from bench.__main__ import WORKLOADS
from tests.system.harness import Cluster

ROOT = Path(__file__).resolve().parents[2]


class BenchHome(Cluster):
    """Where the bench makes its folders; a process that has to do with them is one it left."""

    @property
    def folder(self) -> Path:
        return self.root / "t"


def test_every_workload_of_the_bench_runs_and_leaves_nothing(tmp_path: Path) -> None:
    place = BenchHome(tmp_path / "c")
    place.folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--short", "--ours"], cwd=ROOT, env={**place.environment, "TMPDIR": str(place.folder)}, capture_output=True,
        text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for workload in WORKLOADS:
        assert re.search(re.escape(workload.title) + r"\s+\d+(\.\d+ s| /s)", done.stdout), f"no figure for {workload.title}:\n{done.stdout}"
    assert re.search(r"python3 -c pass\s+0\.\d+ s", done.stdout) and f"slurm-py ran on CPython {platform.python_version()}" in done.stdout
    assert not list(place.folder.iterdir()), "the bench removes its cluster"
    place.close()
