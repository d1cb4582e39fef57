"""Prolog and Epilog of jobs on this node: each runs once an attempt, whoever is killed meanwhile. How one run goes is `script_run`'s
matter.

    <spool>/scripts/job00012.1.prolog/…   kept until slurmctld knows that nothing of the attempt is left here
                   /job00012.1.epilog/…
                   /job00012.1.told       what Prolog was told, for an Epilog of which slurmctld does not tell
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from slurm.config import programs
from slurm.slurmd import script_run
from slurm.slurmd.script_run import Outcome

log = logging.getLogger("slurmd.scripts")
_NAME = re.compile(r"job([0-9]{5,})\.([0-9]+)\.(prolog|epilog|told)")
_REMEMBERED = 20_000

Attempt = tuple[int, int]


class SiteScripts(NamedTuple):
    """What the configuration says: patterns by kind (prolog | epilog), the folder of relative ones, seconds for one script (0: no end)."""

    patterns: Mapping[str, Sequence[str]]
    folder: str
    seconds: Mapping[str, int]
    serial: bool = False  # PrologFlags=Serial: one at a time on this node
    in_job: bool = False  # PrologFlags=RunInJob: in the cgroups of the job's extern step


class JobScripts:
    """The prologs and epilogs of one node; their folders lie below `spool`."""

    def __init__(self, spool: str, site: SiteScripts, helpers: set[int]) -> None:
        self._root = os.path.join(spool, "scripts")
        self._site = site
        self._helpers = helpers
        self._runs: dict[tuple[str, Attempt], asyncio.Task[Outcome]] = {}
        self._over: OrderedDict[Attempt, None] = OrderedDict()
        self._known: set[Attempt] = set()
        self._one_at_a_time = asyncio.Lock()
        self.doors: Callable[[int, int], Sequence[str]] = lambda job, attempt: ()  # of an attempt's extern step

    def open(self) -> None:
        """Find what an earlier slurmd began. OSError."""
        os.makedirs(self._root, mode=0o700, exist_ok=True)
        for name in os.listdir(self._root):
            found = _NAME.fullmatch(name)
            if found is not None:
                self._known.add((int(found[1]), int(found[2])))

    def close(self) -> None:
        """Let go: what runs goes on."""
        for task in self._runs.values():
            task.cancel()

    def use(self, site: SiteScripts) -> None:
        """The configuration was read again."""
        self._site = site

    @property
    def in_job(self) -> bool:
        """Whether they run in the cgroups of their job's extern step."""
        return self._site.in_job

    def has(self, kind: str) -> bool:
        """Whether there are any of this kind."""
        return bool(self._site.patterns[kind])

    def attempts(self) -> list[Attempt]:
        """Those of which something was run here, and slurmctld does not know yet that it is over."""
        return sorted(self._known)

    def knows(self, job: int, attempt: int) -> bool:
        """Whether anything was run for this attempt that is not acknowledged."""
        return (job, attempt) in self._known

    def is_over(self, job: int, attempt: int) -> bool:
        """Whether slurmctld knows that all of this attempt is over here."""
        return (job, attempt) in self._over

    def prolog_done(self, job: int, attempt: int) -> bool:
        """Whether nothing has to be waited for before a step begins."""
        if not self.has("prolog"):
            return True
        task = self._runs.get(("prolog", (job, attempt)))
        return task is not None and task.done() and not task.cancelled() and task.exception() is None and not task.result().why

    async def prolog(self, job: int, attempt: int, told: Mapping[str, str]) -> Outcome:
        """Run Prolog, once; how it went. OSError."""
        if not self.has("prolog") and not self.knows(job, attempt):
            return Outcome()
        if not self.knows(job, attempt):
            self._write_told(job, attempt, told)
        return await self._once("prolog", job, attempt, told)

    async def epilog(self, job: int, attempt: int, told: Mapping[str, str]) -> Outcome:
        """Run Epilog, once, after a Prolog that may still run; how it went. OSError."""
        running = self._runs.get(("prolog", (job, attempt)))
        if running is None and os.path.isdir(self._path("prolog", job, attempt)):
            running = self._begin("prolog", job, attempt, {})
        if running is not None:
            await asyncio.wait([running])
        if not self.has("epilog"):
            return Outcome()
        return await self._once("epilog", job, attempt, told or self._told(job, attempt))

    def forget(self, job: int, attempt: int) -> None:
        """slurmctld knows that nothing of it is left: from now on nothing is run for this attempt any more."""
        for kind in ("prolog", "epilog"):
            self._runs.pop((kind, (job, attempt)), None)
            script_run.remove(self._path(kind, job, attempt))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path("told", job, attempt))
        self._known.discard((job, attempt))
        self._over[job, attempt] = None
        while len(self._over) > _REMEMBERED:
            self._over.popitem(last=False)

    def _path(self, kind: str, job: int, attempt: int) -> str:
        return os.path.join(self._root, f"job{job:05d}.{attempt}.{kind}")

    async def _once(self, kind: str, job: int, attempt: int, told: Mapping[str, str]) -> Outcome:
        return await asyncio.shield(self._begin(kind, job, attempt, told))

    def _begin(self, kind: str, job: int, attempt: int, told: Mapping[str, str]) -> asyncio.Task[Outcome]:
        key = (kind, (job, attempt))
        task = self._runs.get(key)
        if task is None:
            self._known.add((job, attempt))
            task = self._runs[key] = asyncio.get_running_loop().create_task(self._run(kind, job, attempt, told))
        return task

    async def _run(self, kind: str, job: int, attempt: int, told: Mapping[str, str]) -> Outcome:
        site = self._site
        scripts = programs.found(site.patterns[kind], site.folder)
        environment = {**told, "SLURM_SCRIPT_CONTEXT": f"{kind}_slurmd"}
        async with self._one_at_a_time if site.serial else contextlib.nullcontext():
            doors = self.doors(job, attempt) if site.in_job else ()
            outcome = await script_run.run(self._path(kind, job, attempt), scripts, environment, site.seconds[kind], self._helpers, doors)
        if outcome.why:
            log.error("[job %d] %s failed: %s", job, kind, outcome.why)
        return outcome

    # --- what Prolog was told --------------------------------------------------------------------------------------------

    def _write_told(self, job: int, attempt: int, told: Mapping[str, str]) -> None:
        os.makedirs(self._root, mode=0o700, exist_ok=True)  # somebody may have removed what the spool held
        with open(os.open(self._path("told", job, attempt), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w",
                encoding="utf-8") as file:
            json.dump(dict(told), file)
        self._known.add((job, attempt))

    def _told(self, job: int, attempt: int) -> dict[str, str]:
        """What Prolog was told; of an attempt that had none, just which it is."""
        try:
            with open(self._path("told", job, attempt), encoding="utf-8") as file:
                found: dict[str, str] = json.load(file)
                return found
        except (FileNotFoundError, ValueError):
            return {"SLURM_JOB_ID": str(job), "SLURM_JOBID": str(job)}
