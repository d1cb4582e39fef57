"""Job arrays as `--array` writes them, `1-20%4`: task ids and how many may run at once. Id arithmetic lives in `taskset`."""

from typing import NamedTuple

from slurm.notation.errors import NotationError
from slurm.notation.taskset import MAX_TASK_ID, TaskSet

_VALID = 'task ids with an optional limit, such as "1-20%4", "0-15:4" or "1,3,5-7"'


class ArraySpec(NamedTuple):
    """The tasks of an array and how many may run at the same time (0: no limit)."""

    tasks: TaskSet
    limit: int = 0

    def show(self, max_length: int = 0) -> str:
        """ "3-200%2"; `max_length` as in TaskSet.show."""
        return show(self.tasks, self.limit, max_length)


def parse(text: str, max_size: int = 0) -> ArraySpec:
    """Reads `--array`; a comma or a percent sign too much is passed over, as in Slurm.

    With `max_size` > 0 (MaxArraySize) task ids must be below it. NotationError says what is wrong.
    """
    ids, _, limit_text = text.strip().partition("%")
    if limit_text and not (limit_text.isascii() and limit_text.isdigit() and len(limit_text) < 10):
        raise NotationError(f'"{limit_text}" is no limit', text=text, position=text.index("%") + 1, valid=_VALID)
    tasks = TaskSet.parse(_unbracketed(ids), max_size - 1 if max_size else MAX_TASK_ID)
    return ArraySpec(tasks, int(limit_text or 0))


def show(tasks: TaskSet, limit: int = 0, max_length: int = 0) -> str:
    """Task ids and limit as squeue shows them between the brackets: "3-200%2", "1,3,5-7", "0-998:2"."""
    shown = tasks.show(max_length)
    return f"{shown}%{limit}" if limit else shown


def _unbracketed(ids: str) -> str:
    return ids[1:-1] if ids.startswith("[") and ids.endswith("]") else ids
