"""Which processes belong to which task of a step, found again and again at little cost.

With a cgroup its processes are the step's. Without one all processes of the machine are looked through: those of others, once known, are
passed over by their number, so that a look costs one directory listing and the step's own processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from slurm.slurmd.stepd.usage.processes import Processes, Reading
from slurm.slurmd.stepd.usage.reaping import Ranked

_ANEW = 16
"""So many looks pass until the processes of others are looked at anew: a number may have been given to a new process."""
RANK_VARIABLE = "SLURM_PROCID"


class Tree:
    """The processes that descend from `root`, or that `members` tells of, each with the rank of its task.

    Whoever left its task's processes (a daemon) still has the task's session or environment; one that has neither belongs to the first
    task.
    """

    def __init__(self, processes: Processes, root: int, tasks: Iterable[Ranked],
            members: Callable[[], Iterable[int]] | None = None) -> None:
        self._processes = processes
        self._root = root
        self._tasks = list(tasks)
        self._ranks = {task.rank for task in self._tasks}
        self._members = members
        self._foreign: set[int] = set()
        self._looks = 0
        self._known: dict[tuple[int, int], int] = {}  # (pid, started) → rank
        self._by_pid: dict[int, int] = {}

    def look(self) -> dict[int, list[Reading]]:
        """Rank → its processes now; every rank of the step is there."""
        found = self._through_members() if self._members is not None else self._through_all()
        begun = {task.pid: task.rank for task in self._tasks if task.pid}
        sorted_out: dict[int, list[Reading]] = {rank: [] for rank in self._ranks}
        known: dict[tuple[int, int], int] = {}
        for reading in found.values():
            rank = self._rank_of(reading, found, begun)
            known[reading.pid, reading.started] = rank
            sorted_out[rank].append(reading)
        self._known = known
        self._by_pid = {pid: rank for (pid, _), rank in known.items()}
        return sorted_out

    def rank_of(self, pid: int) -> int | None:
        """Whose a process was when it was last looked at."""
        return self._by_pid.get(pid)

    def _rank_of(self, reading: Reading, found: Mapping[int, Reading], begun: Mapping[int, int]) -> int:
        passed: set[int] = set()
        one: Reading | None = reading
        while one is not None and one.pid not in passed:
            if one.pid in begun:
                return begun[one.pid]
            known = self._known.get((one.pid, one.started))
            if known is not None:
                return known
            passed.add(one.pid)
            one = found.get(one.parent)
        if reading.session in begun:
            return begun[reading.session]
        text = self._processes.variable(reading.pid, RANK_VARIABLE)
        if text.isdecimal() and int(text) in self._ranks:
            return int(text)
        return self._tasks[0].rank

    def _through_members(self) -> dict[int, Reading]:
        assert self._members is not None
        return self._whole(self._members())

    def _whole(self, pids: Iterable[int]) -> dict[int, Reading]:
        """Parents mostly first: the time of a child that is waited for meanwhile is missed by this look, and counted twice by none."""
        readings = (self._processes.look(pid) for pid in sorted(pids))
        return {reading.pid: reading for reading in readings if reading is not None}

    def _through_all(self) -> dict[int, Reading]:
        present = self._processes.pids()
        self._looks += 1
        self._foreign = self._foreign & present if self._looks % _ANEW else set()
        candidates = {reading.pid: reading for pid in present - self._foreign if (reading := self._processes.glance(pid)) is not None}
        own: dict[int, bool] = {self._root: True}
        for pid in candidates:
            self._descends(pid, candidates, own)
        self._foreign.update(pid for pid, ours in own.items() if not ours)
        return self._whole(pid for pid, ours in own.items() if ours and pid != self._root)

    @staticmethod
    def _descends(pid: int, candidates: Mapping[int, Reading], own: dict[int, bool]) -> None:
        """Note of a process and its ancestors whether they descend from the root."""
        path: list[int] = []
        while pid not in own and pid in candidates and pid not in path:
            path.append(pid)
            pid = candidates[pid].parent
        ours = own.get(pid, False)
        for each in path:
            own[each] = ours
