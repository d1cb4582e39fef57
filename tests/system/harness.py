"""A real cluster for tests: an embedded one in a folder of its own, driven through the commands as a user drives it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil

COMMANDS = ("sbatch", "srun", "salloc", "squeue", "sinfo", "scancel", "scontrol", "sbcast", "sgather", "scrontab", "sattach", "strigger", "slurm")
WAIT_SECONDS = 30.0
SOURCE = str(Path(__file__).resolve().parents[2] / "src")


class Result(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str


def gate(name: str) -> str:
    """Shell that waits in a job's working folder until `Cluster.open_gate` is called with this name."""
    return f"until [ -e {name}.gate ]; do sleep 0.1; done"


def commands_folder(tmp: Path) -> Path:
    """Where the commands are: installed beside this interpreter, or written into `tmp` for a run from the sources."""
    beside = Path(sys.executable).parent
    if all((beside / name).exists() for name in COMMANDS):
        return beside
    folder = tmp / "bin"
    folder.mkdir(exist_ok=True)
    for name in COMMANDS:
        script = folder / name
        script.write_text(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {SOURCE!r})\nfrom slurm.commands.{name} import main\nsys.exit(main())\n")
        script.chmod(0o755)
    return folder


class Cluster:
    """An embedded cluster below `root`; `work` is where jobs are submitted from."""

    def __init__(self, root: Path, *flags: str, environment: dict[str, str] | None = None) -> None:
        self.root = root
        self.work = root / "work"
        self.work.mkdir(parents=True)
        self.flags = flags
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH", "SRUN", "SQUEUE", "SINFO"))}
        self.environment = {
            **kept, "XDG_STATE_HOME": str(root), "PYTHONPATH": SOURCE, "SLURM_PY_INSTANCE": "test",
            "PATH": f"{commands_folder(root)}{os.pathsep}{os.environ['PATH']}", **(environment or {})}

    @property
    def folder(self) -> Path:
        """The instance's folder."""
        return self.root / "slurm" / "test"

    def run(self, *words: str, timeout: float = 60.0, stdin: str | None = None, env: dict[str, str] | None = None) -> Result:
        """Run a command to its end."""
        done = subprocess.run(
            words, cwd=self.work, env={**self.environment, **(env or {})}, capture_output=True, text=True, timeout=timeout, check=False,
            input=stdin)
        return Result(done.returncode, done.stdout, done.stderr)

    def ok(self, *words: str, timeout: float = 60.0, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
        """Run a command that must succeed; its output."""
        result = self.run(*words, timeout=timeout, stdin=stdin, env=env)
        assert result.status == 0, f"{' '.join(words)}: {result}\n{self.logs()}"
        return result.out

    def spawn(self, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            words, cwd=self.work, env={**self.environment, **(env or {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def up(self, **env: str) -> None:
        """slurm up; `env` reaches the daemons."""
        self.ok("slurm", "up", *self.flags, env=env)

    def sbatch(self, *words: str, env: dict[str, str] | None = None) -> str:
        """Submit; the job id."""
        return self.ok("sbatch", "--parsable", *words, env=env).strip()

    def finish(self, *words: str, env: dict[str, str] | None = None, stdin: str | None = None) -> tuple[str, int]:
        """Submit and wait for the end (`sbatch -W`): the job id and what -W exited with."""
        result = self.run("sbatch", "--parsable", "-W", *words, env=env, stdin=stdin)
        job = result.out.strip()
        assert job.isdigit(), f"{result}\n{self.logs()}"
        return job, result.status

    def show(self, job: str) -> dict[str, str]:
        """scontrol show job as KEY → value; values with blanks only where they stand last on a line."""
        found: dict[str, str] = {}
        for line in self.ok("scontrol", "show", "job", job).splitlines():
            for name, value in re.findall(r"(\S+?)=((?:(?!\s+\S+?=).)*)", line.strip()):
                found.setdefault(name, value)
        return found

    def script(self, name: str, text: str) -> str:
        """A file in the work folder; its name."""
        path = self.work / name
        path.write_text(text)
        path.chmod(0o755)
        return name

    def open_gate(self, name: str) -> None:
        """Let the jobs go on that wait at a `gate`."""
        (self.work / f"{name}.gate").touch()

    def states(self, *ids: str) -> dict[str, str]:
        """Job id as shown → state of every job the controller remembers, array tasks singly."""
        words = ["squeue", "-h", "-r", "-t", "all", "-o", "%i %T"]
        if ids:
            words += ["-j", ",".join(ids)]
        return dict(line.split() for line in self.ok(*words).splitlines())

    def state(self, job: str) -> str:
        """The state of one job."""
        return self.states(job)[job]

    def field(self, job: str, name: str) -> str:
        """The value of NAME=… in scontrol show job."""
        text = self.ok("scontrol", "-o", "show", "job", job)
        return next(word.partition("=")[2] for word in text.split() if word.startswith(f"{name}="))

    def until(self, what: Callable[[], object], *, seconds: float = WAIT_SECONDS, why: str = "") -> None:
        """Wait until `what` is true; the failure shows what was last seen and the logs."""
        began = time.monotonic()
        seen: object = None
        while (waited := time.monotonic() - began) < seconds:
            seen = what()
            if seen:
                return
            time.sleep(min(max(0.05, waited / 10), 0.5))  # often a command is asked, which takes a processor from the tests beside this one
        raise AssertionError(f"{why or 'it did not happen'} within {seconds} s; last seen {seen!r}; {self.run('squeue', '-t', 'all')}\n{self.logs()}")

    def until_state(self, job: str, *wanted: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait until a job is in one of these states."""
        self.until(lambda: self.state(job) in wanted, seconds=seconds, why=f"job {job} was not {' or '.join(wanted)}")

    def until_ended(self, *ids: str, seconds: float = WAIT_SECONDS) -> dict[str, str]:
        """Wait until these jobs have ended for good; their states."""
        waiting = ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED")
        self.until(lambda: all(state not in waiting for state in self.states(*ids).values()), seconds=seconds, why=f"{ids} did not end")
        return self.states(*ids)

    def output(self, name: str) -> str:
        """A file in the work folder."""
        return (self.work / name).read_text()

    def pid(self, daemon: str) -> int:
        """The process of `slurmctld` or `slurmd-cn01`."""
        return int((self.folder / "run" / f"{daemon}.pid").read_text())

    def kill(self, daemon: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a daemon and, for SIGKILL, wait until it is gone."""
        pid = self.pid(daemon)
        os.kill(pid, number)
        if number == signal.SIGKILL:
            self.until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, why=f"{daemon} lives")

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to this cluster: daemons, stepds, and what they started."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid != os.getpid() and self._owns(process):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, FileNotFoundError):
                continue
        return found

    def _owns(self, process: psutil.Process) -> bool:
        ours = str(self.folder)
        words = process.cmdline()
        # setproctitle overwrites the environment that the kernel shows; a stepd still stands in its step's folder.
        if process.environ().get("SLURM_CONF", "").startswith(ours) or any(ours in word for word in words) or process.cwd().startswith(ours):
            return True
        # Daemons stand in / and are known by what they keep open: log, lock, journal.
        return bool(words) and words[0].startswith("slurm") and any(file.path.startswith(ours) for file in process.open_files())

    def stepds(self, job: str = "") -> list[psutil.Process]:
        """The slurmstepds of this cluster, or of one job."""
        found = []
        for process in self.processes():
            try:
                title = process.cmdline()[:1]
            except psutil.NoSuchProcess:
                continue
            if any(word.startswith(f"slurmstepd: [{job}") for word in title):
                found.append(process)
        return found

    def logs(self) -> str:
        """The last lines of each daemon's log."""
        parts = []
        for path in sorted(self.folder.glob("log/*.log")):
            parts.append(f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-25:]))
        return "\n".join(parts)

    def close(self) -> None:
        """slurm down, then nothing may be left: no process, no traceback in a log."""
        self.run("slurm", "down", timeout=90)
        try:
            self.until(lambda: not self.processes(), seconds=10, why=f"processes are left: {self.processes()}")
            for path in self.folder.glob("log/*.log"):
                assert "Traceback" not in path.read_text(errors="replace"), f"{path.name}:\n{path.read_text(errors='replace')[-4000:]}"
        finally:
            for process in self.processes():
                process.kill()
            shutil.rmtree(self.root, ignore_errors=True)
