"""Output file patterns, `slurm-%A_%a.out`: what they stand for and how many files they make. Opening files is slurmd's work."""

import re
from typing import NamedTuple

DEFAULT = "slurm-%j.out"
DEFAULT_ARRAY = "slurm-%A_%a.out"
NO_TASK = 4294967294
_MAX_WIDTH = 10
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_SYMBOL = re.compile(r"%([0-9]*)(.)", re.DOTALL)


class Fields(NamedTuple):
    """What the symbols stand for. `array_task` None outside an array; `step` is "batch" in the batch script."""

    job: int
    job_name: str = ""
    user: str = ""
    array_job: int | None = None
    array_task: int | None = None
    step: str = "batch"
    node_name: str = ""
    node: int = 0
    task: int = 0


def expand(pattern: str, fields: Fields) -> str:
    """The file name: %j %J %A %a %b %s %n %t with zero-padding (%5j, at most 10), %N %u %x %%.

    A backslash anywhere turns all symbols off; it is dropped, and of two one stays. Unknown symbols stay as written; outside an array %a is
    4294967294, as in Slurm. Source: sbatch(1), srun(1).
    """
    if "\\" in pattern:
        return _ESCAPED.sub(r"\1", pattern)
    return _SYMBOL.sub(lambda match: _value(match[0], match[1], match[2], fields), pattern)


def default(array_task: int | None) -> str:
    """The pattern used when none is given: of an array's task when there is one."""
    return DEFAULT if array_task is None else DEFAULT_ARRAY


def needs_per_task(pattern: str) -> bool:
    """Whether each task writes its own file (%t)."""
    return "t" in _symbols(pattern)


def needs_per_node(pattern: str) -> bool:
    """Whether each node writes its own file (%N, %n, and %t with them)."""
    return bool(_symbols(pattern) & {"N", "n", "t"})


def _symbols(pattern: str) -> set[str]:
    return set() if "\\" in pattern else {match[2] for match in _SYMBOL.finditer(pattern)}


def _value(written: str, width: str, symbol: str, fields: Fields) -> str:
    texts = {"%": "%", "N": fields.node_name, "u": fields.user, "x": fields.job_name}
    if symbol in texts:
        return texts[symbol]
    task = NO_TASK if fields.array_task is None else fields.array_task
    numbers = {
        "j": fields.job,
        "A": fields.job if fields.array_job is None else fields.array_job,
        "a": task,
        "b": task % 10,
        "n": fields.node,
        "t": fields.task,
    }
    pad = min(int(width[:3] or 0), _MAX_WIDTH)
    if symbol in numbers:
        return f"{numbers[symbol]:0{pad}d}"
    if symbol == "s":
        return fields.step.zfill(pad) if fields.step.isdigit() else fields.step
    if symbol == "J":
        return f"{fields.job:0{pad}d}" + (f".{fields.step}" if fields.step.isdigit() else "")
    return written
