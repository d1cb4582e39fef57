"""Tables of sacctmgr: drawn for people, or with bars between for programs (-p, -P)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slurm.commands.shell import Shell
from slurm.options.resolve import Resolved
from slurm.render import accounting_table
from slurm.render.accounting_table import Column


def table(shell: Shell, resolved: Resolved, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> int:
    """Print rows as the options ask for; exit status 0."""
    header = not resolved.flag("noheader")
    if resolved.flag("parsable") or resolved.flag("parsable2"):
        lines = accounting_table.parsable(columns, rows, header=header, ending=not resolved.flag("parsable2"))
    else:
        lines = accounting_table.lines(columns, rows, header=header)
    for text in lines:
        shell.stdout.write(text + "\n")
    return 0
