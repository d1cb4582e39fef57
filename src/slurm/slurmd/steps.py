"""The life of steps as slurmd sees it: their folders, their slurmstepds, and learning how they ended, whoever was killed meanwhile.

Not here: what slurmctld or srun ask for (`node`, `step_server`), what a slurmstepd does (`stepd`).
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine
from typing import NamedTuple

import msgspec

from slurm.model.errors import SlurmError
from slurm.slurmd import control
from slurm.slurmd.nursery import Nursery, ZygoteLost
from slurm.slurmd.roster import Roster, StepHere
from slurm.slurmd.stepd import folder, tree
from slurm.slurmd.stepd.cgroup import Cgroup
from slurm.slurmd.stepd.folder import Ended, StepKey, StepRecord

log = logging.getLogger("slurmd.steps")
_AGAIN_SECONDS = 0.05
_FULL_DISK_SECONDS = 1.0
_MARKS = ("SLURM_CONF", "SLURM_CLUSTER_NAME", "SLURM_JOB_ID", "SLURM_JOB_SLUID", "SLURM_STEP_ID", "SLURMD_NODENAME")
"""Variables that together tell a step's processes from all others of this machine."""


class Prepared(NamedTuple):
    """A step whose folder is written and whose slurmstepd is not forked yet; `journal` is open and locked."""

    step: StepHere
    journal: int


class Steps:
    """Starts and buries the steps of a node whose folders lie under `spool`/steps. `on_ended(step, ended)` is called once for each."""

    def __init__(self, spool: str, roster: Roster, on_ended: Callable[[StepHere, Ended], None]) -> None:
        self.root = os.path.join(spool, "steps")
        self._roster = roster
        self._on_ended = on_ended
        self._nursery = Nursery(self._on_gone, self._on_orphaned)
        self._encode = msgspec.json.Encoder().encode
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Make the folder and start the zygote. OSError."""
        os.makedirs(self.root, mode=0o755, exist_ok=True)
        self._nursery.start()

    def close(self) -> None:
        """Let go; steps go on."""
        for task in self._tasks:
            task.cancel()
        self._nursery.close()

    def path_of(self, key: StepKey) -> str:
        """Where the step's folder is."""
        return os.path.join(self.root, key.folder_name)

    def prepare(self, record: StepRecord, *, script: str | None = None, early: bytes = b"") -> Prepared:
        """Write the step's folder and enter it into the roster. OSError; FileExistsError when it was begun before."""
        path = self.path_of(record.key)
        journal = folder.create(path, self._encode(record._asdict()))
        try:
            if script is not None:
                _write(os.path.join(path, folder.SCRIPT), script.encode("utf-8", "surrogateescape"), 0o700, record)
            if early:
                _write(os.path.join(path, folder.EARLY), early, 0o600, None)
        except OSError:
            os.close(journal)
            folder.remove(path)
            raise
        return Prepared(self._roster.begin(record.key, path), journal)

    async def launch(self, prepared: Prepared, connection: int = -1) -> None:
        """Have the slurmstepd of a prepared step forked. NotNow when that fails: nothing of the step is left then."""
        step, journal = prepared
        try:
            while journal >= 0:
                try:
                    await self._nursery.launch(step.path, journal, connection)
                    return
                except ZygoteLost:
                    os.close(journal)
                    journal = folder.abandoned(step.path)
            self.adopt(step)  # somebody holds the journal: it was forked after all
        except SlurmError:
            self._roster.never_begun(step)
            folder.remove(step.path)
            raise
        finally:
            if journal >= 0:
                os.close(journal)

    def order(self, step: StepHere, order: dict[str, object]) -> None:
        """Give an order to a running step, as soon as its slurmstepd listens."""
        self._spawn(self._order(step, order))

    async def _order(self, step: StepHere, order: dict[str, object]) -> None:
        answer = await control.ask(step.path, order)
        if step.ended is None and (answer is None or not answer.get("ok")):
            log.error("slurmstepd of %s did not take the order %s: %s", step.key.shown, order, answer)

    def remove(self, step: StepHere) -> None:
        """slurmctld knows how it ended: nothing of it is needed any more."""
        folder.remove(step.path)
        self._roster.drop_step(step)

    def adopt(self, step: StepHere) -> None:
        """Watch a step whose slurmstepd is no child of our zygote."""
        self._spawn(self._watch(step))

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("watching a step failed", exc_info=task.exception())

    # --- how they end ----------------------------------------------------------------------------------------------------

    def _on_gone(self, path: str) -> None:
        step = self._roster.by_path.get(path)
        if step is None or step.ended is not None:
            return
        ended = folder.read_ended(path)
        if ended is None:
            self._spawn(self._bury(step))
        else:
            self._on_ended(step, ended)

    def _on_orphaned(self, path: str) -> None:
        step = self._roster.by_path.get(path)
        if step is not None and step.ended is None:
            self.adopt(step)

    async def _watch(self, step: StepHere) -> None:
        while True:
            connection = await control.connect(step.path)
            if connection is not None:
                await control.until_closed(connection)
            ended = folder.read_ended(step.path)
            if ended is not None:
                self._on_ended(step, ended)
                return
            journal = folder.abandoned(step.path)
            if journal >= 0:
                os.close(journal)
                await self._bury(step)
                return
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _bury(self, step: StepHere) -> None:
        """The slurmstepd was killed: end what it left, and write its journal's last line for it."""
        log.error("slurmstepd of %s was killed: its processes are ended", step.key.shown)
        found = folder.read(step.path)
        if found is not None:
            marks = {name: value for name in _MARKS if (value := found.record.environment.get(name)) is not None}
            group = Cgroup(found.record.cgroup, step.key.folder_name, 0) if found.record.cgroup else None
            while tree.send(tree.belonging(marks), signal.SIGKILL) or (group is not None and not group.cleared()):
                await asyncio.sleep(_AGAIN_SECONDS)
        ended = Ended(signal.SIGKILL, at=time.time(), note="slurmstepd was killed")
        while not self._wrote(step, ended):
            await asyncio.sleep(_FULL_DISK_SECONDS)
        if step.ended is None:
            self._on_ended(step, ended)

    def _wrote(self, step: StepHere, ended: Ended) -> bool:
        journal = folder.abandoned(step.path)
        if journal < 0:
            return True
        try:
            folder.append_ended(journal, ended)
        except OSError as error:
            log.error("how step %s ended cannot be written yet: %s", step.key.shown, error.strerror)
            return False
        finally:
            os.close(journal)
        return True


def _write(path: str, data: bytes, mode: int, owner: StepRecord | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        if os.write(descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if owner is not None and os.geteuid() == 0 and owner.uid != 0:
            os.fchown(descriptor, owner.uid, owner.gid)
    finally:
        os.close(descriptor)
