"""`scontrol create|update|delete reservation …`: the words go to slurmctld, which knows what they mean; here is what is printed."""

from __future__ import annotations

from slurm.commands import scontrol_nodes
from slurm.commands.shell import Message, Shell
from slurm.model.errors import SlurmError
from slurm.options.resolve import Resolved

NOTE = ("Note, unless nodes are directly requested a reservation must exist in a single partition.",
        "If no partition is requested the default partition is assumed.")
"""What scontrol itself says below a refusal of nodes that it was to choose."""
_NAME = ("reservationname", "reservation")


def create(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`create reservation [ReservationName=NAME] KEY=value …`."""
    if not words:
        shell.raw("too few arguments for create keyword")
        shell.hints(["write scontrol create reservation StartTime=now Duration=60 Users=NAME Nodes=HOSTS"])
        return 1
    entity, equals, name = words[0].partition("=")
    if scontrol_nodes.kind_of(entity):
        return scontrol_nodes.create(shell, words)
    if not _is_reservation(entity):
        return _other(shell, "creation", words[0])
    changes = _changes(shell, [f"ReservationName={name}", *words[1:]] if equals else words[1:], "No reservation created.")
    if changes is None:
        return 1
    channel = shell.channel()
    try:
        shell.out(f"Reservation created: {channel.call({'type': 'CreateReservation', 'changes': changes})['name']}")
        return 0
    except SlurmError as error:
        return _refused(shell, error, "Error creating the reservation: ")
    finally:
        channel.close()


def update(shell: Shell, name: str, words: list[str]) -> int:
    """`update reservationname=NAME KEY=value … [skip]`."""
    changes = _changes(shell, ["Skip=1" if word.lower() == "skip" else word for word in words], "No reservation update.")
    if changes is None:
        return 1
    channel = shell.channel()
    try:
        channel.call({"type": "UpdateReservation", "name": name, "changes": changes})
        shell.out("Reservation updated.")
        return 0
    except SlurmError as error:
        code = _refused(shell, error, "Error updating the reservation: ", again="slurm_update error: ")
        return code
    finally:
        channel.close()


def delete(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`delete reservationname=NAME`."""
    if not words:
        shell.raw("too few arguments for delete keyword")
        shell.hints(["write scontrol delete reservationname=NAME"])
        return 1
    entity, equals, name = words[0].partition("=")
    if scontrol_nodes.kind_of(entity):
        return scontrol_nodes.delete(shell, words)
    if not _is_reservation(entity):
        return _other(shell, "deletion", words[0])
    if not equals and len(words) > 1:
        name = words[1].partition("=")[2] if "=" in words[1] else words[1]
    request: Message = {"type": "DeleteReservation", "name": name}
    channel = shell.channel()
    try:
        channel.call(request)
        return 0
    except SlurmError as error:
        shell.raw(f"delete_reservation {' '.join(words[:1 if equals else 2])}: {error.message}")
        shell.hints(error.hints)
        return shell.failure_code(1)
    finally:
        channel.close()


def is_of_reservation(key: str) -> bool:
    """Whether an `update` is about a reservation by this key."""
    return key.lower() in _NAME


def _is_reservation(entity: str) -> bool:
    lowered = entity.lower()
    return len(lowered) >= 3 and "reservationname".startswith(lowered)


def _other(shell: Shell, what: str, word: str) -> int:
    if what == "creation":
        shell.error(f"Invalid creation entity: {word}")
    else:
        shell.raw(f"Invalid deletion entity: {word}")
    shell.hints(["reservations, partitions and nodes can be: scontrol create reservation|partition|node KEY=value …" if what == "creation"
        else "write scontrol delete reservationname=NAME, partitionname=NAME or nodename=NAMES"])
    return 1


def _changes(shell: Shell, words: list[str], done: str) -> dict[str, str] | None:
    changes: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            shell.error(f"Misformatted parameter '{word}', most options have a parameter after '='.  {done}")
            shell.hints([f"write {word}=VALUE"])
            return None
        changes[key] = value
    return changes


def _refused(shell: Shell, error: SlurmError, prefix: str, *, again: str = "") -> int:
    """As scontrol prints it: what was written wrongly as an error of its own, what slurmctld says behind `prefix`, after an update
    twice."""
    for line in error.preface:
        shell.raw(line)
    notes = [line for line in error.hints if line in NOTE]
    if error.name == "ESLURM_INVALID_OPTION" and error.message.endswith(("No reservation created.", "No reservation update.")):
        shell.error(error.message)
        if again:
            shell.raw(f"{again}No error")
    else:
        shell.raw(prefix + error.message)
        for line in notes:
            shell.raw(line)
        if again:
            shell.raw(again + error.message)
    shell.hints([line for line in error.hints if line not in notes])
    return shell.failure_code(1)
