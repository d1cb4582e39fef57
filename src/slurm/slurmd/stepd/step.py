"""A step under supervision: what is known of it, and what can be done to it.

What is set up before it and cleaned up after it are `hooks`.
"""

from __future__ import annotations

import os
import signal
import time
import traceback

from slurm.notation.printable import printable
from slurm.slurmd.stepd import folder, memory, messages, task_scripts, telling, tree
from slurm.slurmd.stepd.cgroup import Cgroup
from slurm.slurmd.stepd.container.inside import Inside
from slurm.slurmd.stepd.control import Control
from slurm.slurmd.stepd.ending import Ending
from slurm.slurmd.stepd.folder import Ended
from slurm.slurmd.stepd.io import StepIO
from slurm.slurmd.stepd.loop import Loop
from slurm.slurmd.stepd.mpi.aborts import Aborts
from slurm.slurmd.stepd.mpi.exchange import aborting
from slurm.slurmd.stepd.mpi.pmix import Pmix
from slurm.slurmd.stepd.mpi.service import Service
from slurm.slurmd.stepd.plumbing import Plumbing
from slurm.slurmd.stepd.srun_line import SrunLine
from slurm.slurmd.stepd.starting import Starting
from slurm.slurmd.stepd.suspension import Suspension
from slurm.slurmd.stepd.tasks import FAILED_STATUS, Streams, Task, environment_of
from slurm.slurmd.stepd.timekeeping import Timekeeping
from slurm.slurmd.stepd.usage.gatherer import Gatherer, of_short_step
from slurm.slurmd.stepd.usage.reaping import Reaped, reap
from slurm.slurmd.stepd.x11 import Display

_CLOSELY_SECONDS = 0.1
"""A step that lasted so long may pay for what it read and wrote being looked up."""
_FAULTS = 20
"""So many faults of our own are told and survived; then the step is given up."""


