"""What is said to sbatch, squeue, sacct, scancel and scontrol, and how their answers are read; and `commands`: any Slurm whose commands are
found on PATH.

Holds for Slurm 22.05 and later. One question for all jobs, never one a job. A slurmctld that was killed may never hear of the ends that it
missed: such jobs stay RUNNING in squeue until somebody cancels them; `Overdue` looks for what came of them.
"""

from __future__ import annotations

import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from slurm.net import other_slurm
from slurm.sdk.backends.backend import JOBS_A_QUESTION, Around, array_words, handing_in, longest_array
from slurm.sdk.backends.disk import SharedDisk
from slurm.sdk.backends.polling import Poll
from slurm.sdk.backends.program import plain, said
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.errors import BackendCommandError, BackendError, BackendTimeout, SubmissionError
from slurm.sdk.following.inspection import NO_ACCOUNTING
from slurm.sdk.following.status import UNKNOWN, Status, normal
from slurm.sdk.options import several_tasks, tasks

PATIENCE = 30.0
"""Seconds that a job runs before its files are looked for, and that those lie there before they are believed: it may be about to end, or
clean up."""
LOOKED_FOR = 500
"""Files that one look asks for, and one look is made within PATIENCE."""
FOUND = 10
"""Jobs of other programs that one look asks the cluster for, each with a question of its own."""


class Submitted(NamedTuple):
    """Where a job's files lie, or those of an array whose first element is number `start`; `ranks` is how many results make one, 0: nobody
    knows."""

    files: JobFiles
    start: int
    ranks: int


