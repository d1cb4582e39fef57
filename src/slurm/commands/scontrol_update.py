"""`scontrol update KEY=value …`: which job, node or partition, and what of it. What the keys mean is decided in slurmctld."""

from __future__ import annotations

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
    changes: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            shell.raw(f"invalid option:{word}")
            shell.hints([f"write {key}=value"])
            return 1
        changes[key.rstrip("+-")] = key[len(key.rstrip("+-")) :] + value  # TimeLimit+=10 is TimeLimit=+10
    return _send(shell, changes)


def _send(shell: Shell, changes: dict[str, str]) -> int:
    for key in changes:
        target = _TARGETS.get(key.lower())
        if target == "job":
            ids = changes.pop(key)
            return _call(shell, {"type": "UpdateJob", "ids": ids, "changes": changes}, suffix=f" for job {ids}")
        if target == "node":
            return _call(shell, {"type": "UpdateNode", "nodes": changes.pop(key), "changes": changes}, prefix="slurm_update error: ")
        if target == "partition" and not any(_TARGETS.get(other.lower()) == "job" for other in changes):
            return _call(shell, {"type": "UpdatePartition", "name": changes.pop(key), "changes": changes}, prefix="slurm_update error: ")
        if target == "reservation" and not any(_TARGETS.get(other.lower()) in ("job", "job_name") for other in changes):
            return scontrol_reservations.update(shell, changes.pop(key), [f"{other}={text}" for other, text in changes.items()])
        if target in ("step", "suspendexc", "frontend"):
            raise Unsupported(message=f"scontrol update {key}= is not supported by slurm-py yet")
    for key in changes:
        if _TARGETS.get(key.lower()) == "job_name":
            return _of_name(shell, changes.pop(key), changes)
    shell.raw("No valid entity in update command")
    shell.raw('Input line must include "NodeName", "JobId" or "PartitionName"')
    return 1


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


def _call(shell: Shell, request: Message, *, prefix: str = "", suffix: str = "") -> int:
    channel = shell.channel()
    try:
        scontrol_act.say_lines(shell, channel.call(request))
        return 0
    except SlurmError as error:
        return scontrol_act.refused(shell, error, prefix, suffix)
    finally:
        channel.close()
