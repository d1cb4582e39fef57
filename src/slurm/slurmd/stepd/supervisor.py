"""The supervisor of one step on one node, from the order to start it to the last line of the step's journal.

SETUP and CLEANUP say in order what it does; between them it serves its loop until no process of the step is left.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable

from slurm.slurmd.stepd import folder, kernel, memory, messages, tasks, tree
from slurm.slurmd.stepd.cgroup import Cgroup
from slurm.slurmd.stepd.control import Control
from slurm.slurmd.stepd.ending import Ending
from slurm.slurmd.stepd.files import CannotOpen, Files
from slurm.slurmd.stepd.io import StepIO
from slurm.slurmd.stepd.loop import Loop
from slurm.slurmd.stepd.plumbing import Plumbing
from slurm.slurmd.stepd.tasks import Birth, Task
from slurm.slurmd.stepd.usage import Usage, reap

CANNOT_OPEN_STATUS = 53
"""Wait status of a step whose files cannot be opened: Slurm's well-known ExitCode 0:53."""
CANNOT_FORK_STATUS = 1 << 8
_FULL_DISK_SECONDS = 1.0


class Supervisor:
    """One step. `path` is its folder, `journal` its open, locked journal, `connection` srun's socket for a step of srun."""

    def __init__(self, loop: Loop, path: str, journal: int, connection: socket.socket | None) -> None:
        os.chdir(path)
        self.loop = loop
        self.record = folder.read_record(journal)
        self.journal = journal
        self.connection = connection
        self.tasks = [Task(rank, local) for local, rank in enumerate(self.record.ranks)]
        self.usage = Usage()
        self.children = False
        self.refusal = ""
        self.refusal_status = 0
        self.io: StepIO | None = None
        self.cgroup: Cgroup | None = None
        self.over_memory = False

    def run(self) -> None:
        """Do all of it."""
        try:
            for step in SETUP:
                step(self)
        except CannotOpen as error:
            self._refuse(str(error), CANNOT_OPEN_STATUS)
        except OSError as error:
            self._refuse(f"cannot start: {error}", CANNOT_FORK_STATUS)
        self.loop.run(self._is_over)
        for step in CLEANUP:
            step(self)

    # --- set-up ----------------------------------------------------------------------------------------------------------

    def take_name(self) -> None:
        """Show in `ps` which step this is."""
        kernel.set_title(f"slurmstepd: [{self.record.key.shown}]")

    def make_durable(self) -> None:
        """From here on this attempt counts as begun, even if the machine stops: it is never run a second time."""
        os.fdatasync(self.journal)

    def listen(self) -> None:
        """Take orders."""
        self.loop.on_child = self._on_child
        self.ending = Ending(self.loop, None)
        self.control = Control(self.loop, self._obey)
        if self.connection is not None:
            self.io = StepIO(self.loop, self.connection, self._on_srun_signal, self._on_srun_gone, folder.read_early("."))
        self.files = Files(self.record)
        self.plumbing = Plumbing(self.record, self.files, self.io)

    def make_cgroup(self) -> None:
        """A cgroup for the tasks, where slurmd found that it may make some."""
        if self.record.cgroup:
            self.cgroup = Cgroup(self.record.cgroup, self.record.key.folder_name, self.record.memory)
            self.ending = Ending(self.loop, self.cgroup)

    def start_tasks(self) -> None:
        """Open their streams, start them, and say so."""
        os.umask(self.record.umask)
        births = [Birth(self.record, task, self.plumbing.connect(task), self.cgroup) for task in self.tasks]
        for birth in births:
            tasks.start(birth)
            self.children = True
        self.plumbing.close_ends()
        if self.io is not None:
            self.io.started({task.rank: task.pid for task in self.tasks})

    def watch_memory(self) -> None:
        """Where the kernel does not see to the memory limit, look now and then."""
        if self.record.memory and self.record.memory_looks and not (self.cgroup is not None and self.cgroup.limits_memory):
            self.loop.at(time.monotonic() + self.record.memory_looks, self._look_at_memory)

    # --- while it runs ---------------------------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        return not self.children and self._is_said()

    def _is_said(self) -> bool:
        return self.io is None or self.io.drained or self.ending.overdue

    def _on_child(self) -> None:
        ended, self.children = reap(self.usage)
        for task in self.tasks:
            if task.status is None and task.pid in ended:
                task.status = ended[task.pid]
                self._on_task_ended(task)
        if self.children and all(task.status is not None for task in self.tasks) and not self.ending.grace:
            self.ending.kill()

    def _on_task_ended(self, task: Task) -> None:
        assert task.status is not None
        if self.io is not None:
            self.io.exited(task.rank, task.status, oom=self._out_of_memory())
        if task.status and self.record.kill_on_bad_exit and len(self.tasks) > 1:
            self.end("task_failure", self.record.kill_wait, 0.0)

    def end(self, why: str, kill_wait: float, at: float) -> None:
        """End the step from outside its tasks, and say why where its user looks."""
        if not self.ending.asked:
            self._tell(messages.ended_from_outside(self.record, why, at, time.time()))
            if self.io is not None and why:
                self.io.aborted(why)
        self.ending.ask(why, kill_wait)

    def _tell(self, line: str) -> None:
        if line and self.io is not None:
            if self.record.node_rank == 0:
                self.io.notice(line)
        elif line and self.record.is_batch and self.plumbing.error_file >= 0:
            try:
                os.write(self.plumbing.error_file, line.encode())
            except OSError as error:  # a full disk takes no message; the step ends all the same
                os.write(2, f"slurmstepd: error: cannot write to the error file of {self.record.key.shown}: {error.strerror}\n".encode())

    def _obey(self, order: dict[str, object]) -> dict[str, object]:
        operation = order["op"]
        if operation == "terminate":
            self.end(str(order["why"]), float(str(order["kill_wait"])), float(str(order.get("at", 0.0))))
        elif operation == "signal":
            self._signal(int(str(order["signal"])), first=bool(order.get("first")), everything=bool(order.get("all")))
        elif operation != "status":
            raise ValueError(f"unknown operation {operation}")
        return {"ok": True, "pid": os.getpid(), "tasks": [task.pid for task in self.tasks if task.status is None], "ending": self.ending.why,
                "pids": {str(task.rank): task.pid for task in self.tasks}}

    def _signal(self, number: int, *, first: bool, everything: bool) -> None:
        if number in (signal.SIGTERM, signal.SIGKILL):
            self._tell(messages.signalled(self.record, number, time.time()))
        if everything:
            self.ending.signal_all(number)
            return
        for task in self.tasks:
            task.signal(number, alone=first)

    def _on_srun_signal(self, number: int, end: str) -> None:
        if end:
            self.end(end, self.record.kill_wait, 0.0)
        elif number:
            for task in self.tasks:
                task.signal(number)

    def _on_srun_gone(self) -> None:
        self.ending.ask("", self.record.kill_wait)

    def _refuse(self, sentence: str, status: int) -> None:
        os.write(2, f"slurmstepd: error: {self.record.key.shown}: {sentence}\n".encode())
        self.refusal, self.refusal_status = sentence, status
        if self.io is not None:
            self.plumbing.close_ends()
            self.io.failed(sentence)
        if self.children:
            self.ending.kill()

    def _look_at_memory(self) -> None:
        limit = self.record.memory << 20
        used = memory.held(tree.descendants(os.getpid()), limit)
        if used <= limit:
            self.loop.at(time.monotonic() + self.record.memory_looks, self._look_at_memory)
            return
        self.over_memory = True
        self._tell(messages.over_memory(self.record, used, time.time()))
        self.ending.kill()

    def _out_of_memory(self) -> bool:
        return self.over_memory or (self.cgroup is not None and self.cgroup.out_of_memory())

    # --- clean-up --------------------------------------------------------------------------------------------------------

    def write_last_line(self) -> None:
        """How it ended, on disk before anybody hears of it."""
        statuses = [task.status for task in self.tasks if task.status is not None]
        status = self.refusal_status or max(statuses, default=0)
        used = self.usage
        ended = folder.Ended(
            status, self._out_of_memory(), round(used.user_seconds, 3), round(used.system_seconds, 3), used.max_rss, time.time(), self.refusal,
            {} if self.record.is_batch else {str(task.rank): task.status for task in self.tasks if task.status is not None})
        while not self._wrote(ended):
            time.sleep(_FULL_DISK_SECONDS)

    def _wrote(self, ended: folder.Ended) -> bool:
        try:
            folder.append_ended(self.journal, ended)
        except OSError as error:
            os.write(2, f"slurmstepd: error: {self.record.key.shown}: how it ended cannot be written yet: {error.strerror}\n".encode())
            return False
        return True

    def remove_cgroup(self) -> None:
        """Its cgroup."""
        if self.cgroup is not None:
            self.cgroup.remove()

    def stop_listening(self) -> None:
        """The order socket; a slurmd that waits on it learns that the step has ended."""
        self.control.close()

    def release_srun(self) -> None:
        """Say goodbye to srun: now its step is on record."""
        if self.io is not None and not self.io.gone:
            self.io.done()
            self.loop.run(self._is_said)
            self.io.close()


    def close_files(self) -> None:
        """Everything that was opened for the tasks."""
        self.plumbing.close_ends()
        self.files.close()
        os.umask(0o077)


SETUP: tuple[Callable[[Supervisor], None], ...] = (
    Supervisor.take_name, Supervisor.listen, Supervisor.make_durable, Supervisor.make_cgroup, Supervisor.start_tasks,
    Supervisor.watch_memory)
CLEANUP: tuple[Callable[[Supervisor], None], ...] = (
    Supervisor.write_last_line, Supervisor.remove_cgroup, Supervisor.release_srun, Supervisor.stop_listening,
    Supervisor.close_files)