class Overdue:
    """Says of jobs that run no longer how they ended. `present` is the Backend's, `clock` tells seconds.

    `find` says where a job lies that another program submitted; None for one that is none of a task, or another user's.
    """

    def __init__(self, present: Callable[[Sequence[str]], set[str]], find: Callable[[str], Submitted | None],
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._present, self._find, self._clock = present, find, clock
        self._jobs: dict[str, Submitted | None] = {}
        self._since: dict[str, float] = {}  # job → when it was first heard to run
        self._seen: dict[str, tuple[float, Status]] = {}  # job → when its files were first seen, and what they say
        self._over: dict[str, Status] = {}
        self._due = 0.0
        self._turn = 0

    def submitted(self, id: str, path: str, options: Mapping[str, str | None]) -> None:
        """Remember a job, or an array, whose script lies at `path`."""
        self._jobs[id] = Submitted(JobFiles.of(path), JobFiles.first_element(path), tasks(options))

    def judged(self, found: dict[str, Status]) -> dict[str, Status]:
        """What the cluster says of jobs, but of those whose files have long told another story that."""
        now = self._clock()
        running = [job for job, status in found.items() if status.state == "RUNNING"]
        for job in found.keys() - set(running):
            for kept in (self._since, self._seen, self._over):
                kept.pop(job, None)
            if found[job].finished:
                self._jobs.pop(job, None)
        for job in running:
            self._since.setdefault(job, now)
        long = [job for job in running if job not in self._over and now - self._since[job] >= PATIENCE]
        if long and now >= self._due:
            self._due = now + PATIENCE
            self._look(long, now)
        return {**found, **{job: self._over[job] for job in running if job in self._over}}

    def _look(self, jobs: Sequence[str], now: float) -> None:
        with suppress(BackendError):  # they are asked for again, and where the others lie is known
            self._identify(jobs)
        asked = self._chosen([job for job in jobs if self._jobs.get(job.partition("_")[0]) is not None])
        try:
            there = self._present([path for result, error in asked.values() for path in (*result, error)])
        except OSError:
            return  # a folder that may not be looked into tells nothing: the cluster's word stands
        for job, (result, error) in asked.items():
            says = Status("FAILED", "1:0") if error in there else Status("COMPLETED",
                "0:0") if result and there.issuperset(result) else None
            since, before = self._seen.pop(job, (now, None))
            if says is not None and says == before and now - since >= PATIENCE:
                self._over[job] = says
            elif says is not None:
                self._seen[job] = (since if says == before else now), says

    def _identify(self, jobs: Sequence[str]) -> None:
        """Find out where jobs of other programs lie, a few at a time."""
        unknown = dict.fromkeys(base for job in jobs if (base := job.partition("_")[0]) not in self._jobs)
        for base in list(unknown)[:FOUND]:
            self._jobs[base] = self._find(base)

    def _chosen(self, jobs: Sequence[str]) -> dict[str, tuple[list[str], str]]:
        """As many jobs as one look is for, with their files: first those of which files were seen, then the others in turn."""
        others = [job for job in jobs if job not in self._seen]
        self._turn %= max(1, len(others))
        chosen: dict[str, tuple[list[str], str]] = {}
        left = LOOKED_FOR
        for job in (*(job for job in jobs if job in self._seen), *others[self._turn:], *others[:self._turn]):
            result, error = self._files(job)
            left -= len(result) + 1
            if left < 0 and chosen:
                break
            chosen[job] = result, error
            self._turn += job not in self._seen
        return chosen

    def _files(self, job: str) -> tuple[list[str], str]:
        base, _, local = job.partition("_")
        made = self._jobs[base]
        if made is None:
            return [], ""  # never asked for
        files = made.files.element(made.start + int(local)) if local else made.files
        return [files.rank_result(rank) for rank in range(made.ranks)], files.error


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
        """As scontrol says."""
        return longest_array(self._run("scontrol", "show", "config"))

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


SHORTEST, LONGEST = 0.2, 5.0
WATCHED = 50
"""So many results are looked for."""
_OF_THE_JOB_AROUND = ("SLURM_JOB", "SLURM_ARRAY", "SLURM_STEP", "SLURM_TASK", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS",
                      "SLURM_NNODES", "SLURM_NODE", "SLURM_CPUS", "SLURM_MEM", "SLURM_GPUS", "SLURM_NPROCS")


class CommandsBackend(SharedDisk, SlurmCommands):
    """Jobs on the cluster whose commands `environ` finds."""

    name = "commands"
    max_array = SlurmCommands.max_array

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self.environ = os.environ if environ is None else environ
        poll = Poll(self.states, SHORTEST, LONGEST, self._ended)
        self._results: dict[str, str] = {}
        self._programs: dict[str, str] = {}  # command → what is called for it: the site's own, where ours are before it on PATH
        self.changes, self.wake = poll.changes, poll.wake
        self._overdue: Overdue = Overdue(self.present, self._lies)

    def submit(self, script: str, path: str, options: Mapping[str, str | None], array: Sequence[int] = (), limit: int = 0) -> str:
        """sbatch."""
        try:
            with handing_in(path):
                out = self._run(*sbatch(path, array, limit))
        except (BackendCommandError, BackendTimeout) as error:
            raise SubmissionError(f"the cluster did not take the job: {error}", script=script, metadata={"path": path}) from error
        found = submitted(out)
        if found is None:
            raise SubmissionError(f"sbatch printed no job id: {out.strip()!r}", script=script, metadata={"path": path})
        if not array and not several_tasks(options):
            self._results[found] = JobFiles.of(path).result
        self._overdue.submitted(found, path, options)
        return found

    def _ended(self, ids: Sequence[str]) -> dict[str, Status]:
        """Those of a few jobs whose results are there: quicker to see than what squeue says. Of several tasks others may still run then."""
        some = islice((one for one in ids if one in self._results), WATCHED)
        ended = [one for one in some if os.path.exists(self._results[one])]
        for one in ended:
            del self._results[one]  # told once: what is told again and again would keep squeue from being asked about the others
        return dict.fromkeys(ended, Status("COMPLETED", "0:0"))

    def close(self) -> None:
        """There is nothing to let go of."""
        self.wake()

    def _run(self, *words: str) -> str:
        environ = {name: value for name, value in self.environ.items() if not name.startswith(_OF_THE_JOB_AROUND)}
        name, *rest = words
        program = self._programs.get(name)
        if program is None:
            program = self._programs[name] = other_slurm.instead(name, self.environ) or name
        return said([program, *rest], environ if name == "sbatch" else plain(environ), name)
