"""scontrol listpids, listjobs, liststeps and pidinfo: the processes of the caller's steps on this machine, or on a node that is named."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from slurm.commands.shell import Shell, day_and_time
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
    if ids and not ids[0][:1].isdigit():
        shell.raw(f'"{ids[0]}" does not look like a jobid')
        return 1
    node = words[1] if len(words) > 1 else _here(shell)
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


def listjobs(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`listjobs [NODE]`: the jobs of which steps of the caller's run on this machine or that node; operators see everybody's."""
    return _list(shell, "listjobs", words, "JOBID", lambda step: step.partition(".")[0])


def liststeps(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`liststeps [NODE]`: the same, each step."""
    return _list(shell, "liststeps", words, "STEPID", lambda step: step)


def _list(shell: Shell, keyword: str, words: list[str], title: str, shown: Callable[[str], str]) -> int:
    from slurm.client.usage import running

    if len(words) > 1:
        shell.raw(f"too many arguments for keyword:{keyword}")
        shell.hints([f"write scontrol {keyword} [NODE]"])
        return 1
    channel = shell.channel()
    try:
        found = running(channel, [], nodes=[words[0] if words else _here(shell)])
    except SlurmError as error:
        shell.error(error.message)
        shell.hints(error.hints)
        return 1
    finally:
        channel.close()
    for line in dict.fromkeys([title, *(shown(step.step) for step in found.steps)]):
        shell.out(line)
    return 0


def _here(shell: Shell) -> str:
    """The node that this machine is."""
    return shell.environ.get("SLURMD_NODENAME") or os.uname().nodename.partition(".")[0]


def pidinfo(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`pidinfo PID`: the job of a process of this machine, and when its time is over."""
    from slurm.client.usage import running

    if len(words) != 1 or not (words[0].isascii() and words[0].isdigit()):
        shell.raw(f"too {'few' if not words else 'many'} arguments for keyword:pidinfo" if len(words) != 1
            else f"Invalid process id: {words[0]}")
        shell.hints(["write scontrol pidinfo PID"])
        return 1
    node = _here(shell)
    channel = shell.channel()
    try:
        found = running(channel, [], nodes=[node], pids=True)
        job = next((step.step.partition(".")[0] for step in found.steps for one in step.pids if one.pid == int(words[0])), "")
        if not job:
            shell.error(f"Invalid job id specified: no job of yours on {node} has a process {words[0]}")
            return 1
        rows = channel.call({"type": "ListJobs", "fields": ["EndTime"], "filter": {"ids": [job]}}).get("rows")
    except SlurmError as error:
        shell.error(error.message)
        shell.hints(error.hints)
        return 1
    finally:
        channel.close()
    from slurm.notation import moment  # pidinfo alone reads a time

    now = time.time()
    end = moment.parse(rows[0][0], now, past=True) if isinstance(rows, list) and rows else now
    shell.out(f"Slurm JobId={job} ends at {day_and_time(end)}")
    shell.out(f"Job remaining time is {max(0, int(end - now))} seconds")
    return 0
