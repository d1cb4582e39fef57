"""The environment of a step's tasks, as far as srun decides it: what --export lets through, the allocation's and the step's variables.

What differs from node to node or from task to task is added by slurmd and slurmstepd.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

_USUAL_LEVEL = 3
"""SRUN_DEBUG of an srun without -v and -Q."""
_LAUNCHER = "127.0.0.1"


def of_tasks(
    environ: Mapping[str, str], export: str, allocation: Mapping[str, str], step: Mapping[str, str], *,
    umask: int, level: int, keep: bool, leave_out: Callable[[str], None],
) -> dict[str, str]:
    """All variables of the tasks. `keep` (-E): what `environ` says of the job's size stays.

    `leave_out` hears the name of each variable that is no UTF-8 text and cannot be sent.
    """
    told = {**allocation, **step}
    if keep:
        told = {name: value for name, value in told.items() if name not in _SIZES or name not in environ}
    tasks = {
        **_exported(environ, export), **told,
        "SLURM_LAUNCH_NODE_IPADDR": _LAUNCHER,
        "SLURM_SRUN_COMM_HOST": _LAUNCHER,
        "SLURM_PRIO_PROCESS": str(os.getpriority(os.PRIO_PROCESS, 0)),
        "SLURM_UMASK": f"{umask:04o}",
        "SRUN_DEBUG": str(_USUAL_LEVEL + level),
    }
    tasks.pop("SLURM_JWT", None)  # as in net.batch_environment
    for name in [name for name, value in tasks.items() if not (_is_text(name) and _is_text(value))]:
        leave_out(name)
        del tasks[name]
    return tasks


_SIZES = frozenset({"SLURM_NNODES", "SLURM_NTASKS", "SLURM_NPROCS", "SLURM_TASKS_PER_NODE"})
"""What -E keeps. Source: srun(1) --preserve-env."""


def _exported(environ: Mapping[str, str], export: str) -> dict[str, str]:
    if export in ("", "ALL"):
        return dict(environ)
    from slurm.notation import export as notation  # most steps take everything

    return notation.apply(notation.parse(export), environ)


def _is_text(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
