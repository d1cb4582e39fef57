"""What a step has used: looks at its processes now and then, and what the kernel tells as they end, task by task.

A short step is never looked at: wait4(2) tells what it took. Looks come after one second, two, four and so on up to the interval of
JobAcctGatherFrequency, so that a job of half a minute has some too.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterable, Sequence

from slurm.slurmd.stepd.cgroup import Cgroup
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.usage import cgroup_figures, gpu_readings
from slurm.slurmd.stepd.usage.energy import WRAP_SECONDS, Rapl
from slurm.slurmd.stepd.usage.processes import Processes
from slurm.slurmd.stepd.usage.reaping import Ranked, Reaped, row_of
from slurm.slurmd.stepd.usage.task import TaskUsage
from slurm.slurmd.stepd.usage.tree import Tree

FIRST_SECONDS = 1.0
FRESH_SECONDS = 0.5
"""Who asks again within so long is told the same."""
_OWN_WORK = 2 << 20
"""Bytes by which a task may grow between its fork and its program."""
MOST_PIDS = 4096


def left_by_fork() -> int:
    """Bytes that a task has resident before it becomes its program: as much as slurmstepd, of which it is a copy."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + _OWN_WORK


def of_short_step(reaped: Sequence[Reaped], tasks: Sequence[Ranked]) -> dict[str, object] | None:
    """What a step that nobody looked at has used: {"ended": [rank, user, system, memory in kB, page faults, read, written] of each process,
    "floor": left_by_fork}; None when nothing of it ran."""
    return {"ended": [row_of(process, tasks) for process in reaped], "floor": left_by_fork()} if reaped else None


class Gatherer:
    """The usage of one step on this node.

    `cgroup()` is its cgroup once there is one; `processes` and `rapl` are the machine's own unless given.
    """

    def __init__(self, record: StepRecord, tasks: Sequence[Ranked], cgroup: Callable[[], Cgroup | None], *,
                 processes: Processes | None = None, rapl: Rapl | None = None, root: int = 0) -> None:
        self._record = record
        self._tasks = tasks
        self._cgroup = cgroup
        self._processes = processes or Processes(memory_by=record.memory_by)
        self._root = root
        self._tree: Tree | None = None  # a short step needs none
        floor = left_by_fork()
        self._used = {task.rank: TaskUsage(task.rank, floor) for task in tasks}
        self._rapl = rapl or (Rapl() if record.energy else None)
        self._joules = 0
        self._step_cpu: tuple[float, float] | None = None
        self._looked = 0.0
        self._pids: list[tuple[int, int]] = []

    # --- looking ---------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """See what its processes take now."""
        now = time.monotonic()
        since = now - self._looked if self._looked else 0.0
        self._looked = now
        if self._tree is None:
            self._tree = Tree(self._processes, self._root or os.getpid(), self._tasks, self._members if self._record.cgroup else None)
        found = self._tree.look()
        self._pids = [(reading.pid, rank) for rank, readings in found.items() for reading in readings]
        for rank, readings in found.items():
            self._used[rank].seen(readings)
        self._ask_cgroup()
        if self._record.gpu_readings:
            self._ask_gpus(since)
        self.look_at_energy()

    def look_at_energy(self) -> None:
        """Read the counters of energy, where there are some."""
        if self._rapl is not None:
            self._joules = self._rapl.joules()

    def _ask_cgroup(self) -> None:
        group = self._cgroup()
        if group is None or not self._record.cgroup_usage:
            return
        self._step_cpu = cgroup_figures.cpu(group.path) or self._step_cpu
        if len(self._used) == 1:
            memory = cgroup_figures.memory(group.path)
            if memory is not None:
                next(iter(self._used.values())).held(memory)

    def _ask_gpus(self, seconds: float) -> None:
        readings = gpu_readings.read(self._record.gpu_readings)
        sums = {rank: [0, 0] for rank in self._used}
        for pid, rank in self._pids:
            memory, percent = readings.get(pid, (0, 0))
            sums[rank][0] += memory
            sums[rank][1] += percent
        for rank, (memory, percent) in sums.items():
            self._used[rank].on_gpus(memory, percent, seconds)

    def _members(self) -> Iterable[int]:
        group = self._cgroup()
        return group.pids() if group is not None else ()

    def reaped(self, process: Reaped) -> None:
        """A child of slurmstepd was waited for."""
        rank = next((task.rank for task in self._tasks if task.pid == process.pid), None)
        if rank is None and self._tree is not None:
            rank = self._tree.rank_of(process.pid)
        self._used[self._tasks[0].rank if rank is None else rank].reaped(process)

    def finish(self) -> None:
        """All tasks have ended; the cgroup is still there."""
        self._ask_cgroup()
        self.look_at_energy()
        group = self._cgroup()
        at_most = cgroup_figures.peak(group.path) if group is not None and self._record.cgroup_usage and len(self._used) == 1 else None
        for used in self._used.values():
            used.never_seen_holding(at_most)

    # --- telling ---------------------------------------------------------------------------------------------------------

    @property
    def energy_seconds(self) -> float:
        """How often the counters of energy must be looked at besides; 0: not at all."""
        if self._rapl is None:
            return 0.0
        return min(self._record.energy_seconds or WRAP_SECONDS, WRAP_SECONDS)

    def pids(self) -> list[int]:
        """Every process of the step, as of now or of a moment ago."""
        self._refresh()
        return [pid for pid, _ in self._pids]

    def _refresh(self) -> None:
        if not self._looked or time.monotonic() - self._looked >= FRESH_SECONDS:
            self.look()

    def now(self) -> dict[str, object]:
        """What it has used until now: {"usage": …, "memory": bytes that it holds, "pids": [[pid, rank of the task that it is, else
        -1]]}."""
        self._refresh()
        begun = {task.pid: task.rank for task in self._tasks}
        return {"usage": self.usage(), "memory": sum(used.memory for used in self._used.values()),
                "pids": [[pid, begun.get(pid, -1)] for pid, _ in self._pids[:MOST_PIDS]]}

    def usage(self) -> dict[str, object] | None:
        """What its tasks used, as short as it can be told; None when none of them was started.

        {"tasks": [rank, user seconds, system seconds, memory, virtual memory, page faults, bytes read, bytes written] each, "step": [user,
        system] of the cgroup, "gpus": [bytes, percent at most, percent on average] each, "energy": joules}; the last three where they are
        measured. slurmd makes a model.accounting.Usage of it: slurmstepd, whose every page is a copy of the zygote's, does little.
        """
        begun = [self._used[task.rank] for task in self._tasks if task.pid]
        if not begun:
            return None
        told: dict[str, object] = {"tasks": [used.told() for used in begun]}
        if self._step_cpu is not None:
            told["step"] = self._step_cpu
        if self._record.gpu_readings:
            told["gpus"] = [[used.gpu_memory, used.gpu_percent, used.mean_gpu_percent] for used in begun]
        if self._rapl is not None:
            told["energy"] = self._joules
        return told
