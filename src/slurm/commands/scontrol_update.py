"""`scontrol update KEY=value …`: which job, node or partition, and what of it. What the keys mean is decided in slurmctld."""

from __future__ import annotations

import os

from slurm.commands import scontrol_act, scontrol_reservations
from slurm.commands.shell import Message, Shell
from slurm.model.errors import NotFound, SlurmError, Unsupported
from slurm.options.resolve import Resolved

_TARGETS = {
    "jobid": "job", "job": "job", "nodename": "node", "node": "node", "partitionname": "partition", "partition": "partition",
    "reservationname": "reservation", "reservation": "reservation", "stepid": "step", "suspendexc": "suspendexc",
    "frontendname": "frontend",
    "jobname": "job_name",
}


_NOTHING = "No changes specified"
_NICE = "100"
"""What `nice` alone stands for."""


def update(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`update [job|node|partition] KEY=value …`."""
    if len(words) > 1 and "=" not in words[0]:
        words = [f"{words[0]}={words[1]}", *words[2:]] if "=" not in words[1] else words[1:]
    if not words:
        shell.raw("too few arguments for update keyword")
        shell.hints(["write scontrol update jobid=ID KEY=value, nodename=NAME KEY=value or partitionname=NAME KEY=value"])
        return 1
    first, equals, name = words[0].partition("=")
    if equals and scontrol_reservations.is_of_reservation(first):
        return scontrol_reservations.update(shell, name, words[1:])
    if not any(word.partition("=")[0].lower() in _TARGETS for word in words):
        return _no_entity(shell)
    changes: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals and key.lower() == "nice":
            value = _NICE
        elif not equals:
            shell.raw(f"Invalid input: {word}")
            shell.raw("Request aborted")
            shell.hints([f"write {key}=value"])
            return 1
        changes[key.rstrip("+-")] = key[len(key.rstrip("+-")) :] + value  # TimeLimit+=10 is TimeLimit=+10
    return _send(shell, changes)


def _send(shell: Shell, changes: dict[str, str]) -> int:
    for key in changes:
        target = _TARGETS.get(key.lower())
        if target == "job":
            ids = changes.pop(key)
            return _of_job(shell, ids, changes)
        if target == "node":
            names = changes.pop(key)
            if not changes:
                shell.raw(_NOTHING)
                return 1
            return _call(shell, {"type": "UpdateNode", "nodes": names, "changes": changes}, prefix="slurm_update error: ")
        if target == "partition" and not any(_TARGETS.get(other.lower()) == "job" for other in changes):
            return _of_partition(shell, changes.pop(key), changes)
        if target == "reservation" and not any(_TARGETS.get(other.lower()) in ("job", "job_name") for other in changes):
            return scontrol_reservations.update(shell, changes.pop(key), [f"{other}={text}" for other, text in changes.items()])
        if target in ("step", "suspendexc", "frontend"):
            raise Unsupported(message=f"scontrol update {key}= is not supported by slurm-py yet")
    for key in changes:
        if _TARGETS.get(key.lower()) == "job_name":
            return _of_name(shell, changes.pop(key), changes)
    return _no_entity(shell)


def _no_entity(shell: Shell) -> int:
    shell.raw("No valid entity in update command")
    shell.raw('Input line must include "NodeName", "PartitionName", "Reservation", "JobId", or "SlurmctldDebug"')
    return 1


def _of_partition(shell: Shell, name: str, changes: dict[str, str]) -> int:
    if not changes:
        shell.error(_NOTHING)
        return 1
    return _call(shell, {"type": "UpdatePartition", "name": name, "changes": changes}, prefix="slurm_update error: ", named=True)


def _of_job(shell: Shell, ids: str, changes: dict[str, str]) -> int:
    if not changes:
        shell.raw(_NOTHING)
        return 1
    channel = shell.channel()
    try:
        reply = channel.call({"type": "UpdateJob", "ids": ids, "changes": changes})
    except SlurmError as error:
        return _refused(shell, error, "", f" for job {ids}")
    finally:
        channel.close()
    scontrol_act.say_lines(shell, reply)
    sizes = reply.get("sizes")
    if isinstance(sizes, dict) and sizes and shell.environ.get("SLURM_JOB_ID"):
        return _write_sizes(shell, ids, {str(name): str(text) for name, text in sizes.items()})
    return 0


def _write_sizes(shell: Shell, job: str, sizes: dict[str, str]) -> int:
    """Scripts by which a shell inside the job has variables of its new size, as Slurm writes them into the current folder."""
    quoted = {name: text if name.endswith(("NNODES", "NUM_NODES")) else f'"{text}"' for name, text in sizes.items()}
    gone = ("SLURM_NPROCS", "SLURM_NTASKS", "SLURM_TASKS_PER_NODE")
    texts = {
        "sh": "".join([f"export {name}={text}\n" for name, text in quoted.items()] + [f"unset {name}\n" for name in gone]),
        "csh": "".join([f"setenv {name} {text}\n" for name, text in quoted.items()] + [f"unsetenv {name}\n" for name in gone])}
    for kind, text in texts.items():
        name = f"slurm_job_{job}_resize.{kind}"
        try:
            with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o700), "w") as file:
                file.write(text)
        except OSError as error:
            shell.error(f"Could not create file {name}: {error.strerror}")
            return 1
    shell.out("To reset Slurm environment variables, execute")
    shell.out(f"  For bash or sh shells:  . ./slurm_job_{job}_resize.sh")
    shell.out(f"  For csh shells:         source ./slurm_job_{job}_resize.csh")
    return 0


def _of_name(shell: Shell, name: str, changes: dict[str, str]) -> int:
    """Every job of this name."""
    channel = shell.channel()
    try:
        scontrol_act.say_lines(shell, channel.call({"type": "UpdateJob", "ids": f"name={name}", "changes": changes}))
        return 0
    except NotFound as error:
        shell.error(f"No jobs with name '{name}'")
        shell.hints(error.hints)
        return shell.failure_code(1)
    except SlurmError as error:
        return scontrol_act.refused(shell, error, "", f" for job {name}")
    finally:
        channel.close()


def _refused(shell: Shell, error: SlurmError, prefix: str, suffix: str, *, named: bool = False) -> int:
    """As `scontrol_act.refused`. Slurm ends its words on a key with "Request aborted"; those on values and, where `named`, every line of
    what is wrong with the words begin with the command's name."""
    if error.message.startswith("Update of this parameter"):
        error.message += "\nRequest aborted"
    if error.name == "ESLURM_INVALID_OPTION" and (named or error.message.startswith("Invalid ")):
        for line in error.message.splitlines():
            shell.error(line)
        shell.hints(error.hints)
        return shell.failure_code(1)
    return scontrol_act.refused(shell, error, prefix, suffix)


def _call(shell: Shell, request: Message, *, prefix: str = "", suffix: str = "", named: bool = False) -> int:
    channel = shell.channel()
    try:
        scontrol_act.say_lines(shell, channel.call(request))
        return 0
    except SlurmError as error:
        return _refused(shell, error, prefix, suffix, named=named)
    finally:
        channel.close()
