"""Starting a step's tasks: in which order they are forked, which of them opens the files, and what happens when one does not get to its
program.

The first task opens what several share and hands it over; a task that has no program after `start_seconds` is ended, with a sentence that
says what it waited for. Nothing here waits by itself.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import socket
import time
from collections.abc import Callable, Sequence

from slurm.slurmd.stepd import files, passing, tasks
from slurm.slurmd.stepd.cgroup import Cgroup
from slurm.slurmd.stepd.container.inside import Inside
from slurm.slurmd.stepd.files import File
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.loop import READ, Loop
from slurm.slurmd.stepd.mpi.pmix import Pmix
from slurm.slurmd.stepd.mpi.service import Service
from slurm.slurmd.stepd.tasks import CANNOT_OPEN_STATUS, FAILED_STATUS, Birth, Streams, Task

_SCRIPTS_SECONDS = 5.0


class Starting:
    """The tasks of one step on their way to their programs.

    `on_started()` is called once all are forked and what they share is open, `on_refused(sentence, status)` for what keeps the step from
    running, `on_note(sentence)` for what its user should read although it ran. `mpi` gives each task what it inherits for MPI; they run in
    `container`.
    """

    def __init__(self, loop: Loop, record: StepRecord, started: Sequence[Task], mpi: Service | Pmix | None = None,
                 container: Inside | None = None, *,
                 on_started: Callable[[], None], on_refused: Callable[[str, int], None], on_note: Callable[[str], None]) -> None:
        self._loop = loop
        self._record = record
        self._tasks = started
        self._mpi = mpi
        self._container = container
        self._on_started = on_started
        self._on_refused = on_refused
        self._on_note = on_note
        self._stage = mmap.mmap(-1, 2 * len(started))
        self._reports: dict[int, socket.socket] = {}
        self._births: list[Birth] = []
        self._shared: list[File] = []
        self._open: list[int] = []
        self._waits_for_files = False  # from the first task, whose report they come by

    def begin(self, streams: Sequence[Streams], cgroup: Cgroup | None) -> None:
        """Fork what can be forked now. OSError."""
        opening = list(dict.fromkeys(file for three in streams for file in three[:3] if isinstance(file, File)))
        self._births = [Birth(self._record, task, given, self._stage, cgroup, container=self._container)
                        for task, given in zip(self._tasks, streams, strict=True)]
        self._loop.at(time.monotonic() + self._record.start_seconds, self._check)
        first = self._births[0]
        if self._record.is_batch:
            error_file = first.streams.stderr
            self._fork(first._replace(opening=opening, handed=[error_file] if isinstance(error_file, File) else ()))
            self._on_started()
        elif opening:
            self._shared = opening
            self._fork(first._replace(opening=opening, handed=opening))
            report = self._reports[0]
            self._waits_for_files = True
            self._loop.watch(report.fileno(), READ, lambda _events: self._files_are_here(report))
        else:
            for birth in self._births:
                self._fork(birth)
            self._on_started()

    def report_of(self, task: Task) -> socket.socket | None:
        """Where a task says what it must say before its exec, and where a batch script's error file waits; None once that is over."""
        return self._reports.get(task.local)

    def hear(self, task: Task) -> None:
        """Take what a task that has ended (or should have started) said: a task may be over before the loop has come to what it handed
        over.

        Descriptors that nobody waits for are dropped unread: closing them may block.
        """
        report = self._reports.get(task.local)
        while report is not None and self._waits_for_files and self._take_files(report):
            report = self._reports.get(task.local)
        while report is not None:
            try:
                packet = report.recv(passing.LONGEST)
            except BlockingIOError:
                return
            except ConnectionError:
                packet = b""
            if not packet:
                self._forget(task.local)
                return
            self._take(packet)

    @property
    def is_over(self) -> bool:
        """Whether every task has its program, or has ended."""
        return all(task.pid and (task.status is not None or self._has_program(task)) for task in self._tasks)

    def close(self) -> None:
        """Let go of everything; again: nothing happens."""
        for local in list(self._reports):
            self._forget(local)
        self._close_shared()
        self._stage.close()

    def _fork(self, birth: Birth) -> None:
        if self._mpi is None:
            self._reports[birth.task.local] = tasks.start(birth)
            return
        given = self._mpi.open(birth.task.rank, birth.task.local)
        try:
            self._reports[birth.task.local] = tasks.start(birth._replace(inherited=given.environment))
        finally:
            if given.descriptor >= 0:
                os.close(given.descriptor)  # the task has its own

    def _files_are_here(self, report: socket.socket) -> None:
        self._take_files(report)

    def _take_files(self, report: socket.socket) -> bool:
        """Take a packet of the first task, which has opened files or has ended without; False when none is there yet."""
        try:
            packet, descriptors = passing.receive(report)
        except BlockingIOError:
            return False
        self._open += descriptors
        if descriptors and len(self._open) < len(self._shared):
            return True
        self._waits_for_files = False
        self._loop.unwatch(report.fileno())
        if descriptors:
            self._fork_others(dict(zip(self._shared, self._open, strict=True)))
        elif packet:
            self._take(packet)
        else:
            self._forget(0)
        return True

    def _fork_others(self, found: dict[File, int]) -> None:
        def given(what: int | File) -> int:
            return found[what] if isinstance(what, File) else what

        try:
            for birth in self._births[1:]:
                stdin, stdout, stderr, terminal = birth.streams
                self._fork(birth._replace(streams=Streams(given(stdin), given(stdout), given(stderr), terminal)))
        except OSError as error:
            self._on_refused(f"cannot start: {error.strerror}", FAILED_STATUS)
        else:
            self._on_started()
        self._close_shared()

    def _close_shared(self) -> None:
        for descriptor in self._open:
            os.close(descriptor)
        self._open = []

    def _take(self, packet: bytes) -> None:
        if not packet.startswith(b"{"):
            return
        said = json.loads(packet)
        if "refused" in said:
            self._on_refused(str(said["refused"]), int(said["status"]))
        else:
            self._on_note(str(said["note"]))

    def _forget(self, local: int) -> None:
        report = self._reports.pop(local, None)
        if report is not None:
            self._loop.unwatch(report.fileno())
            report.close()

    def _check(self) -> None:
        """Every task should have its program by now."""
        for task in self._tasks:
            if task.pid and task.status is None and not self._has_program(task):
                if self._stage[2 * task.local] == tasks.SCRIPTS:  # they may take as long as they like
                    self._loop.at(time.monotonic() + _SCRIPTS_SECONDS, self._check)
                    continue
                self._on_refused(*self._late(task))
                return

    def _has_program(self, task: Task) -> bool:
        """Whether exec closed the task's end of its report. What waits there stays: a batch script's error file."""
        report = self._reports.get(task.local)
        if report is None:
            return True
        poll = select.poll()
        poll.register(report, 0)
        return any(events & select.POLLHUP for _, events in poll.poll(0))

    def _late(self, task: Task) -> tuple[str, int]:
        seconds = self._record.start_seconds
        stage, index = self._stage[2 * task.local], self._stage[2 * task.local + 1]
        if stage == tasks.FILES:
            opening = self._opening()
            return files.too_long(opening[min(index, len(opening) - 1)], seconds), CANNOT_OPEN_STATUS
        what = {
            tasks.OWNER: f"the groups of user {self._record.user} were not found",
            tasks.FOLDER: f"the working directory {self._record.work_dir} could not be entered",
            tasks.PLUGINS: "a plug-in of this site (task_init) did not come to an end",
            tasks.PROGRAM: f"{tasks.argv_of(self._births[task.local])[0]} could not be read",
        }.get(stage, "the task could not be set up")
        return f"cannot start: {what} within {seconds:.0f} s", FAILED_STATUS

    def _opening(self) -> list[File]:
        return list(dict.fromkeys(file for birth in self._births for file in birth.streams[:3] if isinstance(file, File)))
