"""`python -m bench.scale`: how slurmctld grows with its nodes. Light nodes (slurm.testing.light_nodes) speak the real protocol and start nothing.

For each number of nodes: a registration of all at once, heartbeats of a cluster at rest, an array of jobs that end at once, and the same registration
after kill -9 of slurmctld. Processor time is slurmctld's and its children's, from /proc; the nodes' own process is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
import uvloop

from slurm.testing.light_nodes import LightNodes

CONF = """ClusterName=scale
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/local
SlurmUser={user}
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
MaxJobCount=2000000
MaxArraySize=1000001
ReturnToService=2
NodeName=n[1-{nodes}] NodeAddr=127.0.0.1 CPUs=64 Sockets=2 CoresPerSocket=32 RealMemory=256000
PartitionName=p Nodes=ALL Default=YES MaxTime=INFINITE
"""
PORT = 16819
REST_SECONDS = 30.0


class Row(NamedTuple):
    """What was measured with so many nodes; seconds, milliseconds of slurmctld's processor time, MB that it holds."""

    nodes: int
    registered: float
    registration_ms: float
    rest_percent: float
    jobs_second: float
    job_ms: float
    back: float
    megabytes: float


class Scale:
    """A slurmctld below `folder` with so many light nodes."""

    def __init__(self, folder: Path, nodes: int, jobs: int) -> None:
        self.folder, self.count, self.jobs = folder, nodes, jobs
        self.conf = folder / "slurm.conf"
        self.conf.write_text(CONF.format(port=PORT, folder=folder, nodes=nodes, user=os.environ.get("USER", "root")))
        self.environment = {**os.environ, "SLURM_CONF": str(self.conf)}
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Start slurmctld; returns when its socket is there and it answers."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "slurm.slurmctld", "-D", "-f", str(self.conf)], stderr=subprocess.DEVNULL, env=self.environment)
        deadline = time.monotonic() + 300
        while self._command("scontrol", "ping", check=False).returncode != 0:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"slurmctld did not start: {(self.folder / 'slurmctld.log').read_text()[-2000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def _command(self, name: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        program = os.path.join(os.path.dirname(sys.executable), name)
        return subprocess.run([program, *words], env=self.environment, capture_output=True, text=True, check=check)

    def _processor_seconds(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system + times.children_user + times.children_system

    async def _all_come(self, nodes: LightNodes) -> tuple[float, float]:
        before, began = self._processor_seconds(), time.monotonic()
        await nodes.registered()
        return time.monotonic() - began, 1000 * (self._processor_seconds() - before) / self.count

    async def _array(self, nodes: LightNodes) -> tuple[float, float]:
        """Jobs a second of an array whose tasks end at once, and slurmctld's milliseconds each."""
        before, began = self._processor_seconds(), time.monotonic()
        await asyncio.to_thread(self._command, "sbatch", "-a", f"1-{self.jobs}", "-n1", "--mem=10", "-o", "/dev/null", "--wrap", "true")
        while sum(node.launched for node in nodes.nodes) < self.jobs or any(node.running for node in nodes.nodes):
            await asyncio.sleep(0.02)
        took = time.monotonic() - began
        return self.jobs / took, 1000 * (self._processor_seconds() - before) / self.jobs

    async def measure(self, rest_seconds: float = REST_SECONDS) -> Row:
        """All of it."""
        nodes = LightNodes(str(self.conf))
        nodes.start()
        registered, registration_ms = await self._all_come(nodes)
        await asyncio.sleep(rest_seconds / 10)
        before = self._processor_seconds()
        await asyncio.sleep(rest_seconds)
        rest = self._processor_seconds() - before
        rate, job_ms = await self._array(nodes)
        megabytes = psutil.Process(self.process.pid).memory_info().rss / 1e6
        self.stop()
        while any(node.accepted.is_set() for node in nodes.nodes):
            await asyncio.sleep(0.05)
        await asyncio.to_thread(self.start)
        back, _ = await self._all_come(nodes)
        await nodes.close()
        return Row(self.count, registered, registration_ms, 100 * rest / rest_seconds, rate, job_ms, back, megabytes)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--jobs", type=int, default=5_000)
    given = parser.parse_args(argv)
    logging.getLogger("light_nodes").setLevel(logging.ERROR)  # thousands that cannot connect while slurmctld is away
    print("| nodes | all registered, s | ms of processor each | at rest, % of a core | jobs/s | ms of processor a job | after kill -9 all back, s | MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for count in given.nodes:
        with tempfile.TemporaryDirectory(prefix="slurm-bench-") as folder:
            scale = Scale(Path(folder), count, given.jobs)
            scale.start()
            try:
                row = uvloop.run(scale.measure())
            finally:
                scale.stop()
        print(f"| {row.nodes:,} | {row.registered:.1f} | {row.registration_ms:.2f} | {row.rest_percent:.1f} | {row.jobs_second:.0f} | {row.job_ms:.2f} "
              f"| {row.back:.1f} | {row.megabytes:.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
