"""`subprocess`: each job is a process of this machine, no cluster needed. For tests and for trying things out.

Dependencies, arrays, time limits and exit codes count; resources do not: as many jobs run at once as there are processors.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from slurm.notation import duration
from slurm.sdk.backends.disk import OWN_IDS, SharedDisk, outputs
from slurm.sdk.backends.polling import Poll
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.errors import NO_OUTPUT, BackendError, SubmissionError
from slurm.sdk.following.status import UNKNOWN, Status
from slurm.sdk.options import several_tasks

SHORTEST, LONGEST = 0.01, 0.1


class _Waiting(NamedTuple):
    job: str
    path: str
    variables: dict[str, str]
    after: tuple[str, ...]
    folder: str
    out: str
    err: str
    seconds: float
    start: float
    mode: str


class _Running(NamedTuple):
    process: subprocess.Popen[bytes]
    deadline: float


class SubprocessBackend(SharedDisk):
    """Jobs as processes; they end with this process's `close`."""

    name = "subprocess"

    def __init__(self, environ: Mapping[str, str] | None = None, processes: int = 0) -> None:
        self._environ = os.environ if environ is None else environ
        self._most = processes or os.cpu_count() or 1
        self._lock = threading.RLock()
        self._waiting: list[_Waiting] = []
        self._running: dict[str, _Running] = {}
        self._status: dict[str, Status] = {}
        poll = Poll(self.states, SHORTEST, LONGEST)
        self.changes, self.wake = poll.changes, poll.wake

    def submit(self, script: str, path: str, options: Mapping[str, str | None], array: Sequence[int] = (), limit: int = 0) -> str:
        """Queue a process for the job, or one for each element."""
        if several_tasks(options):
            raise SubmissionError("the subprocess backend makes one process a job: several tasks (ntasks, nodes) take a cluster with "
                                  "srun, such as the one that "
                                  "Cluster() starts", metadata={"path": path})
        name = str(next(OWN_IDS))
        after = _targets(options.get("dependency") or "", path)
        allowed = options.get("time")
        seconds = float(duration.parse(allowed) or -1) if allowed else -1.0
        files = JobFiles.of(path)
        written = outputs(options, self.around(), path)
        mode = "ab" if options.get("open_mode") == "append" else "wb"
        start = _moment(options.get("begin") or "", path)
        with self._lock:
            for index in array or (None,):
                job = name if index is None else f"{name}_{index}"
                variables = {"SLURM_JOB_ID": name, "SLURM_JOB_NAME": options.get("job_name") or "",
                    "SLURM_NTASKS": options.get("ntasks") or "1",
                             "SLURM_SUBMIT_DIR": self.around().folder}
                if index is not None:
                    variables |= {"SLURM_ARRAY_JOB_ID": name, "SLURM_ARRAY_TASK_ID": str(index), "SLURM_ARRAY_TASK_COUNT": str(len(array))}
                own = files if index is None else files.element(index)
                out, err = written.paths(name, index)
                self._waiting.append(_Waiting(job, path, variables, after, written.folder, out or own.stdout, err or own.stderr, seconds,
                    start, mode))
                self._status[job] = Status("PENDING")
            self._advance()
        return name

    def states(self, ids: Sequence[str]) -> dict[str, Status]:
        """How these jobs stand, after a look at the processes."""
        with self._lock:
            self._advance()
            return {one: self._status.get(one, Status(UNKNOWN)) for one in ids}

    def cancel(self, ids: Sequence[str]) -> None:
        """End the processes of these jobs, or take them from the queue."""
        with self._lock:
            for one in [job for job in self._status if job in ids or job.partition("_")[0] in ids]:
                if not self._status[one].finished:
                    self._end(one, Status("CANCELLED", "0:15"))
            self._advance()

    def ask(self, words: Sequence[str]) -> str:
        """There is nobody to ask."""
        raise BackendError(f"{words[0]}: the subprocess backend has no queue, its jobs are processes that end with the program that "
                           "started them")

    def close(self) -> None:
        """End every job."""
        self.cancel([job for job, status in self._status.items() if not status.finished])

    def _advance(self) -> None:
        """Notice what ended, then start what may start."""
        for job, running in list(self._running.items()):
            code = running.process.poll()
            if code is not None:
                del self._running[job]
                self._status[job] = Status("COMPLETED" if code == 0 else "FAILED", f"{max(code, 0)}:{max(-code, 0)}")
            elif 0 < running.deadline < time.monotonic():
                self._end(job, Status("TIMEOUT", "0:15", "TimeLimit"))
        left = []
        for one in self._waiting:
            before = [status for job, status in self._status.items() for target in one.after if job == target
                or job.startswith(f"{target}_")]
            if any(status.finished and not status.successful for status in before):
                self._status[one.job] = Status("CANCELLED", "0:0", "DependencyNeverSatisfied")
                continue
            why = "BeginTime" if time.monotonic() < one.start else "Dependency" if not all(status.finished for status in before) else ""
            why = why or ("Resources" if len(self._running) >= self._most else "")
            if why:
                self._status[one.job] = Status("PENDING", reason=why)
                left.append(one)
            else:
                self._start(one)
        self._waiting = left

    def _start(self, one: _Waiting) -> None:
        environ = {name: value for name, value in self._environ.items() if not name.startswith("SLURM_")}
        try:
            with open(one.out, one.mode) as out, open(one.err, "ab" if one.err == one.out else one.mode) as errors:
                process = subprocess.Popen(
                    ["/bin/bash", one.path], env={**environ, **one.variables}, cwd=one.folder, stdin=subprocess.DEVNULL, stdout=out,
                    stderr=errors,
                    start_new_session=True)
        except OSError:
            self._status[one.job] = Status("FAILED", f"0:{NO_OUTPUT}")
            return
        self._running[one.job] = _Running(process, time.monotonic() + one.seconds if one.seconds > 0 else 0.0)
        self._status[one.job] = Status("RUNNING")

    def _end(self, job: str, status: Status) -> None:
        running = self._running.pop(job, None)
        if running is not None and running.process.poll() is None:
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()
        self._waiting = [one for one in self._waiting if one.job != job]
        self._status[job] = status


def _targets(text: str, path: str) -> tuple[str, ...]:
    """The ids in `afterok:1:2_3`; any other dependency is refused."""
    found: list[str] = []
    for clause in text.split(",") if text else ():
        kind, *ids = clause.split(":")
        if kind != "afterok":
            raise SubmissionError(f"the subprocess backend knows no dependency but afterok, not {clause}", metadata={"path": path})
        found += ids
    return tuple(found)


def _moment(begin: str, path: str) -> float:
    """When a job may start at the earliest, by the monotonic clock; times of day are refused."""
    if not begin:
        return 0.0
    words, plus, seconds = begin.partition("+")
    if words != "now" or not (not plus or seconds.isdecimal()):
        raise SubmissionError(f"the subprocess backend knows no begin but now+SECONDS, not {begin}", metadata={"path": path})
    return time.monotonic() + int(seconds or 0)
