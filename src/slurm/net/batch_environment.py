"""The environment a batch job is submitted with: what --export lets through, and what sbatch itself adds.

What tells of the allocation (nodes, CPUs, task counts …) is added by slurmctld and slurmd when the job starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from slurm.model.errors import SlurmError

_OF_THE_JOB_AROUND = (
    "SLURM_ARRAY_", "SLURM_CPUS_", "SLURM_CPU_", "SLURM_DISTRIBUTION", "SLURM_DIST_", "SLURM_GPUS", "SLURM_GTIDS", "SLURM_HET_",
    "SLURM_JOB", "SLURM_LAUNCH_", "SLURM_LOCALID", "SLURM_MEM_", "SLURM_NNODES", "SLURM_NODE", "SLURM_NPROCS", "SLURM_NTASKS", "SLURM_OOM_",
    "SLURM_OVERCOMMIT", "SLURM_PROCID", "SLURM_RESTART_COUNT", "SLURM_SHARDS_", "SLURM_SRUN_COMM_", "SLURM_STEP", "SLURM_TASK",
    "SLURM_THREADS_PER_CORE", "SLURM_TOPOLOGY_", "SLURM_TRES_PER_TASK", "SLURM_EXPORT_ENV", "SLURM_UMASK", "SLURMD_NODENAME",
)
"""Beginnings of the variables that describe the job which sbatch is called in; they would lie about the new one."""


def submitted_environment(
    environ: Mapping[str, str], export: str | None, export_file: str, submit_dir: str, leave_out: Callable[[str], None],
) -> dict[str, str]:
    """Every variable of the job as far as the submitter decides it. `export` is --export's text, None when it was not given.

    `leave_out` hears the name of each variable that is no UTF-8 text and cannot be sent. SlurmError when the file of --export-file cannot
    be read.
    """
    chosen = _exported(_own(environ), "NONE" if export is None and export_file else export)
    if export_file:
        chosen.update(_from_file(export_file))
    if export is not None:
        chosen["SLURM_EXPORT_ENV"] = export
    chosen.pop("SLURM_JWT", None)  # a secret of this machine: inside the job a daemon vouches for its owner
    chosen["SLURM_PRIO_PROCESS"] = str(os.getpriority(os.PRIO_PROCESS, 0))
    chosen["SLURM_SUBMIT_DIR"] = submit_dir
    chosen["SLURM_SUBMIT_HOST"] = os.uname().nodename
    for name in [name for name, value in chosen.items() if not (_is_text(name) and _is_text(value))]:
        leave_out(name)
        del chosen[name]
    return chosen


def _own(environ: Mapping[str, str]) -> Mapping[str, str]:
    if "SLURM_JOB_ID" not in environ:
        return environ
    return {name: value for name, value in environ.items() if not name.startswith(_OF_THE_JOB_AROUND)}


def _exported(environ: Mapping[str, str], export: str | None) -> dict[str, str]:
    if export is None or export == "ALL":
        return dict(environ)
    from slurm.notation import export as notation  # most submissions take everything

    return notation.apply(notation.parse(export), environ)


def _from_file(path: str) -> dict[str, str]:
    try:
        with open(path, "rb") as file:
            entries = file.read().decode(errors="surrogateescape").split("\0")
    except OSError as error:
        raise SlurmError("ESLURM_INVALID_OPTION", f"Unable to read --export-file {path}: {os.strerror(error.errno or 0)}") from error
    return {name: value for name, equals, value in (entry.partition("=") for entry in entries) if name and equals}


def _is_text(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
