"""scontrol listpids: the processes of the caller's steps on this machine, or on a node that is named."""

from __future__ import annotations

import os

from slurm.commands.shell import Shell
from slurm.model.errors import SlurmError
from slurm.options.resolve import Resolved

_LAYOUT = "{:<8} {:<8} {:<8} {:<7} {:<8}"


def listpids(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`listpids [JOBID[.STEPID]] [NODE]`; "*" is every job."""
    from slurm.client.usage import running  # typed answers cost a command 10 ms that others do not pay

    if len(words) > 2:
        shell.raw("too many arguments for keyword:listpids")
        shell.hints(["write scontrol listpids [JOBID[.STEPID]] [NODE]"])
        return 1
    ids = [words[0]] if words and words[0] != "*" else []
    node = words[1] if len(words) > 1 else shell.environ.get("SLURMD_NODENAME") or os.uname().nodename.partition(".")[0]
    channel = shell.channel()
    try:
        found = running(channel, ids, nodes=[node], pids=True)
        for error in found.refused.values():
            raise error
    except SlurmError as error:
        shell.error(error.message)
        shell.hints(error.hints)
        return 1
    finally:
        channel.close()
    shell.out(_LAYOUT.format("PID", "JOBID", "STEPID", "LOCALID", "GLOBALID"))
    for step in found.steps:
        for one in step.pids:
            local, task = ("-", "-") if one.task < 0 else (str(one.local), str(one.task))
            shell.out(_LAYOUT.format(one.pid, step.job, step.step.rpartition(".")[2], local, task))
    late = [step for step in found.steps if step.silent]
    for step in late:
        shell.error(f"{step.silent} did not answer in time about step {step.step}")
    return 1 if late else 0
