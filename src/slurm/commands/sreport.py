"""sreport: sums of usage by cluster, account, user and wckey, and the sizes of jobs.

One report a call; without words it asks for them at a prompt.
"""

from __future__ import annotations

import shlex

from slurm.commands.shell import Shell, informed, notes, run
from slurm.model.errors import SlurmError
from slurm.options.resolve import Resolved, resolve

PROMPT = "sreport: "
_LEAVE = ("exit", "quit")
_SWITCHES = {"parsable": "parsable", "parsable2": "parsable2", "quiet": "quiet", "verbose": "verbose"}


def main(shell: Shell | None = None) -> int:
    """Runs sreport and returns its exit status."""
    return run(shell or Shell.of_process("sreport"), _sreport, usage_code=1)


def _sreport(shell: Shell) -> int:
    resolved = resolve("sreport", shell.argv, shell.environ, now=shell.now())
    if informed(shell, resolved):
        return 0
    notes(shell, resolved)
    return _said(shell, resolved, resolved.rest) if resolved.rest else _asked(shell, resolved)


def _said(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    from slurm.commands import usage_report  # a command line that is wrong never needs it

    return usage_report.report(shell, resolved, words)


def _asked(shell: Shell, resolved: Resolved) -> int:
    """Reports asked for line by line; the status of the last."""
    code = 0
    before: list[str] = []
    while True:
        shell.stdout.write(PROMPT)
        shell.stdout.flush()
        line = shell.stdin.readline()
        if not line:
            shell.stdout.write("\n")
            return code
        try:
            words = shlex.split(line.decode(errors="replace"))
        except ValueError as error:
            shell.error(str(error))
            continue
        if words == ["!!"]:
            words = before
        if not words:
            continue
        before = words
        if words[0].lower() in _LEAVE:
            return code
        code = _line(shell, resolved, words)


def _line(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """One line of the prompt: a switch, a way to show times, or a report."""
    first = words[0].lower()
    if first in _SWITCHES:
        resolved.settings[_SWITCHES[first]] = True
        return 0
    if first == "nonparsable":
        resolved.settings["parsable"] = resolved.settings["parsable2"] = False
        return 0
    if first == "time":
        resolved.settings["time"] = words[1] if len(words) > 1 else ""
        return 0
    if first == "help":
        from slurm.options import usage

        shell.stdout.write(usage.help_text("sreport"))
        return 0
    try:
        return _said(shell, resolved, words)
    except SlurmError as failure:
        shell.report(failure)
        return 1
