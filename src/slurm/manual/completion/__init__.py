"""Completion of bash, zsh and fish for every command: options and their words from the tables, jobs, partitions, nodes, users from the
cluster.

Lives here: which files there are. What may stand where is in `words`; each shell's own language in the file of its name.
"""

from __future__ import annotations

from slurm.manual.completion import bash, fish, zsh


def files() -> dict[str, str]:
    """The files by name: one a command for bash and fish, which load them when the command is first completed, one for all in zsh."""
    return {**bash.files(), **zsh.files(), **fish.files()}
