"""PrologSlurmctld and EpilogSlurmctld: run beside slurmctld, and what came of them becomes an event.

One that was running when slurmctld ended is run again when it starts: state says that it is due until its end is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from slurm.config import programs
from slurm.core import recovery
from slurm.core.effects import RunScript
from slurm.core.events import EpilogEnded, Event, PreparationFailed, Prepared
from slurm.core.preparing import CONTROLLER
from slurm.model.job import Job
from slurm.slurmctld.engine import Engine

log = logging.getLogger("slurmctld.scripts")
_SHOWN_BYTES = 500
_LAST_WORDS_SECONDS = 0.2


class ControllerScripts(NamedTuple):
    """What is run: patterns of files by kind (prolog | epilog), the folder relative ones lie in, seconds that one may take (0: no end)."""

    patterns: Mapping[str, list[str]]
    folder: str
    seconds: Mapping[str, int]


class Scripts:
    """The scripts under way, one task for each kind and attempt. `variables(job, kind)` is their environment."""

    def __init__(self, engine: Engine, now: Callable[[], float], variables: Callable[[Job, str], dict[str, str]]) -> None:
        self.programs = ControllerScripts({"prolog": [], "epilog": []}, "/", {"prolog": 0, "epilog": 0})
        self._engine = engine
        self._now = now
        self._variables = variables
        self._running: dict[RunScript, asyncio.Task[None]] = {}

    def run(self, effect: RunScript) -> None:
        """Run what an attempt is due; nothing happens while that is under way."""
        if effect not in self._running:
            task = self._running[effect] = asyncio.get_running_loop().create_task(self._run(effect))
            task.add_done_callback(lambda done: self._finished(effect, done))

    def close(self) -> None:
        """Stop: what runs is ended, and run again after the next start."""
        for task in self._running.values():
            task.cancel()

    def _finished(self, effect: RunScript, task: asyncio.Task[None]) -> None:
        del self._running[effect]
        if not task.cancelled() and task.exception() is not None:
            log.error("%s of job %s failed", effect.kind, effect.job, exc_info=task.exception())

    async def _run(self, effect: RunScript) -> None:
        job = self._engine.cluster.jobs.get(effect.job)
        if job is None:
            return
        name = f"{effect.kind.title()}Slurmctld"
        environment = self._variables(job, effect.kind) if job.holding is not None else {}
        why = ""
        for path in programs.found(self.programs.patterns[effect.kind], self.programs.folder):
            failure = await outcome(path, environment, self.programs.seconds[effect.kind])
            if failure:
                why = f"{name} {path} failed: {failure}"
                log.error("job %s: %s", job.shown_id, why)
                break
        if recovery.still_due(self._engine.cluster, effect):
            await self._engine.record(self._event(effect, why))

    def _event(self, effect: RunScript, why: str) -> Event:
        if effect.kind == "epilog":
            return EpilogEnded(at=self._now(), job=effect.job, attempt=effect.attempt, why=why)
        if why:
            return PreparationFailed(at=self._now(), job=effect.job, attempt=effect.attempt, node=CONTROLLER, why=why)
        return Prepared(at=self._now(), job=effect.job, attempt=effect.attempt, node=CONTROLLER)


async def outcome(path: str, environment: Mapping[str, str], seconds: float, *, words: Sequence[str] = (),
        gently: float = 0.0) -> str:
    """Run a program with exactly this environment for so many seconds at most (0: no end); "" when it succeeded, else why not.

    `words`: its arguments; `gently`: what is ended early has so many seconds after SIGTERM to end what it began.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            path, *words, env=dict(environment), cwd="/",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            start_new_session=True)
    except OSError as error:
        return f"it cannot be run: {error.strerror}"
    said = bytearray()
    reading = asyncio.get_running_loop().create_task(_read(process, said))
    try:
        async with asyncio.timeout(seconds or None):
            await process.wait()
    except TimeoutError:
        return f"it took longer than {seconds:.0f} s and was ended"
    finally:
        # What it left in its own process group goes with it; what it made a daemon of stays, and may keep the pipe open.
        try:
            if gently and process.returncode is None:
                process.terminate()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), gently)
        finally:
            _end(process)
        await process.wait()
        await asyncio.wait([reading], timeout=_LAST_WORDS_SECONDS)
        reading.cancel()
    if process.returncode:
        return f"exit status {process.returncode}: {said.decode(errors='replace').strip()[-_SHOWN_BYTES:] or 'it said nothing'}"
    return ""


async def _read(process: asyncio.subprocess.Process, said: bytearray) -> None:
    assert process.stdout is not None
    while data := await process.stdout.read(4096):
        said += data
        del said[:-_SHOWN_BYTES]


def _end(process: asyncio.subprocess.Process) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
