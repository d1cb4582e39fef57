"""What is said to sbatch, squeue, sacct, scancel and scontrol, and how their answers are read; not where the commands run, which subclasses
know.

Holds for Slurm 22.05 and later. One question for all jobs, never one a job.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from slurm.sdk.backends.backend import DEFAULT_MAX_ARRAY, JOBS_A_QUESTION, Around, array_words
from slurm.sdk.backends.overdue import Overdue, Submitted
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.errors import BackendCommandError
from slurm.sdk.following.refusals import NO_ACCOUNTING
from slurm.sdk.following.status import UNKNOWN, Status, normal

QUEUED = "JobArrayID:24|,State:16|,exit_code:8|,Reason:60|"
_SUBMITTED = re.compile(r"^(\d+)(?:;\S+)?$", re.MULTILINE)


class SlurmCommands(ABC):
    """The `states`, `cancel`, `ask` and `max_array` of a Backend, and the words for its `submit`."""

    _accounting = True
    _overdue: Overdue | None = None

    @abstractmethod
    def _run(self, *words: str) -> str:
        """What a command printed; BackendCommandError with its standard error when it failed, BackendTimeout when it took too long."""

    @abstractmethod
    def around(self) -> Around:
        """Where and as whom it runs."""

    def states(self, ids: Sequence[str]) -> dict[str, Status]:
        """squeue, and sacct for those that it has forgotten; UNKNOWN for those that both have, and the word of their files for those that
        are overdue."""
        found: dict[str, Status] = {}
        for bases in _bases(ids):
            found.update(self._queued(bases))
        forgotten = [one for one in ids if one not in found]
        for bases in _bases(forgotten):
            found.update(self._accounted(bases))
        told = {one: found.get(one, Status(UNKNOWN)) for one in ids}
        return told if self._overdue is None else self._overdue.judged(told)

    def cancel(self, ids: Sequence[str]) -> None:
        """scancel, once for all of them."""
        self._run("scancel", "--quiet", *ids)

    def ask(self, words: Sequence[str]) -> str:
        """What a command printed."""
        return self._run(*words)

    def max_array(self) -> int:
        """MaxArraySize of the cluster."""
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", self._run("scontrol", "show", "config"), re.MULTILINE)
        return int(found[1]) if found else DEFAULT_MAX_ARRAY

    def _lies(self, job: str) -> Submitted | None:
        """Where a job lies that another program submitted, as the name of its script says; None when it is none of a task, or not this
        user's."""
        from slurm.sdk.following import inspection  # only who waits for jobs of others needs it

        try:
            record = next(iter(inspection.job(self.ask, job)), None)
        except inspection.UnknownJob:
            return None
        if record is None or record.user != self.around().user or "_script.sh" not in record.command:
            return None
        count = record.fields.get("NumTasks", "")
        return Submitted(JobFiles.of(record.command), JobFiles.first_element(record.command), int(count) if count.isdigit() else 0)

    def _queued(self, bases: str) -> dict[str, Status]:
        try:
            out = self._run("squeue", "-h", "-r", "-t", "all", "-j", bases, "-O", QUEUED)
        except BackendCommandError as error:
            if "Invalid job id" not in str(error):
                raise
            return {}
        rows = ([field.strip() for field in line.split("|", 3)] for line in out.splitlines())
        found = {row[0]: Status(normal(row[1]), _exit_code(row[2]), row[3].rstrip("| ")) for row in rows if len(row) == 4}
        return {job: one if one.finished else one._replace(exit_code="") for job, one in found.items()}

    def _accounted(self, bases: str) -> dict[str, Status]:
        if not self._accounting:
            return {}
        try:
            out = self._run("sacct", "-n", "-P", "-X", "-j", bases, "-o", "JobID,State,ExitCode")
        except BackendCommandError as error:
            # What squeue has forgotten has ended; where no records are kept or can be had, the job's folder has to tell how.
            self._accounting = not any(words in str(error) for words in NO_ACCOUNTING)
            return {}
        rows = (line.split("|") for line in out.splitlines())
        return {row[0]: Status(normal(row[1]), row[2]) for row in rows if len(row) == 3}


def _exit_code(text: str) -> str:
    """As "3:0"; Slurm 22.05 shows the wait status as one number."""
    return f"{int(text) >> 8}:{int(text) & 0x7F}" if text.isdigit() else text


def sbatch(path: str, array: Sequence[int], limit: int) -> list[str]:
    """The command that submits a script; with elements of these numbers, at most `limit` at once."""
    return ["sbatch", "--parsable", *array_words(array, limit), path]


def submitted(out: str) -> str | None:
    """The job id that `sbatch --parsable` printed, alone or before the name of a cluster."""
    found = _SUBMITTED.search(out)
    return found[1] if found else None


def _bases(ids: Sequence[str]) -> Iterable[str]:
    """The jobs that these are, or are elements of, as lists for command lines."""
    bases = sorted({one.partition("_")[0] for one in ids})
    for start in range(0, len(bases), JOBS_A_QUESTION):
        yield ",".join(bases[start:start + JOBS_A_QUESTION])
