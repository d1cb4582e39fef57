"""scontrol without words: a conversation, one command a line. Reading and repeating lines only; the words are in `scontrol`."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from slurm.commands.shell import Shell
from slurm.model.errors import SlurmError
from slurm.options.resolve import Resolved

_END = frozenset({"exit", "quit"})


def converse(shell: Shell, resolved: Resolved, keyword: Callable[[Shell, Resolved, list[str]], int]) -> int:
    """Carries out line after line until `exit`, `quit` or the end of input; `!!` repeats the last line. Returns the last status."""
    code = 0
    last = ""
    while True:
        shell.stdout.write("scontrol: ")
        shell.stdout.flush()
        line = shell.stdin.readline().decode(errors="replace")
        if not line:
            shell.out("")
            return code
        line = last if line.strip() == "!!" else line.strip()
        if not line:
            continue
        last = line
        try:
            words = shlex.split(line)
        except ValueError as error:
            shell.raw(f"invalid line: {error}")
            code = 1
            continue
        if words[0].lower() in _END:
            return code
        try:
            code = keyword(shell, resolved, words)
        except SlurmError as error:
            shell.report(error)
            code = 1
