"""`commands`: any Slurm through sbatch, squeue, sacct and scancel, found on PATH. One question for all jobs, never one a job."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence

from slurm.sdk.backends.backend import DEFAULT_MAX_ARRAY
from slurm.sdk.backends.disk import SharedDisk
from slurm.sdk.backends.polling import Poll
from slurm.sdk.errors import BackendCommandError, BackendTimeout, SubmissionError
from slurm.sdk.status import UNKNOWN, Status, normal

SECONDS = 30.0
SHORTEST, LONGEST = 0.2, 5.0
_SUBMITTED = re.compile(r"^(\d+)(?:;\S+)?$", re.MULTILINE)
_OF_THE_JOB_AROUND = ("SLURM_JOB", "SLURM_ARRAY", "SLURM_STEP", "SLURM_TASK", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS",
                      "SLURM_NNODES", "SLURM_NODE", "SLURM_CPUS", "SLURM_MEM", "SLURM_GPUS", "SLURM_NPROCS")


class CommandsBackend(SharedDisk):
    """Jobs on the cluster whose commands `environ` finds."""

    name = "commands"

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self.environ = os.environ if environ is None else environ
        poll = Poll(self.states, SHORTEST, LONGEST)
        self.changes, self.wake = poll.changes, poll.wake

    def submit(self, script: str, path: str, options: Mapping[str, str | None], array: int = 0, limit: int = 0) -> str:
        """sbatch."""
        words = [f"--array=0-{array - 1}" + (f"%{limit}" if limit else "")] if array else []
        try:
            out = self._run("sbatch", "--parsable", *words, path)
        except (BackendCommandError, BackendTimeout) as error:
            raise SubmissionError(f"the cluster did not take the job: {error}", script=script, metadata={"path": path}) from error
        found = _SUBMITTED.search(out)
        if found is None:
            raise SubmissionError(f"sbatch printed no job id: {out.strip()!r}", script=script, metadata={"path": path})
        return found[1]

    def states(self, ids: Sequence[str]) -> dict[str, Status]:
        """squeue, and sacct for those that it has forgotten."""
        if not ids:
            return {}
        bases = ",".join(sorted({one.partition("_")[0] for one in ids}))
        found: dict[str, Status] = {}
        try:
            for line in self._run("squeue", "-h", "-r", "-t", "all", "-j", bases, "-o", "%i|%T|%r").splitlines():
                shown, state, reason = line.split("|", 2)
                found[shown.strip()] = Status(normal(state), "", reason.strip())
        except BackendCommandError as error:
            if "Invalid job id" not in str(error):
                raise
        forgotten = [one for one in ids if one not in found]
        if forgotten:
            found.update(self._accounted(forgotten))
        return {one: found.get(one, Status(UNKNOWN)) for one in ids}

    def rest(self) -> None:
        """Nothing listens between questions."""

    def cancel(self, ids: Sequence[str]) -> None:
        """scancel."""
        self._run("scancel", "--quiet", *ids)

    def max_array(self) -> int:
        """MaxArraySize of the cluster."""
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", self._run("scontrol", "show", "config"), re.MULTILINE)
        return int(found[1]) if found else DEFAULT_MAX_ARRAY

    def close(self) -> None:
        """There is nothing to let go of."""
        self.wake()

    def _accounted(self, ids: Sequence[str]) -> dict[str, Status]:
        bases = ",".join(sorted({one.partition("_")[0] for one in ids}))
        try:
            out = self._run("sacct", "-n", "-P", "-X", "-j", bases, "-o", "JobID,State,ExitCode")
        except BackendCommandError as error:
            # A site without accounting: what lies in the job's folder has to tell.
            print(f"slurm: sacct does not help: {error}", file=sys.stderr)
            return {}
        rows = (line.split("|") for line in out.splitlines())
        return {row[0]: Status(normal(row[1]), row[2]) for row in rows if len(row) == 3}

    def _run(self, *words: str) -> str:
        environ = {name: value for name, value in self.environ.items() if not name.startswith(_OF_THE_JOB_AROUND)}
        try:
            done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False)
        except FileNotFoundError as error:
            raise BackendCommandError(f"{words[0]} is not on PATH") from error
        except subprocess.TimeoutExpired as error:
            raise BackendTimeout(f"{words[0]} did not answer within {SECONDS:.0f} s") from error
        if done.returncode:
            raise BackendCommandError(done.stderr.strip() or f"{words[0]} ended with {done.returncode}")
        return done.stdout
