"""The life of steps as slurmd sees it: their folders, their slurmstepds, and learning how they ended, whoever was killed meanwhile.

Not here: what slurmctld or srun ask for (`node`, `step_server`), what a slurmstepd does (`stepd`), how what one left is found (`remains`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import NamedTuple

import msgspec

from slurm.model.errors import NotNow, SlurmError
from slurm.notation.container import separated
from slurm.slurmd import by_hand, control, remains, script_run, unknown_steps
from slurm.slurmd.aside import aside
from slurm.slurmd.orders import Orders
from slurm.slurmd.roster import Roster, StepHere
from slurm.slurmd.stepd import folder, tree
from slurm.slurmd.stepd.folder import Ended, StepKey, StepRecord
from slurm.slurmd.stepd.tasks import FAILED_STATUS
from slurm.slurmd.zygote_client import ZygoteClient, ZygoteLost

log = logging.getLogger("slurmd.steps")
_LOOK_SECONDS = 0.2
_AGAIN_SECONDS = 0.05
_SELDOM_SECONDS = 1.0
_FULL_DISK_SECONDS = 1.0
_SCAN_SECONDS = 60.0
_REAP_SECONDS = 5.0
_FORKED_SECONDS = 0.01
"""Between two looks whether a step was forked, when its zygote died."""
_PATIENCE_SECONDS = 60.0
"""So long is a journal that cannot be read looked at again when its slurmstepd is gone."""
_NO_JOURNAL = (ValueError, TypeError, KeyError)
"""What reading something else as a journal raises."""
_KILLED = "slurmstepd was killed"
_NOT_BEGUN = "slurmd or slurmstepd was killed before it was begun: nothing of it ran"
_NO_FOLDER = "the step's folder in the node's spool was removed while it ran: how it ended is not known"


class Prepared(NamedTuple):
    """A step whose folder is written and whose slurmstepd is not forked yet; `journal` is open and locked."""

    step: StepHere
    journal: int


class Steps:
    """Starts and buries the steps of a node whose folders lie under `spool`/steps. `on_ended(step, ended)` is called once for each."""

    def __init__(self, spool: str, roster: Roster, on_ended: Callable[[StepHere, Ended], None], *, secured: bool = False) -> None:
        self.root = os.path.join(spool, "steps")
        self._roster = roster
        self._on_ended = on_ended
        self.orders = Orders()
        self.own = unknown_steps.Own("", "", "")
        self.helpers: set[int] = set()  # processes that slurmd itself started, but the zygote
        self._zygote = ZygoteClient(self._on_gone, self._on_orphaned, secured=secured)
        self._encode = msgspec.json.Encoder().encode
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, node: str, identity: str) -> None:
        """Make the folder and start the zygote; `identity` as unknown_steps has it. OSError."""
        os.makedirs(self.root, mode=0o755, exist_ok=True)
        self.own = unknown_steps.Own(node, identity, f"{identity}.{remains.instance_of(self.root)}")
        self._zygote.start()
        self._spawn(self._reap())

    def close(self) -> None:
        """Let go; steps go on."""
        for task in self._tasks:
            task.cancel()
        self.orders.close()
        self._zygote.close()

    def use_cgroups(self, paths: Sequence[str]) -> None:
        """slurmd's own cgroups, below which steps make theirs."""
        self._zygote.use_cgroups(paths)

    async def end_unknown(self, cgroups: Sequence[str], earlier: Sequence[str], seconds: float) -> None:
        """End the processes of steps that this spool does not know (any more), and wait until they are gone, so long at most.

        `cgroups` are slurmd's own, `earlier` those of earlier ones.
        """
        began = time.monotonic()
        left: list[int] = []
        told = 0
        while time.monotonic() - began <= seconds:
            try:
                left = await aside(lambda: unknown_steps.end(self.root, self.own, cgroups, earlier), _SCAN_SECONDS)
            except (OSError, TimeoutError, ValueError, TypeError, KeyError) as error:
                log.error("processes of steps that are not in the spool could not be looked for, it is tried again: %r", error)
                await asyncio.sleep(_SELDOM_SECONDS)
                continue
            if not left:
                return
            if len(left) > told:
                told = len(left)
                log.error("%d processes of steps that the spool %s does not know (any more) were still there: they are ended", told,
                    self.root)
            await asyncio.sleep(_AGAIN_SECONDS)
        log.error("of steps that the spool does not know processes may be left that SIGKILL does not end: %s",
            ", ".join(map(str, left)) or "who knows")

    def path_of(self, key: StepKey) -> str:
        """Where the step's folder is."""
        return os.path.join(self.root, key.folder_name)

    def prepare(self, record: StepRecord, *, script: str | None = None, early: bytes = b"") -> Prepared:
        """Write the step's folder and enter it into the roster. OSError; FileExistsError when it was begun before."""
        path = self.path_of(record.key)
        container, environment = separated(record.environment)
        record = record._replace(container=container, environment=environment)
        journal = self._create(path, self._encode(record._asdict()))
        try:
            if script is not None:
                _write(os.path.join(path, folder.SCRIPT), script.encode("utf-8", "surrogateescape"), 0o700, record)
            if early:
                _write(os.path.join(path, folder.EARLY), early, 0o600, None)
        except OSError:
            os.close(journal)
            folder.remove(path)
            raise
        step = self._roster.begin(record.key, path)
        step.record = record.brief
        return Prepared(step, journal)

    def _create(self, path: str, record: bytes) -> int:
        """As folder.create, also after somebody removed what the spool held."""
        try:
            return folder.create(path, record)
        except FileNotFoundError:
            log.error("%s was removed: it is made anew", self.root)
            os.makedirs(self.root, mode=0o755, exist_ok=True)
            return folder.create(path, record)

    async def launch(self, prepared: Prepared, attached: Sequence[int] = ()) -> None:
        """Have the slurmstepd of a prepared step forked; `attached`: what `SrunLine.of` takes, still the caller's.

        NotNow when that fails: nothing of the step is left then.
        """
        step, journal = prepared

        def let_go() -> None:
            # At once: whoever closes a file later, while slurmstepd has it written to disk, waits for the disk.
            nonlocal journal
            descriptor, journal = journal, -1
            if descriptor >= 0:
                os.close(descriptor)

        try:
            while journal >= 0:
                try:
                    step.pid = await self._zygote.launch(step.path, [journal, *attached], let_go)
                    step.begun = True
                    self._hold_still(step)
                    return
                except ZygoteLost:
                    let_go()
                    journal = await self._taken_back(step)
            step.begun = True
            self._hold_still(step)
            self.adopt(step)  # somebody holds the journal: it was forked after all
        except SlurmError:
            self._roster.never_begun(step)
            self.remove(step)
            raise
        finally:
            let_go()

    def _hold_still(self, step: StepHere) -> None:
        """What begins while its job is suspended."""
        here = self._roster.find(step.key.job, step.key.attempt)
        if here is not None and here.suspended is not None and here.suspended[0]:
            self.orders.suspend(step, *here.suspended)

    async def _taken_back(self, step: StepHere) -> int:
        """The journal of a step of which it is not known whether it was forked; -1 when it was. NotNow when its folder is gone.

        A zygote that is dying holds what it was sent for a moment longer than its end is heard: only a slurmstepd that listens tells that
        it was forked.
        """
        until = time.monotonic() + _PATIENCE_SECONDS
        try:
            while not folder.began(step.path) and time.monotonic() < until:
                journal = folder.abandoned(step.path)
                if journal >= 0 and not folder.began(step.path):
                    return journal
                if journal >= 0:
                    os.close(journal)
                    break
                await asyncio.sleep(_FORKED_SECONDS)
        except OSError as error:
            raise NotNow(message=f"cannot start slurmstepd: {step.path}: {error.strerror}") from error
        return -1

    def remove(self, step: StepHere) -> None:
        """slurmctld knows how it ended: nothing of it is needed any more. What cannot be removed is in the log."""
        try:
            folder.remove(step.path)
        except Exception as error:  # whatever its owner put there costs a folder, not slurmd
            log.error("%s cannot be removed, it is tried again when slurmd starts: %s", step.path, error)
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
            log.error("something that goes on beside failed", exc_info=task.exception())

    # --- how they end ----------------------------------------------------------------------------------------------------

    def _on_gone(self, path: str) -> None:
        step = self._roster.by_path.get(path)
        if step is None or step.ended is not None:
            return
        try:
            ended = folder.read_ended(path)
        except folder.GONE:
            self._spawn(self._bury(step, _NO_FOLDER))
            return
        except (OSError, *_NO_JOURNAL):
            self.adopt(step)  # which looks again
            return
        if ended is None:
            self._spawn(self._bury(step, _KILLED))
        else:
            self._on_ended(step, ended)

    def _on_orphaned(self, path: str) -> None:
        step = self._roster.by_path.get(path)
        if step is not None and step.ended is None:
            self.adopt(step)

    async def _watch(self, step: StepHere) -> None:
        """Until it is known how the step ended: a look that fails is begun again, but not for ever once its slurmstepd is gone."""
        since = 0.0
        while step.ended is None:
            try:
                if await self._look(step):
                    return
                since = 0.0
            except (OSError, *_NO_JOURNAL) as error:
                now = time.monotonic()
                if not since:
                    since = now
                    log.error("watching step %s failed, it is begun again: %r", step.key.shown, error)
                gone = isinstance(error, folder.GONE)
                if (gone or now - since > _PATIENCE_SECONDS) and not await self._is_supervised(step):
                    await self._bury(step, _NO_FOLDER if gone else f"its journal cannot be read ({error}): how it ended is not known")
                    return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self, step: StepHere) -> bool:
        connection = control.connect(step.path)
        if connection is not None:
            step.pid = control.listener(connection)
            await control.until_closed(connection)
        ended = folder.read_ended(step.path)
        if ended is not None:
            self._on_ended(step, ended)
            return True
        journal = folder.abandoned(step.path)
        if journal < 0:
            return False
        os.close(journal)
        await self._bury(step, _KILLED)
        return True

    async def _is_supervised(self, step: StepHere) -> bool:
        """Whether its slurmstepd may live, wherever its folder went."""
        try:
            return bool(await by_hand.supervisor_of(step))
        except OSError as error:
            log.error("the slurmstepd of %s could not be looked for, it is tried again: %r", step.key.shown, error)
            return True

    async def _bury(self, step: StepHere, note: str) -> None:
        """The slurmstepd is gone, and how its step ended is not written: end what it left, and write its journal's last line for it."""
        began = note != _KILLED or folder.began(step.path)
        note = note if began else _NOT_BEGUN
        log.error("step %s: %s; its processes are ended", step.key.shown, note)
        left = await self._end_remains(step, step.record) if step.record is not None else []
        if left:
            note += f"; processes that SIGKILL does not end are left: {', '.join(map(str, left))}"
        status = signal.SIGKILL if began else FAILED_STATUS
        ended = Ended(status, at=time.time(), note=note, began=began, unkillable=left)
        while not self._wrote(step, ended):
            await asyncio.sleep(_FULL_DISK_SECONDS)
        if step.ended is None:
            self._on_ended(step, ended)

    async def _end_remains(self, step: StepHere, record: StepRecord) -> list[int]:
        """Kill until nothing is left; what is left after UnkillableStepTimeout."""
        began = time.monotonic()
        while True:
            left, known = [], True
            try:
                strays = self._strays()
                left = await aside(lambda strays=strays: remains.kill(step.path, record, strays), _SCAN_SECONDS)  # type: ignore[misc]
            except OSError as error:
                log.error("what step %s left could not be ended, it is tried again: %r", step.key.shown, error)
                known = False
            lasted = time.monotonic() - began
            if (known and not left) or lasted > record.unkillable_seconds:
                return left
            await asyncio.sleep(_AGAIN_SECONDS if lasted < _SELDOM_SECONDS else _SELDOM_SECONDS)

    def _strays(self) -> list[int]:
        """Our children that we did not start: left by a slurmstepd that was killed after the zygote was."""
        own = self._zygote.own_processes() | self.helpers
        for step in self._roster.by_path.values():
            if step.ended is None:
                own.update(filter(None, (step.pid, control.pid_of(step.path))))
        return [pid for pid in tree.children(os.getpid()) if pid not in own and not script_run.is_marked(pid)]

    async def _reap(self) -> None:
        """Wait for what became our child when the zygote was killed, and has ended."""
        while True:
            await asyncio.sleep(_REAP_SECONDS)
            for pid in tree.children(os.getpid()):
                if pid != self._zygote.pid and pid not in self.helpers:
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)

    def _wrote(self, step: StepHere, ended: Ended) -> bool:
        """Whether its journal has its last line, or never gets one."""
        try:
            journal = folder.abandoned(step.path)
        except folder.GONE:
            return True
        except OSError as error:
            return self._given_up(step, error)
        if journal < 0:
            return True
        try:
            folder.append_ended(journal, ended)
        except OSError as error:
            return self._given_up(step, error)
        finally:
            os.close(journal)
        return True

    def _given_up(self, step: StepHere, error: OSError) -> bool:
        """Whether there is nothing to wait for: a full disk gets room again. What is not written is found out anew after a restart."""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        log.error("how step %s ended cannot be written%s: %s", step.key.shown, " yet" if full else "", error.strerror)
        return not full


def _write(path: str, data: bytes, mode: int, owner: StepRecord | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        if os.write(descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if owner is not None and os.geteuid() == 0 and owner.uid != 0:
            os.fchown(descriptor, owner.uid, owner.gid)
    finally:
        os.close(descriptor)
