"""HyperQueue as a contestant: its PyPI package brings a server and a worker as a library; the worker claims 64 CPUs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile

# The library's cluster lives in the process that made it, so the contest is held in one of its own.
CONTEST = """
import os, sys, time
from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig
count = int(sys.argv[1])
with LocalCluster(os.path.abspath("server"), WorkerConfig(cores=64)) as cluster:
    client = cluster.client()
    began = time.monotonic()
    job = Job()
    for _ in range(count):
        job.program(["bash", "-c", "true"], stdout=None, stderr=None)
    client.wait_for_jobs([client.submit(job)])
    print(count / (time.monotonic() - began))
"""


def missing() -> str:
    """What is not installed, "" when it is there."""
    return "" if importlib.util.find_spec("hyperqueue") else "not installed (pip install hyperqueue)"


class HyperQueue:
    """HyperQueue's local cluster, by its Python library; it keeps no journal, so a crash of its server loses the queue."""

    name = "HyperQueue"

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="bench-hq-")

    def start(self) -> None:
        """Nothing waits: each contest brings its own cluster, whose start is not measured."""
        os.makedirs(os.path.join(self.folder, "server"), exist_ok=True)

    def stop(self) -> None:
        """Remove what it wrote."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def array_of_true(self, count: int) -> float:
        """Jobs a second of `count` tasks `bash -c true`, from submission to the last completion."""
        done = subprocess.run([sys.executable, "-c", CONTEST, str(count)], cwd=self.folder, capture_output=True, text=True, timeout=300, check=True)
        return float(done.stdout.split()[-1])
