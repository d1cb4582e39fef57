"""Which streams each task of a step gets: files, /dev/null, pipes to srun, or a pseudo terminal.

Nothing is forwarded here, no file is opened.
"""

from __future__ import annotations

import os

from slurm.notation import filenames
from slurm.slurmd.stepd import files
from slurm.slurmd.stepd.files import File
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.io import StepIO, set_window
from slurm.slurmd.stepd.tasks import Streams, Task
from slurm.wire import step_io


class Plumbing:
    """Makes the streams of the tasks; `close_ends` closes what only the tasks need, once they have started."""

    def __init__(self, record: StepRecord, io: StepIO | None) -> None:
        self._record = record
        self._io = io
        self._ends: list[int] = []
        self._outputs: dict[str, File] = {}

    def connect(self, task: Task) -> Streams:
        """The streams of a task: files, or what leads to srun, made and watched."""
        record = self._record
        if record.pty and task.local == 0 and record.node_rank == 0 and self._io is not None:
            return self._terminal(task, self._io)
        stdin = self._input(task)
        stdout = self._output(task, record.stdout, step_io.STDOUT)
        stderr = stdout if record.is_batch and not record.stderr else self._output(task, record.stderr, step_io.STDERR)
        return Streams(stdin, stdout, stderr)

    def late_stderr(self, task: Task, streams: Streams) -> int | File:
        """Where what a task's epilog complains of goes: its file, else a new pipe to srun; the new end is closed by `close_ends`."""
        if isinstance(streams.stderr, File):
            return streams.stderr
        assert self._io is not None, "a task has files or srun"
        reading, writing = os.pipe()
        self._ends.append(writing)
        self._io.add_outlet(task.rank, step_io.STDERR, reading)
        return writing

    def close_ends(self) -> None:
        """Close the tasks' ends of pipes, so that their end is seen when the tasks end. Again: nothing happens."""
        for descriptor in self._ends:
            os.close(descriptor)
        self._ends.clear()

    def _input(self, task: Task) -> int | File:
        wanted = self._record.stdin
        if self._io is not None and (wanted in ("all", "") or wanted == str(task.rank)):
            reading, writing = os.pipe()
            self._ends.append(reading)
            self._io.add_inlet(task.rank, writing)
            return reading
        path = os.devnull if wanted in ("none", "all", "") or wanted.isdigit() else self._expand(wanted, task)
        return files.source(os.path.join(self._record.work_dir, path), task.rank)

    def _output(self, task: Task, wanted: str, kind: int) -> int | File:
        if self._io is not None and (not wanted or wanted == str(task.rank)):
            reading, writing = os.pipe()
            self._ends.append(writing)
            self._io.add_outlet(task.rank, kind, reading)
            return writing
        path = os.devnull if wanted in ("none", "") or (wanted.isdigit() and self._io is not None) else self._expand(wanted, task)
        whole = os.path.join(self._record.work_dir, path)
        file = files.output(whole, "stdout" if kind == step_io.STDOUT else "stderr", append=self._record.append)
        return self._outputs.setdefault(whole, file)

    def _terminal(self, task: Task, io: StepIO) -> Streams:
        master, slave = os.openpty()
        set_window(master, self._record.rows, self._record.cols)
        self._ends.append(slave)
        io.add_outlet(task.rank, step_io.STDOUT, master)
        io.add_inlet(task.rank, master, terminal=True)
        return Streams(slave, slave, slave, terminal=True)

    def _expand(self, pattern: str, task: Task) -> str:
        record = self._record
        if record.is_batch:
            return pattern  # the controller expanded it
        array_job, array_task = (record.environment.get(f"SLURM_ARRAY_{name}") for name in ("JOB_ID", "TASK_ID"))
        return filenames.expand(pattern, filenames.Fields(
            job=record.job, job_name=record.environment.get("SLURM_JOB_NAME", ""), user=record.user,
            array_job=int(array_job) if array_job else None, array_task=int(array_task) if array_task else None,
            step=str(record.step), node_name=record.node, node=record.node_rank, task=task.rank))
