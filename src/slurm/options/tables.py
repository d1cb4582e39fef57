"""Which rows belong to which command. Each table is read only when its command asks for it."""

from __future__ import annotations

from collections.abc import Iterable

from slurm.options.option import JOB_COMMANDS, Option

COMMANDS = (*JOB_COMMANDS, "squeue", "sinfo", "scancel", "scontrol", "sdiag", "sacct", "sstat", "sreport", "seff", "sacctmgr", "sshare",
    "sprio", "sbcast", "sgather", "scrontab", "sattach", "strigger")
"""Every command whose options stand in a table."""


_added: list[Option] = []


def add(options: Iterable[Option]) -> None:
    """Further options of sbatch, srun and salloc in this process, which a site's plug-ins have; in place of those added before."""
    _added[:] = options


def rows(command: str) -> tuple[Option, ...]:
    """The options of a command, in the order of its table; KeyError for a command without one."""
    if command in JOB_COMMANDS:
        from slurm.options.table import JOB_OPTIONS
        from slurm.options.table_launch import LAUNCH_OPTIONS
        from slurm.options.table_pyxis import PYXIS_OPTIONS

        return tuple(option for option in (*JOB_OPTIONS, *LAUNCH_OPTIONS, *PYXIS_OPTIONS, *_added) if option.of(command))
    if command == "squeue":
        from slurm.options.table_squeue import OPTIONS as SQUEUE

        return SQUEUE
    if command == "sinfo":
        from slurm.options.table_sinfo import OPTIONS as SINFO

        return SINFO
    if command == "scancel":
        from slurm.options.table_scancel import OPTIONS as SCANCEL

        return SCANCEL
    if command == "scontrol":
        from slurm.options.table_scontrol import OPTIONS as SCONTROL

        return SCONTROL
    if command == "sdiag":
        from slurm.options.table_sdiag import OPTIONS as SDIAG

        return SDIAG
    if command == "sreport":
        from slurm.options.table_sreport import OPTIONS as SREPORT

        return SREPORT
    if command == "sstat":
        from slurm.options.table_sstat import OPTIONS as SSTAT

        return SSTAT
    if command == "seff":
        from slurm.options.table_seff import OPTIONS as SEFF

        return SEFF
    if command == "sacct":
        from slurm.options.table_sacct import OPTIONS as SACCT

        return SACCT
    if command == "sacctmgr":
        from slurm.options.table_sacctmgr import OPTIONS as SACCTMGR

        return SACCTMGR
    if command == "sshare":
        from slurm.options.table_sshare import OPTIONS as SSHARE

        return SSHARE
    if command == "sprio":
        from slurm.options.table_sprio import OPTIONS as SPRIO

        return SPRIO
    return _beside(command)


def _beside(command: str) -> tuple[Option, ...]:
    """The options of the commands for the steps of jobs and for what happens by itself."""
    if command == "scrontab":
        from slurm.options.table_scrontab import OPTIONS as SCRONTAB

        return SCRONTAB
    if command == "strigger":
        from slurm.options.table_strigger import OPTIONS as STRIGGER

        return STRIGGER
    if command == "sattach":
        from slurm.options.table_sattach import OPTIONS as SATTACH

        return SATTACH
    if command in ("sbcast", "sgather"):
        from slurm.options import table_sbcast

        return table_sbcast.SBCAST if command == "sbcast" else table_sbcast.SGATHER
    raise KeyError(command)
