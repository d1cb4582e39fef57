"""`scontrol create|delete nodename=` and `partitionname=`, `reboot`, `cancel_reboot`: the words go to slurmctld, which knows what they
mean; here is what is printed."""

from __future__ import annotations

from slurm.commands import scontrol_act
from slurm.commands.shell import Message, Shell
from slurm.model.errors import SlurmError
from slurm.options.resolve import Resolved

_KINDS = {"nodename": "node", "node": "node", "partitionname": "partition", "partition": "partition"}


def kind_of(entity: str) -> str:
    """Which of both a word means: node, partition, or "" for neither."""
    return _KINDS.get(entity.lower(), "")


def create(shell: Shell, words: list[str]) -> int:
    """`create nodename=NAMES State=CLOUD KEY=value …`, `create partitionname=NAME KEY=value …`."""
    kind, name, rest = _named(words)
    changes: dict[str, str] = {}
    for word in rest:
        key, equals, value = word.partition("=")
        if not equals:
            shell.error(f"Invalid input: {word}  Request aborted")
            shell.hints([f"write {word}=VALUE"])
            return 1
        changes[key] = value
    if not name:
        shell.error(f"Invalid input: {words[0]}  Request aborted")
        shell.hints([f"write scontrol create {kind}name=NAME KEY=value …"])
        return 1
    request: Message = (
        {"type": "CreateNodes", "changes": {"NodeName": name, **changes}} if kind == "node"
        else {"type": "CreatePartition", "name": name, "changes": changes})
    return _asked(shell, request, "Error creating the node(s): " if kind == "node" else "Error creating the partition: ", errors=True)


def delete(shell: Shell, words: list[str]) -> int:
    """`delete nodename=NAMES`, `delete partitionname=NAME`."""
    kind, name, _ = _named(words)
    request: Message = {"type": "DeleteNodes", "nodes": name} if kind == "node" else {"type": "DeletePartition", "name": name}
    return _asked(shell, request, f"delete_{kind} {words[0]}: ")


def reboot(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`reboot [ASAP] [nextstate=RESUME|DOWN] [reason=TEXT] NODES|ALL`."""
    request: Message = {"type": "RebootNodes"}
    nodes = ""
    for word in words:
        key, equals, value = word.partition("=")
        if word.lower() == "asap":
            request["asap"] = True
        elif equals and key.lower() == "nextstate":
            request["next"] = value.upper()
        elif equals and key.lower() == "reason":
            request["reason"] = value.strip('"')
        else:
            nodes += f",{word}" if nodes else word
    if not nodes:
        shell.raw("too few arguments for keyword:reboot")
        shell.hints(["write scontrol reboot [ASAP] [nextstate=RESUME|DOWN] [reason=TEXT] NODES, or ALL"])
        return 1
    return _asked(shell, {**request, "nodes": nodes}, "scontrol_reboot_nodes error: ")


def cancel_reboot(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`cancel_reboot NODES`."""
    if not words:
        shell.raw("too few arguments for keyword:cancel_reboot")
        shell.hints(["write scontrol cancel_reboot NODES"])
        return 1
    return _asked(shell, {"type": "RebootNodes", "nodes": ",".join(words), "cancel": True}, "slurm_update error: ")


def _named(words: list[str]) -> tuple[str, str, list[str]]:
    """What is meant, its name, and the words that follow: `partition=p`, `partition p` and `partition name=p` alike."""
    entity, equals, name = words[0].partition("=")
    if equals or len(words) == 1:
        return kind_of(entity), name, words[1:]
    key, equals, value = words[1].partition("=")
    if equals and kind_of(key) != kind_of(entity):
        return kind_of(entity), "", words[1:]
    return kind_of(entity), value if equals else key, words[2:]


def _asked(shell: Shell, request: Message, prefix: str, *, errors: bool = False) -> int:
    channel = shell.channel()
    try:
        scontrol_act.say_lines(shell, channel.call(request))
        return 0
    except SlurmError as error:
        if errors:
            for line in error.preface:
                shell.error(line)
            error.preface = ()
            if error.message.startswith("Update of this parameter"):
                shell.error(error.message)
                shell.error("Request aborted")
                shell.hints(error.hints)
                return shell.failure_code(1)
        return scontrol_act.refused(shell, error, prefix, "")
    finally:
        channel.close()
