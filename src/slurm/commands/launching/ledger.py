"""What became of each task of a step, and the words for it. Pure: frames come in through `step`, lines go out through it.

Tasks of one node that end alike within a moment share a line: "cn01: tasks 0-1: Exited with exit code 3".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from slurm.notation import exitstatus

WAITING = "waiting"
RUNNING = "running"
EXITED = "exited"
LOST_STATUS = 9
"""Wait status of tasks whose supervisor vanished: slurmd kills what is left of them."""


class Ending(NamedTuple):
    """How one task ended: its wait status, and whether memory ran out."""

    status: int
    out_of_memory: bool = False

    def words(self) -> str:
        """ "Exited with exit code 3", "Terminated", "Out Of Memory", "Completed"."""
        return "Out Of Memory" if self.out_of_memory and self.status else exitstatus.from_wait(self.status).words()

    def shell_code(self) -> int:
        """The exit code that srun makes of it."""
        return exitstatus.from_wait(self.status).shell_code()


class Notice(NamedTuple):
    """Tasks of one node that ended alike; `node` may have + and a number behind, where a step reaches a node more than once."""

    node: str
    ranks: tuple[int, ...]
    ending: Ending

    def text(self) -> str:
        """ "cn01: tasks 0-1: Exited with exit code 3"."""
        return f"{self.node.partition('+')[0]}: {tasks(self.ranks)}: {self.ending.words()}"


class Ledger:
    """The tasks of a step by global rank."""

    def __init__(self, layout: Iterable[tuple[str, Sequence[int]]]) -> None:
        self._node: dict[int, str] = {rank: node for node, ranks in layout for rank in ranks}
        self._state = dict.fromkeys(self._node, WAITING)
        self._unsaid: dict[tuple[str, Ending], list[int]] = {}
        self._worst = Ending(0)
        self._deciding = -1
        self._endings: dict[int, Ending] = {}

    @property
    def worst(self) -> Ending:
        """How the step went: the worst of its tasks' ends, or that of the task which aborted it."""
        return self._endings.get(self._deciding, self._worst)

    def decided_by(self, rank: int) -> None:
        """An MPI task has aborted the step: what it ended with is what the step ended with."""
        self._deciding = rank

    def __len__(self) -> int:
        return len(self._node)

    def started(self, node: str) -> int:
        """All tasks of a node run now; how many."""
        ranks = self._of(node)
        for rank in ranks:
            if self._state[rank] == WAITING:
                self._state[rank] = RUNNING
        return len(ranks)

    def ended(self, rank: int, ending: Ending) -> None:
        """A task ended; said with the next `take`. A second news of the same task is passed over."""
        node = self._node.get(rank)
        if node is None or self._state[rank] == EXITED:
            return
        self._state[rank] = EXITED
        self._unsaid.setdefault((node, ending), []).append(rank)
        self._endings[rank] = ending
        if ending.shell_code() > self._worst.shell_code():
            self._worst = ending

    def lost(self, node: str) -> bool:
        """The supervisor of a node vanished: its tasks count as killed; False when all of them had ended."""
        left = [rank for rank in self._of(node) if self._state[rank] != EXITED]
        for rank in left:
            self.ended(rank, Ending(LOST_STATUS))
        return bool(left)

    def take(self, node: str | None = None) -> list[Notice]:
        """What was not said yet, of one node or of all, in the order in which it happened."""
        keys = [key for key in self._unsaid if node is None or key[0] == node]
        return [Notice(key[0], tuple(sorted(self._unsaid.pop(key))), key[1]) for key in keys]

    def node_over(self, node: str) -> bool:
        """Whether all tasks of a node ended."""
        return all(self._state[rank] == EXITED for rank in self._of(node))

    @property
    def begun(self) -> bool:
        """Whether any task has started."""
        return any(state != WAITING for state in self._state.values())

    @property
    def unsaid(self) -> bool:
        """Whether `take` has something to give."""
        return bool(self._unsaid)

    def any_ended(self) -> bool:
        """Whether a task has ended."""
        return EXITED in self._state.values()

    def status_lines(self, step: str) -> list[str]:
        """ "StepId=12.0 tasks 0-2: running", a line for each state that tasks are in."""
        lines = []
        badly = {rank for rank, ending in self._endings.items() if ending.shell_code()}
        for state, failed, word in (
                (WAITING, False, "waiting to start"), (RUNNING, False, "running"), (EXITED, False, "exited"),
                (EXITED, True, "exited abnormally")):
            ranks = [rank for rank, present in self._state.items() if present == state and (rank in badly) is failed]
            if ranks:
                lines.append(f"{step} {tasks(ranks)}: {word}")
        return lines

    def _of(self, node: str) -> list[int]:
        return [rank for rank, name in self._node.items() if name == node]


def tasks(ranks: Sequence[int]) -> str:
    """ "task 1", "tasks 0-1", "tasks 0,2"."""
    return f"{'task' if len(ranks) == 1 else 'tasks'} {rank_ranges(ranks)}"


def rank_ranges(ranks: Iterable[int]) -> str:
    """Ranks in rising order as ranges: "0-3,7"."""
    runs: list[list[int]] = []
    for rank in sorted(ranks):
        if runs and rank == runs[-1][1] + 1:
            runs[-1][1] = rank
        else:
            runs.append([rank, rank])
    return ",".join(f"{low}-{high}" if low != high else str(low) for low, high in runs)
