"""What squeue and sinfo share: layouts from -o and -O, structured output, repeating every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

from slurm.commands.shell import Channel, Message, Shell, day_and_time
from slurm.options.resolve import Resolved
from slurm.render import format
from slurm.render.fields import Table
from slurm.render.format import Layout

EXCLUSIVE = "Options -o(--format) and -l(--long) are mutually exclusive. Please remove one and retry."


def written(shell: Shell, resolved: Resolved, key: str) -> bool:
    """Whether an option stands on the command line itself, not only in a variable of the command's."""
    return resolved.settings.get(key) is not None and not resolved.origins[key].startswith(f"{shell.name.upper()}_")


def layout_of(
    shell: Shell, resolved: Resolved, table: Table, otherwise: str, all_fields: str, *, own: bool = False, what: str = "job",
) -> Layout:
    """The layout that -O, -o, or else the command itself asks for. Unknown fields are said on standard error.

    The command line goes before variables, and of these that of -o before that of -O. `own`: `otherwise` follows from an option that
    goes before the variables too. `what` is the word for what a line is of, as errors have it.
    """
    long, short = (written(shell, resolved, key) or (not own and resolved.settings.get(key) is not None) for key in ("Format", "format"))
    if long and short and not written(shell, resolved, "Format"):
        long = False
    if long:
        asked = resolved.text("Format").strip()
        if shell.name == "sinfo" and asked.lower() == "all":
            if asked != "all":
                shell.error(f"Invalid job format specification: {asked}")
            return format.parse_short(all_fields, table)
        layout = format.parse_long(resolved.text("Format"), table)
    else:
        text = resolved.text("format") if short else otherwise
        layout = format.parse_short(text, table, all_fields)
    for name in layout.unknown:
        if shell.name == "sinfo" and not long:
            shell.raw(f"Invalid node format specification: {name}")
        else:
            shell.error(f"Invalid {what} format specification: {name}")
        shell.hints(_advice(name, table))
    return layout


def _advice(name: str, table: Table) -> list[str]:
    if len(name) < 2:
        return [f"valid letters: {''.join(sorted(table.by_letter))}"]
    from slurm.notation.nearest import nearest  # only when something is wrong

    meant = nearest(name, [field.name for field in table.fields if field.listed])
    return [f"did you mean {meant}?" if meant else "--helpFormat lists the valid names"]


def rows_of(reply: Message) -> list[list[str]]:
    """The rows of a reply."""
    rows = reply.get("rows", [])
    return rows if isinstance(rows, list) else []


def date_line(shell: Shell) -> str:
    """The present as --long and --iterate print it: "Tue Dec 01 00:42:35 2026"."""
    return day_and_time(shell.now())


def repeatedly(shell: Shell, seconds: int, body: Callable[[Channel], int], sleep: Callable[[float], None] = time.sleep) -> int:
    """Carries `body` out once, or every so many seconds until interrupted."""
    channel = shell.channel()
    try:
        code = body(channel)
        while seconds > 0:
            shell.stdout.flush()
            sleep(seconds)
            code = body(channel)
        return code
    finally:
        channel.close()
