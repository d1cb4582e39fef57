"""sprio's answer as a table."""

from __future__ import annotations

import msgspec

from slurm.commands.shell import Message, Shell
from slurm.model.errors import ProtocolError
from slurm.model.priority import JobPriority
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved
from slurm.render import format, priority_columns
from slurm.wire.messages import PrioritiesListed


def report(shell: Shell, resolved: Resolved, reply: Message) -> int:
    """Lays the priorities out, or with --helpformat the letters of the columns; the exit status."""
    if resolved.flag("helpformat"):
        for field in sorted(priority_columns.JOB.fields, key=lambda field: (field.letter.lower(), field.letter)):
            shell.out(f"%{field.letter}  {field.doc}")
        return 0
    try:
        found = msgspec.convert(reply, PrioritiesListed)
    except msgspec.ValidationError as error:
        raise ProtocolError(hints=[f"the reply is none of ours: {error}"]) from error
    if found.priority_type == "basic":
        shell.raw("You are not running a supported priority plugin\n(priority/basic).\nOnly 'priority/multifactor' is supported.")
        return 1
    if not found.jobs and resolved.settings.get("jobs") is not None and not resolved.flag("weights"):
        shell.out("Unable to find jobs matching user/id(s) specified")
        return 0
    _tell_of_users(shell, resolved)
    layout = format.parse_short(_format(resolved, found), priority_columns.JOB)
    if layout.unknown:
        raise OptionError(f"Invalid job format specification: {layout.unknown[0]}", exit_code=1,
            hints=["--helpformat lists the valid letters"])
    fields = [column.field for column in layout.columns]
    if resolved.flag("weights"):
        rows = [priority_columns.weight_cells(fields, found.weights, found.tres_weights, found.cluster)]
    else:
        rows = [priority_columns.cells(fields, one, found.cluster) for one in _sorted(resolved, found)]
    shell.stdout.write("".join(f"{line}\n" for line in format.lines(layout, rows, header=not resolved.flag("noheader"))))
    return 0


def _format(resolved: Resolved, found: PrioritiesListed) -> str:
    if resolved.settings.get("format") is not None:
        return resolved.text("format")
    if resolved.flag("long"):
        return priority_columns.LONG
    return priority_columns.default(found.weights, found.tres_weights, norm=resolved.flag("norm"), users=bool(resolved.texts("user")))


def _tell_of_users(shell: Shell, resolved: Resolved) -> None:
    """A line on standard error for each user that this machine does not know."""
    import pwd

    for name in resolved.texts("user"):
        try:
            name.isdigit() or pwd.getpwnam(name)
        except KeyError:
            shell.error(f"Invalid user: {name}")


def _sorted(resolved: Resolved, found: PrioritiesListed) -> list[JobPriority]:
    jobs = list(found.jobs)
    for word in reversed(resolved.text("sort").split(",") if resolved.settings.get("sort") is not None else []):
        letter = word.strip().lstrip("+-")
        if letter not in priority_columns.JOB.by_letter:
            raise OptionError(f"Invalid sort specification: {word}", exit_code=1, hints=["--helpformat lists the valid letters"])
        down = word.strip().startswith("-")
        jobs.sort(key=lambda one, by=letter: priority_columns.sort_key(by, one, found.cluster), reverse=down)  # type: ignore[misc]
    return jobs