class Step:
    """One step. `journal` is its open, locked journal, `connection` that to srun for a step of srun; the current folder is the step's.

    `control`, `timekeeping`, `io`, `cgroup`, `mpi`, `plumbing` and `starting` are there once their hooks have set them up.
    """

    def __init__(self, loop: Loop, journal: int, connection: SrunLine | None) -> None:
        self.loop = loop
        self.record = folder.read_record(journal)
        self.journal = journal
        self.connection = connection
        self.tasks = [Task(rank, local) for local, rank in enumerate(self.record.ranks)]
        self.ending = Ending(loop, self.record.unkillable_seconds)
        self.ending.spared = lambda: self._epilogs
        self.ending.adopts = self.record.is_extern
        self.children = False
        self.refusal = ""
        self.refusal_status = 0
        self.note = ""
        self.recorded = False  # whether the last line of its journal is on disk
        self.io: StepIO | None = None
        self.cgroup: Cgroup | None = None
        self.mpi: Service | Pmix | None = None
        self.container: Inside | None = None
        self.display: Display | None = None
        self.plugins_begun = False
        self._aborts = Aborts(loop, self._end_aborted)
        self._gatherer: Gatherer | None = None
        self._reaped: list[Reaped] = []  # before there is one
        self._began = time.monotonic()
        self.plumbing: Plumbing | None = None
        self.starting: Starting | None = None
        self._epilogs: dict[int, Task] = {}  # pid → whose epilog it is
        self._streams: list[Streams] = []
        self.control: Control | None = None
        self.timekeeping: Timekeeping | None = None
        self._suspension = Suspension(loop, lambda: self.cgroup, lambda: self._epilogs, self._has_begun)
        self.ending.before = self._suspension.end
        self._over_memory = False
        self._killed = 0  # processes, by the kernel, for memory
        self._faults = 0

    # --- its life --------------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Until no process of it is left, or the kernel does not let go of one."""
        while not self._is_over():
            try:
                self.loop.run(self._is_over)
            except Exception as error:  # noqa: BLE001 - it ends this step, in order, and no other
                self.fail("while it ran", error)
        self._note_killed()

    def _is_over(self) -> bool:
        return self._faults > _FAULTS or bool(self.ending.unkillable) or (
            not self.children and self.is_said() and not self._holds())

    def _holds(self) -> bool:
        """Whether it goes on without a child of its own: an extern step until its job's end, whatever becomes of its holder."""
        if not self.record.is_extern or self.refusal:
            return False
        if not os.path.lexists(folder.SOCKET):  # nobody can end it any more
            return False
        return not self.ending.begun or bool(self.ending.adopted())

    def adopt(self, pid: int) -> None:
        """Take a process that was begun elsewhere for the step's own. ValueError when that cannot be."""
        if not self.record.is_extern or self.ending.begun or not self.is_open:
            raise ValueError("the step takes no processes from elsewhere, or not any more")
        if self.cgroup is None:
            raise ValueError("the step has no cgroup: ProctrackType=proctrack/cgroup is needed to take processes from elsewhere")
        try:
            self.cgroup.adopt(pid)
        except OSError as error:
            raise ValueError(f"process {pid} cannot be moved into the step's cgroup: {error.strerror}") from error

    @property
    def is_open(self) -> bool:
        """Whether what it is set up with is there, and it has not been refused."""
        return self.starting is not None and not self.refusal
    def is_said(self) -> bool:
        """Whether srun has all there is, or nobody is to be waited for."""
        return self.io is None or self.io.drained or self.ending.overdue

    def begin(self) -> None:
        """Start its tasks. OSError."""
        self.starting = Starting(
            self.loop, self.record, self.tasks, self.mpi, self.container,
            on_started=self._on_started, on_refused=self.refuse, on_note=self._on_note)
        self.plumbing = Plumbing(self.record, self.io)
        self._streams = [self.plumbing.connect(task) for task in self.tasks]
        self.children = True
        try:
            self.starting.begin(self._streams, self.cgroup)
        except OSError:
            self.children = any(task.pid for task in self.tasks)
            raise

    def _on_started(self) -> None:
        if self.plumbing is not None:
            self.plumbing.close_ends()
        if self.io is not None:
            self.io.started({task.rank: task.pid for task in self.tasks})

    def _on_note(self, sentence: str) -> None:
        if self.record.is_batch:  # srun shows what its tasks say
            self.note = self.note or sentence

    def on_child(self) -> None:
        """A child has ended."""
        ended, self.children = reap(self._count, closely=time.monotonic() - self._began > _CLOSELY_SECONDS)
        for pid in ended.keys() & self._epilogs.keys():
            del self._epilogs[pid]
        for task in self.tasks:
            if task.status is None and task.pid in ended:
                task.status = self._aborts.status(task.rank, ended[task.pid])
                self._on_task_ended(task)
                self._begin_epilog(task)
        self.children = self.children or bool(self._epilogs)
        self.children = self.children or any(task.pid and task.status is None for task in self.tasks)  # started by the end of the first
        over = all(task.status is not None for task in self.tasks if task.pid)
        if over and self.mpi is not None and all(task.pid for task in self.tasks):
            self.mpi.close()
        if self.children and over and self.starting is not None and not self.ending.grace and not self.record.wait_for_children:
            self.ending.kill()

    def _on_task_ended(self, task: Task) -> None:
        assert task.status is not None
        if task.status:
            self._note_killed()  # while its error file is at hand
        if self.starting is not None:
            self.starting.hear(task)
        if self.refusal:
            return
        if self.io is not None:
            self.io.exited(task.rank, task.status, oom=self.out_of_memory())
            if not all(other.pid for other in self.tasks):
                self.refuse("the step was ended before all of its tasks had started", task.status)
        self._aborts.ended(task.rank)
        if task.status and self.record.kill_on_bad_exit and len(self.tasks) > 1:
            self.end("task_failure", self.record.kill_wait, 0.0)

    def _begin_epilog(self, task: Task) -> None:
        """A task that had begun has ended: its epilogs are run, if there are any."""
        if not self.record.task_epilogs or self.refusal or self.plumbing is None:
            return
        stderr = self.plumbing.late_stderr(task, self._streams[task.local])
        try:
            pid = task_scripts.start_epilogs(self.record, environment_of(self.record, task), stderr)
        except OSError as error:
            self.complain(f"the epilog of task {task.rank} cannot be begun: {error.strerror}")
            return
        finally:
            self.plumbing.close_ends()
        self._epilogs[pid] = task

        def end() -> None:
            if pid in self._epilogs:
                tree.send([pid, *tree.descendants(pid)], signal.SIGKILL)

        self.loop.at(time.monotonic() + task_scripts.EPILOG_SECONDS, end)

    # --- what is done to it ----------------------------------------------------------------------------------------------

    def end(self, why: str, kill_wait: float, at: float) -> None:
        """End the step from outside its tasks, and say why where its user looks."""
        if not self.ending.asked:
            self._tell(messages.ended_from_outside(self.record, why, at, time.time()))
            if self.io is not None and why:
                self.io.aborted(why)
        self.ending.ask(why, kill_wait)

    def abort(self, rank: int, code: int, why: str) -> None:
        """An MPI task ends the whole step with this code; `why` is told, where it says something."""
        if self._aborts.ask(rank, code) and why:
            self._tell(messages.error(f"{self.record.key.shown}: task {rank} aborted: {printable(why)}", time.time()), any_node=True)

    def _end_aborted(self, rank: int) -> None:
        if self.io is not None:
            self.io.exchange(aborting(rank))
        for task in self.tasks:
            if task.rank == rank:
                task.signal(signal.SIGKILL)
        self.end("task_failure", self.record.kill_wait, 0.0)

    def signal(self, number: int, *, first: bool, everything: bool) -> None:
        """Signal its tasks (or only the first process of each), or every process."""
        if number in (signal.SIGTERM, signal.SIGKILL):
            self._tell(messages.signalled(self.record, number, time.time()))
        if self._suspension.asked and number in (signal.SIGCONT, signal.SIGSTOP, signal.SIGTSTP):
            return  # what a suspended step does is for slurmctld to say
        if everything:
            self.ending.signal_all(number)
            return
        for task in self.tasks:
            task.signal(number, alone=first)

    def _has_begun(self) -> bool:
        return self.starting is not None and self.starting.is_over

    def suspend(self, suspended: bool, grace: float) -> None:
        """Have every process of it hold still, or go on; what is to end is not suspended any more."""
        if self.timekeeping is not None:
            self.timekeeping.stand_still(suspended)
        if not suspended:
            self._suspension.end()
        elif not self.ending.asked:
            self._suspension.begin(grace)

    def refuse(self, sentence: str, status: int) -> None:
        """It cannot run: nothing of it goes on, and its user reads this sentence. Only the first one counts."""
        if self.refusal:
            return
        self.complain(sentence)
        self.refusal, self.refusal_status = sentence, status
        if self.plumbing is not None:
            self.plumbing.close_ends()
        if self.io is not None:
            self.io.failed(sentence)
        if self.children:
            self.ending.kill()

    def fail(self, where: str, error: Exception) -> None:
        """A fault of our own: it is in the log with its story, its user is told, and the step ends in order."""
        self._faults += 1
        if self._faults > 1:
            return
        self.complain(f"slurmstepd failed {where}: {error!r}")
        traceback.print_exception(error)
        self.refuse(f"slurmstepd failed {where}: {error}; the log of slurmd on {self.record.node} has the details", FAILED_STATUS)
        self.loop.at(time.monotonic(), self.ending.kill)

    def complain(self, sentence: str) -> None:
        """A line in slurmd's log."""
        os.write(2, f"slurmstepd: error: {self.record.key.shown}: {printable(sentence)}\n".encode(errors="backslashreplace"))

    def notice(self, sentence: str) -> None:
        """Something that its user may want to know while he waits."""
        self._tell(f"slurmstepd: {printable(sentence)}\n")

    def remark(self, sentence: str) -> None:
        """What somebody else has to say to its user (scontrol notify)."""
        self._tell(messages.error(printable(sentence), time.time()))

    def _tell(self, line: str, *, any_node: bool = False) -> None:
        if line and self.io is not None:
            if any_node or self.record.node_rank == 0:
                self.io.notice(line)
        elif line and self.record.is_batch and self.starting is not None:
            report = self.starting.report_of(self.tasks[0])
            if report is not None:
                telling.write_line(report, line)

    # --- usage -----------------------------------------------------------------------------------------------------------

    @property
    def gatherer(self) -> Gatherer:
        """Who looks at its processes; made when somebody looks: for most steps nobody does."""
        if self._gatherer is None:
            self._gatherer = Gatherer(self.record, self.tasks, lambda: self.cgroup)
            for process in self._reaped:
                self._gatherer.reaped(process)
        return self._gatherer

    @property
    def is_gathered(self) -> bool:
        """Whether somebody has looked."""
        return self._gatherer is not None

    def _count(self, process: Reaped) -> None:
        if self._gatherer is not None:
            self._gatherer.reaped(process)
        else:
            self._reaped.append(process)

    # --- memory ----------------------------------------------------------------------------------------------------------

    def look_at_memory(self) -> None:
        """End it when it holds more memory than it may; look again later when it does not."""
        limit = self.record.memory << 20
        used = memory.held(self.gatherer.pids(), limit)
        if used <= limit:
            self.loop.at(time.monotonic() + self.record.memory_looks, self.look_at_memory)
            return
        self._over_memory = True
        self._tell(messages.over_memory(self.record, used, time.time()))
        self.ending.kill()

    def out_of_memory(self) -> bool:
        """Whether it, or a process of it, was killed for memory."""
        return self._over_memory or self._killed > 0 or (self.cgroup is not None and self.cgroup.killed_for_memory() > 0)

    def _note_killed(self) -> None:
        """What its cgroup tells of them, which goes; its user reads it, once."""
        before, self._killed = self._killed, self.cgroup.killed_for_memory() if self.cgroup is not None else 0
        if self._killed and not before:
            self._tell(messages.killed_for_memory(self.record, self._killed, time.time()))

    # --- how it ended ----------------------------------------------------------------------------------------------------

    def _used(self) -> dict[str, object] | None:
        """What it used; a fault of ours in counting keeps nobody from hearing how it ended."""
        try:
            return self._gatherer.usage() if self._gatherer is not None else of_short_step(self._reaped, self.tasks)
        except Exception as error:  # noqa: BLE001 - it is told, and the end is told without
            self.complain(f"what it used cannot be told: {error!r}")
            traceback.print_exception(error)
            return None

    @property
    def status(self) -> int:
        """The wait status by which it is known: the highest of its tasks, unless it was refused or is unkillable."""
        if self.record.is_extern and not self.refusal and not self.ending.unkillable:
            return 0  # how its holder ended says nothing
        return self.refusal_status or (signal.SIGKILL if self.ending.unkillable else 0) or max(
            (task.status for task in self.tasks if task.status is not None), default=0)

    def ended(self) -> Ended:
        """The last line of its journal."""
        left = self.ending.unkillable
        note = self.refusal or self.note or (f"processes that SIGKILL does not end are left: {', '.join(map(str, left))}" if left else "")
        return Ended(
            self.status, self.out_of_memory(), self._used(), time.time(), note,
            statuses={} if self.record.is_batch else {str(task.rank): task.status for task in self.tasks if task.status is not None},
            began=not self.refusal, unkillable=left,
            limit=self.timekeeping.ended_for if self.timekeeping is not None else "")
