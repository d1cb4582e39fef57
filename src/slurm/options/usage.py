"""--help and --usage, written from the tables."""

from __future__ import annotations

from slurm.options import tables
from slurm.options.option import DECLINED, REFUSED, Option

_MISSING = (REFUSED, DECLINED)
_WIDTH = 100
_COLUMN = 36
OPERANDS = {  # what stands behind the options
    "sbatch": "[script [argument...]]", "srun": "program [argument...]", "salloc": "[program [argument...]]", "squeue": "", "sinfo": "",
    "scancel": "[job[_tasks][.step]...]", "scontrol": "[command [argument...]]",
    "sacct": "", "sdiag": "", "sstat": "[job[.step]...]", "seff": "job", "sreport": "[cluster|job|user report [condition...]]",
    "sacctmgr": "[command [argument...]]", "sshare": "", "sprio": "",
    "scrontab": "[file|-]", "sattach": "job.step", "strigger": "",
    "sbcast": "source destination", "sgather": "source destination",
}
PURPOSE = {
    "sbatch": "Submits a batch script; it runs when its resources are there.",
    "srun": "Runs a program as parallel tasks, in a job of its own or as a step of the present one.",
    "salloc": "Gets resources and runs a program, or a shell, that may use them.",
    "squeue": "Shows jobs and steps that wait or run.",
    "sinfo": "Shows partitions and nodes.",
    "scancel": "Ends or signals jobs, tasks of arrays and steps.",
    "sdiag": "Shows how busy slurmctld was: jobs, passes of the scheduler, requests.",
    "sstat": "Shows what running steps use.",
    "sreport": "Sums up the use of the cluster by account, user, wckey and size of jobs.",
    "seff": "Shows how much of the CPUs, memory and GPUs that a job held it used.",
    "sacctmgr": "Shows and changes who may use what: accounts, users, limits, QOS.",
    "sshare": "Shows shares of accounts and users, and what they used of them.",
    "sprio": "Shows what the priorities of waiting jobs are made of.",
    "sbcast": "Copies a file to every node of a job.",
    "strigger": "Runs programs when something happens to a job, to nodes or to a daemon.",
    "sattach": "Shows what the tasks of a running step say, and gives them what is typed.",
    "scrontab": "Shows, edits and replaces the crontab whose entries run as batch jobs again and again.",
    "sgather": "Copies a file from every node of a job.",
    "sacct": "Shows jobs and steps of the past and the present, as accounting knows them.",
    "scontrol": "Shows and changes jobs, nodes, partitions and the configuration.",
}


def usage_text(command: str) -> str:
    """The options in short, several a line."""
    words = [_brief(option) for option in tables.rows(command) if option.status not in _MISSING and not option.plugin]
    return _filled(f"Usage: {command} ", [*words, *OPERANDS[command].split(" ", 1)])


def help_text(command: str) -> str:
    """Purpose, call and one line an option that is carried out; the others are named at the end, but for those of plugins."""
    lines = [f"Usage: {command} [options] {OPERANDS[command]}".rstrip(), PURPOSE[command], ""]
    options = tables.rows(command)
    for option in options:
        if option.status in _MISSING or option.plugin:
            continue
        head = f"  {'-' + option.short + ',' if option.short else '   '} --{option.name}{_argument(option)}"
        gap = " " * (_COLUMN - len(head)) if len(head) < _COLUMN else "\n" + " " * _COLUMN
        lines.append(f"{head}{gap}{option.help}")
    refused = [f"--{option.name}" for option in options if option.status in _MISSING and not option.plugin]
    if refused:
        lines += ["", _filled("Not supported yet: ", [name + "," for name in refused[:-1]] + refused[-1:]).rstrip("\n")]
    return "\n".join(lines) + "\n"


def _argument(option: Option) -> str:
    if not option.allows_argument:
        return ""
    shown = option.metavar or "TEXT"
    return f"={shown}" if option.takes_argument else f"[={shown}]"


def _brief(option: Option) -> str:
    name = f"-{option.short}" if option.short else f"--{option.name}"
    if option.takes_argument:
        return f"[{name}{' ' if option.short else '='}{option.metavar or 'TEXT'}]"
    return f"[{name}]"


def _filled(start: str, words: list[str]) -> str:
    lines = [start.rstrip()]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > _WIDTH:
            lines.append(" " * len(start) + word)
        else:
            lines[-1] += " " + word
    return "\n".join(line.rstrip() for line in lines) + "\n"
