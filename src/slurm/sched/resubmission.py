"""Resubmission: the command line by which a job was submitted, with other options, for whoever is to send it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

_LETTERS = {"time": "-t", "mem": "", "mem-per-cpu": ""}
"""Options that may be replaced, and the letters that they have too."""
COMMANDS = ("sbatch", "srun", "salloc")


def again(line: str, work_dir: str, changed: Mapping[str, str]) -> str:
    """The shell command that submits what `line` did from `work_dir`, with the options `changed` (name → value); "" where nobody knows.

    Options on the command line win over those in the script.
    """
    try:
        words = shlex.split(line)
    except ValueError:
        return ""
    if len(words) < 2 or words[0].rpartition("/")[2] not in COMMANDS:
        return ""
    kept = [words[0], *(f"--{name}={value}" for name, value in changed.items())]
    rest = iter(words[1:])
    for word in rest:
        if not word.startswith("-"):
            kept += [word, *rest]
            break
        name = next((name for name in changed if word.partition("=")[0] == f"--{name}"
            or (_LETTERS[name] and word.startswith(_LETTERS[name])
            and not word.startswith("--"))), None)
        if name is None:
            kept.append(word)
        elif word in (f"--{name}", _LETTERS[name]):
            next(rest, None)
    command = shlex.join(kept)
    return f"cd {shlex.quote(work_dir)} && {command}" if work_dir else command
