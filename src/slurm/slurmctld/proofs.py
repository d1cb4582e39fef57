"""Getting the proof that an attempt on a silent node is over: FenceProgram, RebootProgram; and the two ways not to wait for one.

What a proof is and what follows from it is decided in `core.proof`; here are clocks and programs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from slurm.core.events import NodeFenced, ProofWaived
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Job
from slurm.slurmctld.engine import Engine

log = logging.getLogger("slurmctld.proofs")
LEASE_MARGIN_SECONDS = 10.0
"""Beyond the time that a node's slurmstepds need at most, for clocks that run at different speeds."""
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 600.0
_SHOWN_BYTES = 500


class Programs(NamedTuple):
    """What is run for a node that fell silent: paths, "" for none; seconds that each may take."""

    fence: str = ""
    reboot: str = ""
    seconds: float = 60.0


class _Trial:
    """What has been tried for one node."""

    def __init__(self) -> None:
        self.running: asyncio.Task[None] | None = None
        self.pause = FIRST_PAUSE
        self.after = 0.0


class Proofs:
    """Looks after every attempt that waits for a proof. `silent_for(node)` tells for how many seconds nothing was heard of a node."""

    def __init__(self, engine: Engine, now: Callable[[], float], silent_for: Callable[[NodeName], float], *,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.programs = Programs()
        self._engine = engine
        self._now = now
        self._silent_for = silent_for
        self._clock = clock
        self._since: dict[tuple[JobId, int], float] = {}
        self._trials: dict[NodeName, _Trial] = {}

    def look(self) -> None:
        """Do what is due; asked about once a second."""
        now = self._clock()
        waiting = [job for job in self._engine.cluster.jobs.values() if job.awaited] if self._may_wait() else []
        since = {(job.id, job.attempt): self._since.get((job.id, job.attempt), now) for job in waiting}
        self._since = since
        nodes: dict[NodeName, list[tuple[JobId, int]]] = {}
        for job in waiting:
            if not self._waive(job, now - since[job.id, job.attempt]):
                for name in job.awaited:
                    nodes.setdefault(name, []).append((job.id, job.attempt))
        for name in [name for name, trial in self._trials.items() if name not in nodes and trial.running is None]:
            del self._trials[name]
        for name, attempts in nodes.items():
            self._try(name, attempts, now)

    def close(self) -> None:
        """Stop; a program that runs is ended."""
        for trial in self._trials.values():
            if trial.running is not None:
                trial.running.cancel()

    def _may_wait(self) -> bool:
        cluster = self._engine.cluster
        return any(node.remains or (node.jobs and not node.responding) for node in cluster.nodes.values())

    def _waive(self, job: Job, waited: float) -> bool:
        settings = self._engine.cluster.settings
        lease = job.lease + settings.kill_wait + settings.unkillable_step_timeout + LEASE_MARGIN_SECONDS
        if job.lost is not None and job.lease and all(self._silent_for(name) > lease for name in job.awaited):
            why = "lease"
        elif settings.requeue_unproven is not None and waited >= settings.requeue_unproven:
            why = "requeue_unproven"
        else:
            return False
        nodes = ",".join(job.awaited)
        log.warning(
            "job %s starts again without proof that its attempt %d is over on %s: %s", job.shown_id, job.attempt, nodes,
            f"its lease (fence_timeout={job.lease}) ran out there" if why == "lease" else
            f"SlurmctldParameters=requeue_unproven={settings.requeue_unproven}; if only the network failed, it runs twice now")
        self._engine.record(ProofWaived(at=self._now(), job=job.id, attempt=job.attempt, why=why))
        return True

    # --- programs --------------------------------------------------------------------------------------------------------

    def _try(self, name: NodeName, attempts: list[tuple[JobId, int]], now: float) -> None:
        program = self.programs.fence or self.programs.reboot
        node = self._engine.cluster.nodes.get(name)
        if not program or node is None or node.responding:
            return
        trial = self._trials.setdefault(name, _Trial())
        if trial.running is None and now >= trial.after:
            trial.running = asyncio.get_running_loop().create_task(self._run(program, name, attempts, trial))

    async def _run(self, program: str, name: NodeName, attempts: list[tuple[JobId, int]], trial: _Trial) -> None:
        kind = "FenceProgram" if self.programs.fence else "RebootProgram"
        try:
            log.info("%s %s is run for node %s, which may still run %s", kind, program, name,
                ", ".join(f"job {job}" for job, _ in attempts))
            failure = await _outcome(program, name, self.programs.seconds)
            if failure:
                log.error("%s %s for node %s failed, it is tried again in %.0f s: %s", kind, program, name, trial.pause, failure)
            elif kind == "FenceProgram":
                # Only what was there when it was begun: the node may have come back with other work meanwhile.
                log.info("node %s is fenced", name)
                await self._engine.record(NodeFenced(at=self._now(), node=name, attempts=attempts, why="fenced by FenceProgram"))
            else:
                log.info("node %s is being started anew: the proof is its new boot id", name)
                trial.pause = LONGEST_PAUSE
        except Exception:
            log.exception("%s for node %s failed", kind, name)
        finally:
            trial.running = None
            trial.after = self._clock() + trial.pause
            trial.pause = min(2 * trial.pause, LONGEST_PAUSE)


async def _outcome(program: str, name: str, seconds: float) -> str:
    """Run a program with a node's name; "" when it succeeded, else why not."""
    try:
        process = await asyncio.create_subprocess_exec(
            program, name, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            start_new_session=True)
    except OSError as error:
        return f"it cannot be run: {error.strerror}"
    try:
        async with asyncio.timeout(seconds):
            said, _ = await process.communicate()
    except TimeoutError:
        return f"it took longer than FenceProgramTimeout={seconds:.0f} and was ended"
    finally:
        if process.returncode is None:
            _end(process)
            await process.wait()
    if process.returncode:
        return f"exit status {process.returncode}: {said.decode(errors='replace').strip()[-_SHOWN_BYTES:] or 'it said nothing'}"
    return ""


def _end(process: asyncio.subprocess.Process) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
