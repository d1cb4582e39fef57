"""Slurm's commands that are not carried out yet: what each is missing, and what to use instead. Their programs are `commands.later`."""

from __future__ import annotations

from typing import NamedTuple

from slurm.model.errors import Unsupported


class Later(NamedTuple):
    """A command: what it does in Slurm, why not here, what helps meanwhile; `first` is what Slurm's own says on a site that lacks the same."""

    help: str
    note: str
    hints: tuple[str, ...] = ()
    first: str = ""


COMMANDS: dict[str, Later] = {
    "strigger": Later("Runs a program when something happens.", "there are no triggers",
                      ("a job with --dependency runs after others, sbatch --wait returns at a job's end",)),
}


def refusal(name: str) -> Unsupported:
    """What is said to whoever calls one of them."""
    later = COMMANDS[name]
    return Unsupported(message=f"{name} is not supported by slurm-py yet: {later.note}", hints=later.hints, preface=[later.first] if later.first else [])


def help_text(name: str) -> str:
    """What --help says."""
    return "".join(f"{line}\n" for line in (f"Usage: {name} [options]", COMMANDS[name].help, "", *refusal(name).lines()))
