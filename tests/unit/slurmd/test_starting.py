"""Tasks on their way to their programs, when one is quicker than whoever looks after it."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm.slurmd.stepd import files
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.mpi.aborts import Aborts
from slurm.slurmd.stepd.starting import Starting
from slurm.slurmd.stepd.step import Step
from slurm.slurmd.stepd.tasks import Streams, Task


class IdleLoop:
    """A loop that gets to nothing."""

    def __init__(self) -> None:
        self.watched: set[int] = set()

    def at(self, when: float, call: Callable[[], None]) -> None:
        """A timer that never rings."""

    def watch(self, descriptor: int, events: int, callback: Callable[[int], None]) -> None:
        self.watched.add(descriptor)

    def unwatch(self, descriptor: int) -> None:
        self.watched.discard(descriptor)


def record(folder: Path, ranks: list[int]) -> StepRecord:
    return StepRecord(
        job=1, attempt=1, step=0, node="cn01", uid=os.geteuid(), gid=os.getegid(), user="me", argv=["sh", "-c", "echo $SLURM_PROCID"],
        environment={"PATH": "/usr/bin:/bin"}, work_dir=str(folder), ranks=ranks, rlimits={})


@pytest.mark.parametrize("count", [1, 3])
def test_what_a_task_opened_that_is_over_already_is_taken_and_the_others_start(tmp_path: Path, count: int) -> None:
    gc.collect()  # what earlier tests left
    before = len(os.listdir("/proc/self/fd"))
    loop, said = IdleLoop(), []
    started = [Task(rank, rank) for rank in range(count)]
    out = files.output(str(tmp_path / "out"), "stdout", append=True)
    nothing = files.source(os.devnull, 0)
    starting = Starting(
        loop, record(tmp_path, list(range(count))), started, on_started=lambda: said.append("started"),  # type: ignore[arg-type]
        on_refused=lambda sentence, status: said.append(sentence), on_note=said.append)
    starting.begin([Streams(nothing, out, out) for _ in started], None)
    os.waitpid(started[0].pid, 0)  # it has handed its files over and run to its end; nobody has looked yet
    starting.hear(started[0])
    assert said == ["started"]
    assert all(task.pid for task in started)
    for task in started[1:]:
        os.waitpid(task.pid, 0)
        starting.hear(task)
    starting.close()
    assert said == ["started"] and not loop.watched
    assert sorted((tmp_path / "out").read_text().split()) == [str(rank) for rank in range(count)]
    assert len(os.listdir("/proc/self/fd")) == before, "descriptors are left open"


def test_a_task_that_cannot_open_its_files_says_so_although_it_is_over(tmp_path: Path) -> None:
    loop, said = IdleLoop(), []
    task = Task(0, 0)
    missing = files.output(str(tmp_path / "none" / "out"), "stdout", append=False)
    starting = Starting(
        loop, record(tmp_path, [0]), [task], on_started=lambda: said.append("started"),  # type: ignore[arg-type]
        on_refused=lambda sentence, status: said.append(f"{status}: {sentence}"), on_note=said.append)
    starting.begin([Streams(files.source(os.devnull, 0), missing, missing)], None)
    os.waitpid(task.pid, 0)
    starting.hear(task)
    starting.close()
    assert len(said) == 1 and said[0].startswith("53: ") and "none/out" in said[0]


def test_the_others_count_as_children_once_the_end_of_the_first_has_started_them() -> None:
    """The step is not over between the end of its first task and the start of those that waited for what it opened."""
    step = Step.__new__(Step)
    step._aborts, step.mpi = Aborts(IdleLoop(), lambda rank: None), None  # type: ignore[arg-type]
    step._began, step._gatherer, step._reaped, step._epilogs = time.monotonic(), None, [], {}
    step.tasks = [Task(0, 0), Task(1, 1)]
    step.tasks[0].pid = os.spawnvp(os.P_NOWAIT, "true", ["true"])

    class Ending:
        grace = False

        def kill(self) -> None:
            raise AssertionError("a task runs")

    step.ending = Ending()  # type: ignore[assignment]

    def ended(task: Task) -> None:
        if task.local == 0:
            step.tasks[1].pid = os.spawnvp(os.P_NOWAIT, "sleep", ["sleep", "60"])

    step._on_task_ended = ended  # type: ignore[method-assign]
    step._begin_epilog = lambda task: None  # type: ignore[method-assign]
    os.waitid(os.P_PID, step.tasks[0].pid, os.WEXITED | os.WNOWAIT)
    step.on_child()
    try:
        assert step.children and step.tasks[0].status == 0 and step.tasks[1].status is None
    finally:
        os.kill(step.tasks[1].pid, 9)
        os.waitpid(step.tasks[1].pid, 0)
