"""slurm-py as a contestant: an embedded cluster in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bench.contestant import DEADLINE, SlurmCommands

SETTLE = 2.0
"""Seconds after the last record, in which what has arrived is dropped from the outbox."""
MAP = """
import sys, time
from slurm import Cluster
from slurm.decorators import task
@task(time="00:10:00", mem="200M", packaging="none")
def same(number):
    return number
if __name__ == "__main__":
    with Cluster(backend_type="local", job_base_dir="jobs"):
        began = time.monotonic()
        found = same.map(list(range(int(sys.argv[1])))).get_results()
        print(time.monotonic() - began)
    assert found == list(range(int(sys.argv[1])))
"""
"""A program that both Python SDKs run as it stands."""


class SlurmPy(SlurmCommands):
    """The slurm-py of the interpreter that runs the bench."""

    name = "slurm-py"
    python = sys.executable

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="bench-slurm-py-")
        environment = {**os.environ, "XDG_STATE_HOME": self.folder, "USER": os.environ.get("USER", "root")}
        environment.pop("SLURM_CONF", None)
        environment["SLURM_PY_INSTANCE"] = "bench"
        self.prefix = _programs()
        super().__init__(environment, self.folder, self.prefix)

    def start(self) -> None:
        """slurm up."""
        self.call("slurm", "up", "--nodes", "1", "--cpus", "64", "--memory", "64G")

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU of slurmctld and, where there is one, slurmdbd since they began."""
        found = {}
        for daemon in ("slurmctld", "slurmdbd"):
            for file in Path(self.folder).rglob(f"{daemon}.pid"):
                with suppress(OSError):
                    words = Path(f"/proc/{int(file.read_text())}/stat").read_text().rpartition(")")[2].split()
                    found[daemon] = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        return found

    def map(self, count: int) -> float:
        """Seconds of a `map` of empty tasks from Python, from its call to the last result."""
        with open(os.path.join(self.folder, "program.py"), "w", encoding="utf-8") as file:
            file.write(MAP)
        return float(self.call(self.python, "program.py", str(count)))

    def until_recorded(self, count: int) -> None:
        """Wait until the database has so many completed jobs; raises after DEADLINE."""
        end = time.monotonic() + DEADLINE
        while len(self.call("sacct", "-n", "-X", "-S", "now-1days", "-E", "now", "-s", "completed", "-o", "jobid").split()) < count:
            if time.monotonic() > end:
                raise RuntimeError("jobs were not recorded in time")
            time.sleep(0.5)

    def stop(self) -> None:
        """slurm down, and nothing is left."""
        self.call("slurm", "down", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class Unrecorded(SlurmPy):
    """The same without accounting: its slurmctld is started anew with a slurm.conf that names none, its slurmdbd not at all."""

    name = "unrecorded"

    def start(self) -> None:
        """slurm up, and both daemons change places."""
        super().start()
        conf = next(str(found) for found in Path(self.folder).rglob("slurm.conf"))
        with open(conf, encoding="utf-8") as file:
            text = file.read()
        with open(conf, "w", encoding="utf-8") as file:
            file.write(text.replace("AccountingStorageType=accounting_storage/slurmdbd", "AccountingStorageType=accounting_storage/none"))
        run = os.path.join(os.path.dirname(conf), "run")
        for daemon in ("slurmctld", "slurmdbd"):
            with open(os.path.join(run, f"{daemon}.pid"), encoding="utf-8") as file:
                pid = int(file.read())
            os.kill(pid, signal.SIGTERM)
            while os.path.exists(f"/proc/{pid}"):
                time.sleep(0.02)
        self.call(self.python, "-m", "slurm.slurmctld", "-f", conf)
        while "idle" not in self.call("sinfo", "-h", "-o", "%T"):
            time.sleep(0.05)


class Rounds(NamedTuple):
    """Medians of several rounds: jobs a second, and CPU milliseconds a job by daemon, until what was recorded is in the database."""

    rate: float
    cpu: dict[str, float]


def recording(rounds: int, size: int) -> dict[str, Rounds]:
    """An array of `true` with and without accounting, in rounds that take turns."""
    kinds: dict[str, type[SlurmPy]] = {"recorded": SlurmPy, "unrecorded": Unrecorded}
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    cpus: dict[str, list[dict[str, float]]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, kind in kinds.items():
            one = kind()
            try:
                one.start()
                one.array_of_true(20)
                before = one.cpu()
                rates[name].append(one.array_of_true(size))
                if name == "recorded":
                    one.until_recorded(20 + size)
                time.sleep(SETTLE)
                cpus[name].append({daemon: 1e3 * (one.cpu()[daemon] - seconds) / size for daemon, seconds in before.items()})
            finally:
                one.stop()
    return {name: Rounds(statistics.median(rates[name]), {
        daemon: statistics.median(each[daemon] for each in cpus[name]) for daemon in cpus[name][0]}) for name in kinds}


def _programs() -> str:
    """The folder with our commands: this interpreter's, or where `slurm` is on PATH. Real Slurm has commands of the same names, but no `slurm`."""
    for folder in (os.path.dirname(sys.executable), os.path.dirname(shutil.which("slurm") or "")):
        if folder and os.path.exists(os.path.join(folder, "slurm")):
            return folder
    raise RuntimeError("slurm-py is not installed for this Python: pip install .")
