"""`commands`: any Slurm through its commands, found on PATH."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import islice

from slurm.net import other_slurm
from slurm.sdk.backends.backend import handing_in
from slurm.sdk.backends.disk import SharedDisk
from slurm.sdk.backends.polling import Poll
from slurm.sdk.backends.program import plain, said
from slurm.sdk.backends.slurm_commands import Overdue, SlurmCommands, sbatch, submitted
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.errors import BackendCommandError, BackendTimeout, SubmissionError
from slurm.sdk.following.status import Status
from slurm.sdk.options import several_tasks

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
