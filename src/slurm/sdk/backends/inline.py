"""`inline`: a job runs where it is submitted, in this very process, before the call returns. For unit tests of code that uses tasks.

Everything is pickled and written as on a cluster, so that what could not travel fails here too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from slurm.sdk.backends.disk import OWN_IDS, SharedDisk, outputs
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.errors import BackendError
from slurm.sdk.following.status import UNKNOWN, Status
from slurm.sdk.inside import runner


class InlineBackend(SharedDisk):
    """Jobs as calls. What a task prints goes to its files, as on a cluster; the present folder is the process's, which threads share."""

    name = "inline"

    def __init__(self) -> None:
        self._status: dict[str, Status] = {}

    def submit(self, script: str, path: str, options: Mapping[str, str | None], array: Sequence[int] = (), limit: int = 0) -> str:
        """Run the job, or the elements of the array one after the other."""
        name = str(next(OWN_IDS))
        files = JobFiles.of(path)
        base = _base(script)
        written = outputs(options, self.around(), path)
        for index in array or (None,):
            job = name if index is None else f"{name}_{index}"
            if self._blocked(options.get("dependency") or ""):
                self._status[job] = Status("CANCELLED", "0:0", "DependencyNeverSatisfied")
                continue
            variables = {"SLURM_JOB_ID": name, "SLURM_NTASKS": options.get("ntasks") or "1", "JOB_DIR": files.folder,
                "SLURM_SUBMIT_DIR": self.around().folder}
            if index is not None:
                variables |= {"SLURM_ARRAY_JOB_ID": name, "SLURM_ARRAY_TASK_ID": str(index)}
            own = None if index is None else base + index
            self._status[job] = self._run(files, own, variables, _mode(options), written.paths(name, index))
        return name

    def states(self, ids: Sequence[str]) -> dict[str, Status]:
        """How they ended."""
        return {one: self._status.get(one, Status(UNKNOWN)) for one in ids}

    def changes(self, ids: Sequence[str], timeout: float) -> dict[str, Status]:
        """All of them, at once: everything has ended."""
        return self.states(ids)

    def wake(self) -> None:
        """Nobody ever waits."""

    def cancel(self, ids: Sequence[str]) -> None:
        """Everything has ended: there is nothing to cancel."""

    def ask(self, words: Sequence[str]) -> str:
        """There is nobody to ask."""
        raise BackendError(f"{words[0]}: the inline backend has no queue, its jobs are calls of this process")

    def close(self) -> None:
        """There is nothing to let go of."""

    def _run(self, files: JobFiles, index: int | None, variables: Mapping[str, str], mode: str,
             written: tuple[str | None, str | None] = (None, None)) -> Status:
        own = files if index is None else files.element(index)
        stdout, stderr = written[0] or own.stdout, written[1] or own.stderr
        with (open(stdout, mode, encoding="utf-8") as out, open(stderr, "a" if stderr == stdout else mode, encoding="utf-8") as errors,
              contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors)):
            code = runner.run(own, index, variables)
        return Status("COMPLETED" if code == 0 else "FAILED", f"{code}:0")

    def _blocked(self, dependency: str) -> bool:
        targets = [target for clause in dependency.split(",") if clause.startswith("afterok:")
                   for target in clause.split(":")[1:]]
        return any(not status.successful for job, status in self._status.items() for target in targets
                   if job == target or job.startswith(f"{target}_"))


def _base(script: str) -> int:
    """Where the elements of this array begin, as its script says."""
    words = script.split()
    return int(words[words.index("--base") + 1]) if "--base" in words else 0


def _mode(options: Mapping[str, str | None]) -> str:
    """How the files of output are opened."""
    return "a" if options.get("open_mode") == "append" else "w"
