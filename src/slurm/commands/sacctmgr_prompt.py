"""sacctmgr without words: a conversation, one line after another. Reading and repeating lines only; the words are in `sacctmgr`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from slurm.commands.shell import Shell
from slurm.model.errors import SlurmError
from slurm.options.resolve import Resolved

_END = frozenset({"exit", "quit"})


def converse(shell: Shell, resolved: Resolved, keyword: Callable[[Shell, Resolved, Sequence[str]], int]) -> int:
    """Carries out line after line until `exit`, `quit` or the end of input; `!!` repeats the last line. Returns the last status."""
    code = 0
    last = ""
    while True:
        shell.stdout.write("sacctmgr: ")
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
            if words and words[0].lower() in _END:
                return code
            code = keyword(shell, resolved, words) if words else code
        except ValueError as error:
            shell.raw(f"invalid line: {error}")
            code = 1
        except SlurmError as error:
            shell.report(error)
            code = 1
