"""What every contestant can do. Figures are seconds or rates, measured around the same commands that a user types."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Protocol

DEADLINE = 300.0


class Contestant(Protocol):
    """A scheduler with a cluster of its own on this machine: one node that claims 64 CPUs."""

    name: str

    def start(self) -> None: ...
    def stop(self) -> None: ...


class SlurmCommands:
    """The workloads as Slurm commands; `environment` makes them talk to the contestant's cluster."""

    name = "slurm"

    def __init__(self, environment: Mapping[str, str], work: str, prefix: str = "") -> None:
        self.environment = dict(environment)
        self.work = work
        self._prefix = prefix

    def call(self, *words: str, check: bool = True) -> str:
        """Run one command; its standard output."""
        program = os.path.join(self._prefix, words[0]) if self._prefix else words[0]
        done = subprocess.run([program, *words[1:]], env=self.environment, cwd=self.work, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(words)}: status {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def until_empty(self) -> None:
        """Wait until the queue holds nothing, outside of what is measured; raises after DEADLINE."""
        end = time.monotonic() + DEADLINE
        while self.call("squeue", "-h", "-o", "%i").strip():
            if time.monotonic() > end:
                raise RuntimeError("jobs did not end in time")
            time.sleep(0.02)

    def submit_and_wait(self, *words: str) -> str:
        """The id of a job that has ended. No process asks for it meanwhile: each would take from what the jobs are measured by."""
        return self.call("sbatch", "--parsable", "--wait", *words).strip()

    def array_of_true(self, count: int) -> float:
        """Jobs a second of an array of `true`, from submission to the last completion."""
        began = time.monotonic()
        job = self.submit_and_wait("-a", f"0-{count - 1}", "-o", "/dev/null", "--wrap", "true")
        rate = count / (time.monotonic() - began)
        completed = self.call("squeue", "-h", "-r", "-t", "completed", "-j", job, "-o", "%i").split()
        if len(completed) != count:
            raise RuntimeError(f"{len(completed)} of {count} tasks completed")
        return rate

    def one_after_another(self, count: int) -> float:
        """sbatch calls a second."""
        began = time.monotonic()
        for _ in range(count):
            self.call("sbatch", "-H", "-o", "/dev/null", "--wrap", "true")
        rate = count / (time.monotonic() - began)
        self.call("scancel", "-u", self.environment.get("USER", "root"))
        self.until_empty()
        return rate

    def empty_queue(self, times: int) -> float:
        """Seconds of one squeue on an empty queue, the median."""
        return median_of(lambda: self.call("squeue"), times)

    def big_array(self, count: int) -> float:
        """Seconds to submit one held array of `count` tasks."""
        began = time.monotonic()
        self.call("sbatch", "-H", "-a", f"0-{count - 1}", "-o", "/dev/null", "--wrap", "true")
        took = time.monotonic() - began
        self.call("scancel", "-u", self.environment.get("USER", "root"))
        self.until_empty()
        return took

    def srun(self, times: int) -> float:
        """Seconds of one `srun -n16 true`, the median."""
        return median_of(lambda: self.call("srun", "-n16", "true"), times)


def median_of(action: Callable[[], object], times: int) -> float:
    """The median duration in seconds of `action`."""
    took = []
    for _ in range(times):
        began = time.monotonic()
        action()
        took.append(time.monotonic() - began)
    return sorted(took)[len(took) // 2]
