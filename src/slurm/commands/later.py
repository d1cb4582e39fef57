"""sattach, sbcast and the others of Slurm's commands that are not carried out yet: each says so, and what to use instead."""

from __future__ import annotations

import os
import sys

from slurm.commands.shell import Shell, run
from slurm.model.version import version_line
from slurm.options import later


def main(shell: Shell | None = None) -> int:
    """Runs the command that the process is called, and returns its exit status."""
    return run(shell or Shell.of_process(os.path.basename(sys.argv[0])), _later)


def _later(shell: Shell) -> int:
    if {"--version", "-V"}.intersection(shell.argv):
        shell.out(version_line())
        return 0
    if {"--help", "--usage"}.intersection(shell.argv):
        shell.stdout.write(later.help_text(shell.name))
        return 0
    raise later.refusal(shell.name)
