"""How people name jobs, tasks and steps on a command line: `123`, `123_4`, `123_[1-3,7]`, `123.0`, `123+1`, `123.batch`."""

from typing import NamedTuple

from slurm.notation import commas
from slurm.notation.errors import NotationError
from slurm.notation.taskset import TaskSet

_VALID = '"123", "123_4", "123_[1-3,7]", "123+1", "123.0", "123.batch"'
_STEP_NAMES = frozenset({"batch", "extern", "interactive"})


class JobRef(NamedTuple):
    """One job, some tasks of an array, or a step. `tasks` is None for the whole job, `het` None outside `id+offset`."""

    job: int
    tasks: TaskSet | None = None
    step: str = ""
    het: int | None = None

    def show(self) -> str:
        """The reference as it would be typed."""
        shown = str(self.job)
        if self.tasks is not None:
            ids = self.tasks.show()
            shown += f"_{ids}" if len(self.tasks) == 1 else f"_[{ids}]"
        if self.het is not None:
            shown += f"+{self.het}"
        return f"{shown}.{self.step}" if self.step else shown


def parse(text: str) -> JobRef:
    """Reads one reference; "123_*" means every task, as "123" does. NotationError for anything else."""
    if _is_number(text) and text != "0" * len(text):  # what nearly all are
        return JobRef(int(text))
    stripped = text.strip()
    body, dot, step = stripped.partition(".")
    if dot and not (_is_number(step) or step in _STEP_NAMES):
        raise NotationError(f'"{step}" is no step', text=text, position=text.index(".") + 1, valid='a number, "batch" or "extern"')
    job, underscore, ids = body.partition("_")
    het: int | None = None
    if not underscore:
        job, plus, offset = body.partition("+")
        if plus:
            if not _is_number(offset):
                raise NotationError(f'"{offset}" is no component', text=text, position=text.index("+") + 1, valid=_VALID)
            het = int(offset)
    if not _is_number(job) or int(job) == 0:
        raise NotationError("not a job id", text=text, valid=_VALID)
    return JobRef(int(job), _parse_tasks(text, ids) if underscore and ids != "*" else None, step, het)


def parse_list(text: str) -> list[JobRef]:
    """Reads references separated by commas."""
    return [parse(piece) for _, piece in commas.pieces(text)]


def _parse_tasks(text: str, ids: str) -> TaskSet:
    if ids.startswith("[") and ids.endswith("]"):
        return TaskSet.parse(ids[1:-1].partition("%")[0])
    if not _is_number(ids):
        raise NotationError(f'"{ids}" is no task id', text=text, position=text.index("_") + 1, valid=_VALID)
    return TaskSet.parse(ids)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
